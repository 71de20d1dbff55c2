// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "agent/workload.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// The pods in the order in which the kubelet would evict them for memory: those above their
/// request first, then lower priority, then the larger excess; static and critical pods never.
/// Errors: kAbsent with the reason when the order depends on something no source tells.
/// Source: kubelet v1.36 pkg/kubelet/eviction/helpers.go rankMemoryPressure().
[[nodiscard]] Result<std::vector<Pod>> rank_victims(const std::vector<Pod>& pods);

}  // namespace eviction::agent
