// SPDX-License-Identifier: Apache-2.0
#include "cgroup/hierarchy.h"

#include <utility>

namespace eviction::cgroup {
namespace {

constexpr MemoryFiles kV2Files{.current = "memory.current",
                               .max = "memory.max",
                               .events = "memory.events",
                               .events_local = "memory.events.local",
                               .pressure = "memory.pressure",
                               .root_stat = "memory.stat"};
constexpr MemoryFiles kV1Files{.current = "memory.usage_in_bytes",
                               .max = "memory.limit_in_bytes",
                               .events = {},
                               .events_local = {},
                               .pressure = {},
                               .root_stat = "memory.stat"};

constexpr std::string_view kRoot = "fs/cgroup";

Error no_memory_controller(std::string path, std::string what) {
  return {.kind = ErrorKind::kAbsent,
          .path = std::move(path),
          .what = std::move(what),
          .remedy = "boot with cgroup_enable=memory, or mount the host's /sys/fs/cgroup here"};
}

/// Is word one of the words of text?
bool has_word(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const std::string_view first = text.substr(0, text.find_first_of(" \n"));
    if (first == word) {
      return true;
    }
    text.remove_prefix(first.size() + (first.size() < text.size() ? 1 : 0));
  }
  return false;
}

Result<Hierarchy> open_v2(Directory root, std::string_view controllers) {
  if (!has_word(controllers, "memory")) {
    return tl::make_unexpected(no_memory_controller(root.path_of("cgroup.controllers"),
                                                    "cgroup v2 without the memory controller"));
  }
  return Hierarchy{.mode = CgroupMode::kV2, .root = std::move(root)};
}

Result<Hierarchy> open_v1(const Directory& root, Buffer& buffer) {
  Result<Directory> memory = root.open_below("memory");
  if (!memory && memory.error().kind != ErrorKind::kAbsent) {
    return tl::make_unexpected(memory.error());
  }
  if (!memory ||
      (!memory->read(kV1Files.current, buffer) && !memory->read("memory.stat", buffer))) {
    return tl::make_unexpected(
        no_memory_controller(root.path(), "no cgroup memory controller is mounted"));
  }
  const bool unified = root.open_below("unified").has_value();
  return Hierarchy{.mode = unified ? CgroupMode::kHybrid : CgroupMode::kV1,
                   .root = *std::move(memory)};
}

}  // namespace

std::string_view to_text(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::kV2:
      return "v2";
    case CgroupMode::kV1:
      return "v1";
    case CgroupMode::kHybrid:
      return "hybrid";
    case CgroupMode::kNone:
      return "none";
  }
  return "none";
}

const MemoryFiles& Hierarchy::files() const {
  return mode == CgroupMode::kV1 || mode == CgroupMode::kHybrid ? kV1Files : kV2Files;
}

Result<Hierarchy> open_hierarchy(const Directory& sys) {
  Result<Directory> root = sys.open_below(kRoot);
  if (!root) {
    if (root.error().kind != ErrorKind::kAbsent) {
      return tl::make_unexpected(root.error());
    }
    return tl::make_unexpected(no_memory_controller(sys.path_of(kRoot), "no cgroups are mounted"));
  }
  Buffer buffer;
  const Result<std::string_view> controllers = root->read("cgroup.controllers", buffer);
  if (controllers) {
    return open_v2(*std::move(root), *controllers);
  }
  if (controllers.error().kind != ErrorKind::kAbsent) {
    return tl::make_unexpected(controllers.error());
  }
  return open_v1(*root, buffer);
}

}  // namespace eviction::cgroup
