// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/support/constructed_node.h"
#include "tests/support/node_layout.h"
#include "tests/support/node_memory.h"
#include "tests/support/tree_writer.h"

namespace eviction::tests {

/// proc/: files of the whole node.
void write_proc(const ConstructedNode& node, const NodeMemory& memory, TreeWriter& tree);
/// proc/PID.
void write_processes(const ConstructedNode& node, const NodeLayout& layout, TreeWriter& tree);
/// sys/fs/cgroup.
void write_cgroups(const ConstructedNode& node, const Group& root, TreeWriter& tree);
/// var/log/pods and var/lib/kubelet.
void write_kubelet_files(const ConstructedNode& node, TreeWriter& tree);

}  // namespace eviction::tests
