// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/set_thresholds.h"

#include <utility>

namespace eviction::agent {

std::optional<std::vector<config::Threshold>> set_thresholds(const Observation& observation) {
  const auto& kubelet = observation.kubelet;
  if (!kubelet) {
    return std::nullopt;
  }
  const config::KubeletVersion newest{1, config::kNewestMinor, std::nullopt, {}};
  config::ParsedThresholds parsed =
      config::parse_thresholds(kubelet->loaded.settings, kubelet->version.value_or(newest));
  if (!parsed.errors.empty() || !kubelet->loaded.errors.empty()) {
    return std::nullopt;
  }
  return std::move(parsed.thresholds);
}

}  // namespace eviction::agent
