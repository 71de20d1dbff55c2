// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/observation.h"
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

/// The bounds that the guards set to a threshold, before one is chosen.
[[nodiscard]] Bounds bounds(const Observation& observation,
                            const MemoryAccount& memory,
                            const Need& need);

/// The guards of a sizing, in their order: requests-fit, headroom-now, kubepods-room, reserved-fit,
/// memory-manager, calm, not-shadowed, settled, restart-budget, version, foreign-value.
[[nodiscard]] std::vector<Guard> guards(const Observation& observation,
                                        const MemoryAccount& memory,
                                        const Sizing& sizing,
                                        const config::AgentConfig& config);

/// kubeReserved + systemReserved for memory, as configured. Absent: no kubelet.
[[nodiscard]] std::optional<Bytes> reserved_memory(const Observation& observation);

/// Whether the agent wrote what this source (a file or a flag) says.
[[nodiscard]] bool is_ours(const Kubelet& kubelet, const std::string& source);

/// What sets memory.available over our file: a flag, or a drop-in that sorts later. Absent:
/// nothing.
[[nodiscard]] std::optional<std::string> shadowed_by(const Observation& observation);

}  // namespace eviction::agent
