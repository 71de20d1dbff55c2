// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "agent/simulate/pod.h"

namespace eviction::agent::simulate {

/// What a pod held at one time.
struct PodSample {
  double at = 0;        ///< s
  std::size_t pod = 0;  ///< its place among the pods
  double mib = 0;
};

/// More are not taken: they are half a GiB.
inline constexpr std::size_t kMostSamples = 20'000'000;

/// What is left of a pause that is cut out.
inline constexpr std::chrono::seconds kShortGap{60};

/// The median, of two the larger. There is one value at least.
[[nodiscard]] double middle(std::vector<double> values);

/// Sorts by time, begins at 0, and cuts out pauses of all pods for more than 15 min. There is one
/// sample at least.
void join_times(std::vector<PodSample>& samples);

/// Has the pods, each of which has a sample, follow these, in order of time: between two of them on
/// a straight line, and away when there is none for 5 min.
void follow(std::vector<PodSpec>& pods, const std::vector<PodSample>& samples);

}  // namespace eviction::agent::simulate
