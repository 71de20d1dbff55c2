// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/bytes.h"
#include "config/kubelet_settings.h"
#include "config/kubelet_version.h"
#include "config/quantity.h"

namespace eviction::config {

inline constexpr const char* kMemoryAvailable = "memory.available";
inline constexpr const char* kAllocatableMemoryAvailable = "allocatableMemory.available";

/// A quantity or a percentage, never both.
/// Source: kubelet v1.36 pkg/kubelet/eviction/api/types.go ThresholdValue.
struct ThresholdValue {
  std::optional<Quantity> quantity;
  std::optional<float> percentage;  ///< a fraction: 0.05 for "5%", in the kubelet's own precision
};

/// Bytes of a value at this capacity; int64(float64(capacity) * float64(float32 percentage)).
/// Source: kubelet v1.36 pkg/kubelet/eviction/api/types.go GetThresholdQuantity().
[[nodiscard]] Bytes threshold_bytes(const ThresholdValue& value, Bytes capacity);

/// One threshold of the kubelet's own list.
struct Threshold {
  std::string signal;
  bool soft = false;  ///< came from evictionSoft (with a grace of 0 the kubelet treats it as hard)
  ThresholdValue value;
  std::chrono::nanoseconds grace{};
  std::optional<ThresholdValue> min_reclaim;
  std::string source;
};

/// What the kubelet's parser makes of merged settings: its thresholds, or the errors that keep the
/// kubelet from starting (all of them, where the kubelet stops at the first).
struct ParsedThresholds {
  std::vector<Threshold> thresholds;  ///< sorted by signal, hard before soft; empty if refused
  std::vector<std::string> errors;
};

/// Source: kubelet v1.36 pkg/kubelet/eviction/helpers.go ParseThresholdConfig().
[[nodiscard]] ParsedThresholds parse_thresholds(const KubeletSettings& settings,
                                                const KubeletVersion& version);

/// The checks a kubelet makes at start of what is reserved against what the node has: reserved and
/// hard threshold within capacity, and the Static memory manager's exact sum.
/// Source: kubelet v1.36 pkg/kubelet/cm/node_container_manager_linux.go validateNodeAllocatable(),
/// cm/memorymanager/memory_manager.go validateReservedMemory().
[[nodiscard]] std::vector<std::string> check_node_allocatable(const KubeletSettings& settings,
                                                              const ParsedThresholds& thresholds,
                                                              Bytes capacity);

}  // namespace eviction::config
