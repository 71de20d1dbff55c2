// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/observation.h"
#include "agent/policy/guards.h"
#include "agent/policy/memory_account.h"
#include "agent/policy/sizing.h"
#include "agent/workload.h"

namespace eviction::agent {

/// Everything that is decided from one observation; each output of the program is rendered from it.
struct Plan {
  Observation observation;
  MemoryAccount memory;
  std::map<WorkloadClass, WorkloadSum> workloads;  ///< all four classes
  Sizing sizing;
  std::vector<Guard> guards;
  /// Why the configuration allows no restart of the kubelet, so that apply refuses. Empty: it does.
  std::string restart_forbidden;
  std::optional<std::string> shadowed_by;
  std::string file_content;  ///< what would be written; empty for none
  std::string diff;          ///< against what is there; empty: no change
  /// Why the kubelet would not start without our file that is there now. Absent: it would, or there
  /// is none.
  std::optional<std::string> file_needed;
  std::optional<std::vector<Pod>> next_victims;
  std::string next_victims_absent;  ///< why not
  std::optional<Bytes> allocatable_now;
  std::optional<Bytes> allocatable_after;
  std::string allocatable_absent;
  std::string memory_pressure_effect;  ///< what MemoryPressure would do on this node
};

[[nodiscard]] Plan make_plan(Observation observation,
                             const config::AgentConfig& config,
                             const Circumstances& circumstances = {});

/// Whether a value could be applied: an instrument, a target, and no guard false. What apply needs
/// besides: no guard unknown, and a restart that the configuration allows.
enum class PlanOutcome { kApplicable, kNothingToApply, kRefused };
[[nodiscard]] PlanOutcome outcome(const Plan& plan);
/// "applicable", "nothing-to-apply", "refused".
[[nodiscard]] std::string_view to_text(PlanOutcome outcome);

}  // namespace eviction::agent
