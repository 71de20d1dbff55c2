// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/plan.h"
#include "agent/status_file.h"

namespace eviction::agent {

/// The prefix of every metric.
inline constexpr const char* kMetricPrefix = "eviction_agent_";

/// Most bytes that the samples of single pods may take, so that the whole stays below 64 KiB
/// whatever runs on the node. VMs come first, then the other pods, the larger first.
inline constexpr std::size_t kPodSamplesLimit = std::size_t{40} << 10;

/// Everything the agent knows, in Prometheus' text format 0.0.4, in an order that does not change.
/// What is not known has no sample. Single pods: every VM, and the top_pods other pods by working
/// set.
[[nodiscard]] std::string render_metrics(const Plan& plan, const Status& status, int top_pods);

}  // namespace eviction::agent
