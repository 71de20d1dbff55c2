// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/simulate/course.h"
#include "agent/simulate/run.h"
#include "cgroup/result.h"

namespace eviction::agent::simulate {

/// What runs on a generated node.
enum class Mix { kContainers, kMixed, kVms };

/// How its memory behaves.
enum class Weather {
  kCalm,        ///< 60 to 75 % in use, small movements
  kBursty,      ///< pods that take much within minutes and give it back; full in busy hours
  kRatcheting,  ///< overcommitted: pods take more in bursts over days, and give nothing back
  kLeaking,     ///< pods that take more at a constant rate until one of them is killed
};

inline constexpr std::array kMixes{Mix::kContainers, Mix::kMixed, Mix::kVms};
inline constexpr std::array kWeathers{
    Weather::kCalm, Weather::kBursty, Weather::kRatcheting, Weather::kLeaking};

/// "containers", "mixed", "vms"; "calm", "bursty", "ratcheting", "leaking".
[[nodiscard]] std::string_view to_text(Mix mix);
[[nodiscard]] std::string_view to_text(Weather weather);

/// A node and its pods, drawn at random.
struct Cell {
  double capacity_mib = 0;
  Mix mix = Mix::kMixed;
  Weather weather = Weather::kBursty;
  double seconds = 0;
  std::uint64_t seed = 1;
};

/// The same for the same cell, on every machine.
[[nodiscard]] Scenario generate(const Cell& cell);

/// 16, 64, 256, 1024 and 2048 GiB with each mix and each weather: 60 cells, each with a seed of its
/// own made from this one.
[[nodiscard]] std::vector<Cell> suite(std::uint64_t seed, double seconds);

/// A node whose pods follow a recorded course. text: CSV with a header; columns t_s or time
/// (seconds, or a date as parse_csv_time() takes it), pod, and pod_mem_mib or mib; others
/// are passed over. Times begin at the first. capacity: of the node; 0: so that 92 % of it are in
/// use at the highest. Errors: kMalformed with the line, and kTooLarge for more samples than these.
[[nodiscard]] Result<Scenario> from_trace(std::string_view text,
                                          const std::string& name,
                                          double capacity_mib,
                                          std::uint64_t seed,
                                          std::size_t most_samples = kMostSamples);

}  // namespace eviction::agent::simulate
