// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/observation.h"
#include "agent/policy/guards.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// For how long node and kubelet have run beyond the 5 minutes in which device plugins, CNI and
/// storage come back; negative: they have not yet. Absent: no kubelet or no uptime to look at.
[[nodiscard]] std::optional<std::chrono::seconds> settled_for(const Observation& seen);

/// The guards that ask whether now is a moment to restart this kubelet, whatever the value.
[[nodiscard]] Guard calm(const Observation& seen, const Circumstances& circumstances);
[[nodiscard]] Guard settled(const Observation& seen, const Circumstances& circumstances);
[[nodiscard]] Guard restart_budget(const Circumstances& circumstances,
                                   const config::AgentConfig& config);
[[nodiscard]] Guard version(const Observation& seen, const config::AgentConfig& config);

/// Why the configuration allows no restart of this kubelet. Empty: it does.
[[nodiscard]] std::string restart_forbidden(const Kubelet& kubelet,
                                            const config::AgentConfig& config);

}  // namespace eviction::agent
