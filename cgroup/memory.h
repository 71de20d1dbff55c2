// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/hierarchy.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// memory.stat of one cgroup, under the kernel's v2 names, in bytes. On v1 the total_* keys
/// (hierarchical) are read into the same fields: rss -> anon, cache -> file.
/// Source: linux v6.1 mm/memcontrol.c memory_stat_format(), memcg_stat_show().
struct MemoryStat {
  std::optional<Bytes> anon;
  std::optional<Bytes> file;
  std::optional<Bytes> inactive_file;
  std::optional<Bytes> active_file;
  std::optional<Bytes> shmem;
  std::optional<Bytes> slab_reclaimable;
  std::optional<Bytes> slab_unreclaimable;
};

/// Unknown keys are skipped, and all lines below the last known one. Errors: kMalformed with the
/// line when a known key has no number or appears twice.
[[nodiscard]] Result<MemoryStat> parse_memory_stat(std::string_view text);
[[nodiscard]] Result<MemoryStat> read_memory_stat(const Directory& cgroup, Buffer& buffer);

/// memory.events or memory.events.local. Source: linux v6.1
/// Documentation/admin-guide/cgroup-v2.rst.
struct MemoryEvents {
  std::optional<std::uint64_t> low;
  std::optional<std::uint64_t> high;
  std::optional<std::uint64_t> max;
  std::optional<std::uint64_t> oom;
  std::optional<std::uint64_t> oom_kill;
  std::optional<std::uint64_t> oom_group_kill;
};

[[nodiscard]] Result<MemoryEvents> parse_memory_events(std::string_view text);
[[nodiscard]] Result<MemoryEvents> read_memory_events(const Directory& cgroup,
                                                      std::string_view file,
                                                      Buffer& buffer);

/// A limit file: bytes, or "max". Above 2^62 bytes (v1 prints its largest number) there is no
/// limit. Source: kubelet v1.36 pkg/kubelet/stats/helper.go isMemoryUnlimited().
struct MemoryLimit {
  std::optional<Bytes> bytes;  ///< absent: no limit
};

/// Errors: kMalformed unless the text is "max" or one whole number >= 0.
[[nodiscard]] Result<MemoryLimit> parse_memory_limit(std::string_view text);
[[nodiscard]] Result<MemoryLimit> read_memory_limit(const Directory& cgroup,
                                                    std::string_view file,
                                                    Buffer& buffer);

/// A file that holds one whole number >= 0. Errors: kMalformed.
[[nodiscard]] Result<std::int64_t> parse_number(std::string_view text);
[[nodiscard]] Result<std::int64_t> read_number(const Directory& directory,
                                               std::string_view file,
                                               Buffer& buffer);

}  // namespace eviction::cgroup
