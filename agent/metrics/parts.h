// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "agent/metrics/families.h"
#include "agent/plan.h"
#include "agent/status_file.h"

namespace eviction::agent::metrics {

/// The node's memory, by kernel and kubelet, its pressure, and what reclaim has cost.
void add_node(Families& families, const Plan& plan);

/// The threshold that is needed, the one in force, and what lies between.
void add_value(Families& families, const Plan& plan);

/// Sums by class, and requests by source. now: of the plan.
void add_workloads(Families& families, const Plan& plan, std::chrono::sys_seconds now);

/// Single pods.
void add_pods(Families& families, const Plan& plan, int top_pods);

/// Kills and evictions, and who tells of them.
void add_incidents(Families& families, const Status& status);

/// Whether and when the threshold will be reached.
void add_forecast(Families& families, const Status& status);

/// The agent itself.
void add_agent(Families& families, const Plan& plan, const Status& status);

}  // namespace eviction::agent::metrics
