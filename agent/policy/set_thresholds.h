// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "agent/observation.h"
#include "config/thresholds.h"

namespace eviction::agent {

/// The thresholds that the kubelet's flags and files set. Absent: no kubelet, or it would not start
/// with them.
[[nodiscard]] std::optional<std::vector<config::Threshold>> set_thresholds(
    const Observation& observation);

}  // namespace eviction::agent
