// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "agent/observation.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What the policy reads of an observation, as bytes. Numbers have a fixed width, so that of two
/// looks at the same pods only the numbers that changed differ. Left out: problems but the
/// kubelet's, the reasons of what is absent, and counters that only metrics show.
[[nodiscard]] std::string to_archive(const Observation& observation);

/// Errors: kMalformed, for bytes that are no archive and for more of anything than there is room.
[[nodiscard]] Result<Observation> from_archive(std::string_view bytes);

}  // namespace eviction::agent
