// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/constructed_node.h"

namespace eviction::tests {

/// A cgroup as it will be written.
struct Group {
  std::string name = {};  ///< one path component; empty for the root
  MemoryUse own = {};
  std::optional<Bytes> max = {};
  std::uint64_t own_oom_kills = 0;
  std::vector<int> pids = {};
  std::vector<Group> children = {};

  /// The cgroup at this path, made where it is missing.
  Group& at(const std::string& path);
  /// own and everything below.
  [[nodiscard]] MemoryUse total() const;
  [[nodiscard]] std::uint64_t oom_kills() const;
};

/// All cgroups and processes of a node.
struct NodeLayout {
  Group root;
  std::vector<ConstructedProcess> processes = {};
};

[[nodiscard]] NodeLayout lay_out(const ConstructedNode& node);

/// Hexadecimal digits that depend on seed only.
[[nodiscard]] std::string hex_digits(const std::string& seed, std::size_t count);

}  // namespace eviction::tests
