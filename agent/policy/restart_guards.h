// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/observation.h"
#include "agent/policy/guards.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// The guards that ask whether now is a moment to restart this kubelet, whatever the value.
[[nodiscard]] Guard calm(const Observation& seen, const Circumstances& circumstances);
[[nodiscard]] Guard settled(const Observation& seen, const Circumstances& circumstances);
[[nodiscard]] Guard restart_budget(const Circumstances& circumstances,
                                   const config::AgentConfig& config);
[[nodiscard]] Guard version(const Observation& seen, const config::AgentConfig& config);

}  // namespace eviction::agent
