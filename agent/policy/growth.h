// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cgroup/bytes.h"

namespace eviction::agent {

/// What decides how much memory a node may lose between two looks of its kubelet.
struct GrowthInput {
  Bytes capacity;
  Bytes vm_working_set;
  Bytes container_working_set;    ///< all other pods
  std::optional<Bytes> headroom;  ///< what the pods present can still take; absent: no bound
  int risk_permyriad = 10;
  int ceiling_permyriad = 1000;  ///< share of capacity
};

/// The growth term and how it came about.
struct Growth {
  Bytes bytes;     ///< to be survived within one reaction time
  Bytes per_poll;  ///< its part within one poll of the kubelet
  std::string reason;
  std::string source;  ///< "prior" until the node's own record has been learned
};

/// The kubelet looks at its signals every 10 s. Source: kubelet v1.36 pkg/kubelet/kubelet.go
/// evictionMonitoringPeriod.
inline constexpr std::chrono::seconds kPollInterval{10};

/// One ordinary container that leaks or loads: 30 MiB/s for one reaction time of 15 s. No prior is
/// smaller, whatever the node's size, unless the ceiling is.
/// Source: measured on a 4 GiB node with kubelet 1.36.2, where a hog of that rate was evicted with
/// 500Mi and 800Mi, and killed the node with 300Mi.
inline constexpr Bytes kLeastGrowth{std::int64_t{450} << 20};

/// From public traces, for a node of this size and mix: see growth.cc for the figures.
[[nodiscard]] Growth growth_prior(const GrowthInput& input);

}  // namespace eviction::agent
