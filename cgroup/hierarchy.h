// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// How this node mounts cgroups. kHybrid: v1 controllers, with v2 only below "unified"; the kubelet
/// then uses v1. kNone: no memory controller at all.
enum class CgroupMode { kV2, kV1, kHybrid, kNone };

[[nodiscard]] std::string_view to_text(CgroupMode mode);  ///< "v2", "v1", "hybrid", "none"

/// The file names of the memory controller, which is all in which v1 and v2 differ for us.
/// A name is empty where that version has no such file.
struct MemoryFiles {
  std::string_view current;
  std::string_view max;
  std::string_view events;
  std::string_view events_local;
  std::string_view pressure;
  std::string_view root_stat;  ///< memory.stat at the root
};

/// The root of the hierarchy that has the memory controller.
struct Hierarchy {
  CgroupMode mode = CgroupMode::kNone;
  Directory root;  ///< SYS/fs/cgroup (v2) or SYS/fs/cgroup/memory (v1, hybrid)

  [[nodiscard]] const MemoryFiles& files() const;
};

/// Told by the files that are there, not by the file system's magic, so that a recorded tree reads
/// as its node did. Errors: kAbsent when neither version's memory controller is mounted (with the
/// remedy), others as Directory::open().
[[nodiscard]] Result<Hierarchy> open_hierarchy(const Directory& sys);

}  // namespace eviction::cgroup
