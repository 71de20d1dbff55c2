// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/observation.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"

namespace eviction::tests {

/// What the agent sees of a constructed node.
inline agent::Observation observed(const std::string& node) {
  const TemporaryTree tree;
  write(named_node(node), tree.path());
  cgroup::Buffer buffer;
  return agent::observe(agent::open_host(tree.path("proc"), tree.path("sys"), tree.path()),
                        config::AgentConfig{},
                        buffer);
}

}  // namespace eviction::tests
