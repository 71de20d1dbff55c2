// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Memory in the status of a Node.
struct NodeMemory {
  Bytes capacity;
  Bytes allocatable;
  Bytes hugepages;  ///< capacity of all page sizes
};

/// Reads a v1 Node in JSON. Errors: kMalformed; kAbsent when the kubelet has not reported memory.
[[nodiscard]] Result<NodeMemory> parse_node_allocatable(std::string_view text);

/// What a kubelet reports as allocatable when hard (of memory.available) and reserved (kube and
/// system together) are taken off; never below zero.
/// Source: kubelet v1.36 pkg/kubelet/nodestatus/setters.go MachineInfo().
[[nodiscard]] Bytes allocatable_memory(const NodeMemory& node, Bytes reserved, Bytes hard);

}  // namespace eviction::agent
