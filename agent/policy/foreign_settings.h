// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "agent/observation.h"
#include "agent/policy/guards.h"
#include "agent/policy/sizing.h"
#include "config/agent_config.h"
#include "config/drop_in.h"

namespace eviction::agent {

/// What our file says, which the kubelet reads at its next start. Absent: there is no file of ours.
[[nodiscard]] std::optional<config::MemoryEviction> armed(const Kubelet& kubelet);

/// Whether the agent wrote what this source (a file or a flag) says. memory: what it says of
/// memory.available, absent for another signal; a flag is ours where our file says the same, or did
/// when it was put in force.
[[nodiscard]] bool is_ours(const Kubelet& kubelet,
                           const std::string& source,
                           std::optional<Bytes> memory);

/// What overrides our file with this sizing in it: a flag, or a file that is read later. Absent:
/// nothing.
[[nodiscard]] std::optional<std::string> shadowed_by(const Observation& observation,
                                                     const Sizing& sizing);

/// Why a soft threshold of ours would change somebody else's soft settings. Absent: it would not.
[[nodiscard]] std::optional<std::string> soft_in_use(const Observation& seen);

/// The guards that keep the agent off what others have set.
[[nodiscard]] Guard not_shadowed(const Observation& seen, const Sizing& sizing);
[[nodiscard]] Guard foreign_value(const Observation& seen,
                                  const Sizing& sizing,
                                  const config::AgentConfig& config);

}  // namespace eviction::agent
