// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/constructed_node.h"

namespace eviction::tests {

/// One kind of node that the agent meets in the field.
struct NamedNode {
  std::string_view name;
  std::string_view about;
  ConstructedNode (*make)();
};

/// All of them, by name.
[[nodiscard]] const std::vector<NamedNode>& named_nodes();

/// The node of that name. Throws std::out_of_range when there is none.
[[nodiscard]] ConstructedNode named_node(std::string_view name);

/// A container node with that many pods of one container each, so three cgroups a pod: for
/// measurements.
[[nodiscard]] ConstructedNode node_with_pods(int count);

}  // namespace eviction::tests
