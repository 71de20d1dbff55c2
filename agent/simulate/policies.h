// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/simulate/kubelet.h"

namespace eviction::agent::simulate {

/// The policies that are constants or formulas, in the order they are listed: rke2-default,
/// kubelet-100Mi, static-6Gi-4Gi, percent-5, percent-10, percent-7-1Gi, gke, aks, eks, openshift.
[[nodiscard]] const std::vector<std::string>& fixed_policies();

/// The name of this program's own policy.
inline constexpr std::string_view kOurs = "ours";

/// What a fixed policy sets on a node of this size. Absent: there is no policy of this name.
[[nodiscard]] std::optional<Thresholds> fixed_thresholds(std::string_view policy,
                                                         double capacity_mib);

}  // namespace eviction::agent::simulate
