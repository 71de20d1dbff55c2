// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/observation.h"
#include "agent/policy/growth_history.h"
#include "agent/policy/memory_account.h"
#include "agent/policy/sizing.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// One condition for putting a value in force. ok absent: cannot know, which refuses enforcement
/// but never a plan.
struct Guard {
  std::string name;
  std::optional<bool> ok;
  std::string reason;  ///< with its numbers
};

/// What one look at the node does not show: what was seen over time, and what was asked of others.
struct Circumstances {
  /// Kubelet-available at the 5th percentile of the last hour. Absent: not watched long enough.
  std::optional<Bytes> available_low;
  /// Direct reclaims (allocstall) since the last full walk. Absent: no earlier walk.
  std::optional<std::uint64_t> stalls;
  /// Why the container runtime does not answer; empty: it answers. Absent: it was not asked.
  std::optional<std::string> runtime_silence;
  int restarts_today = 0;  ///< of the kubelet by the agent in the last 24 hours
  /// Why the agent may not restart the kubelet now, besides that number; empty: it may.
  std::string restart_refused;
  /// What this node's growth was, of the caller. Null: nothing was learned.
  const GrowthHistory* growth = nullptr;
};

/// The bounds that the guards set to a threshold, before one is chosen.
[[nodiscard]] Bounds bounds(const Observation& observation,
                            const MemoryAccount& memory,
                            const Need& need,
                            const Circumstances& circumstances);

/// The largest hard threshold with which a restarted kubelet would admit every pod that runs now: C
/// - V - hugepages - requests - step. The two differ where requests are estimates.
struct RequestsBound {
  Bytes sure;      ///< with the upper ends: what is put in force holds by this one
  Bytes possible;  ///< with the lower ends: above it a pod is rejected whatever it really requests
};

/// Absent: a request is unknown.
[[nodiscard]] std::optional<RequestsBound> requests_bound(const Observation& observation,
                                                          const MemoryAccount& memory,
                                                          Bytes step);

/// The guards of a sizing, in their order: requests-fit, headroom-now, kubepods-room, reserved-fit,
/// memory-manager, calm, not-shadowed, settled, restart-budget, version, foreign-value.
[[nodiscard]] std::vector<Guard> guards(const Observation& observation,
                                        const MemoryAccount& memory,
                                        const Sizing& sizing,
                                        const config::AgentConfig& config,
                                        const Circumstances& circumstances);

/// kubeReserved + systemReserved for memory, as configured. Absent: no kubelet.
[[nodiscard]] std::optional<Bytes> reserved_memory(const Observation& observation);

}  // namespace eviction::agent
