// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/observation.h"
#include "agent/policy/forecast.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// Signs that tasks wait for memory, and that they do so more than before. With PSI from it;
/// without from allocations that had to reclaim, pages scanned for them, and pages read back. Pure.
class PressureTrend {
 public:
  /// A full look. since_boot: of a clock that runs on.
  void see(std::chrono::milliseconds since_boot, const Observation& seen);

  /// What rises, with its numbers; empty: nothing does.
  [[nodiscard]] const std::string& rising() const { return rising_; }

 private:
  struct Counter {
    const char* name;
    std::optional<std::uint64_t> cgroup::Vmstat::*field;
    double least_per_second;  ///< less is no sign
    std::optional<std::uint64_t> last = {};
    double usual = 0;  ///< per second, over about five minutes
  };

  [[nodiscard]] static std::string by_psi(const cgroup::Pressure& pressure);
  [[nodiscard]] static std::string by_counter(Counter& counter,
                                              const cgroup::Vmstat& vmstat,
                                              double seconds);

  std::array<Counter, 4> counters_{
      Counter{"allocations that had to reclaim", &cgroup::Vmstat::allocstall, 1},
      Counter{"pages scanned for allocations", &cgroup::Vmstat::pgscan_direct, 256},
      Counter{"file pages read back", &cgroup::Vmstat::workingset_refault_file, 256},
      Counter{"anonymous pages read back", &cgroup::Vmstat::workingset_refault_anon, 256}};
  std::optional<std::chrono::milliseconds> last_;
  std::string rising_;
};

/// What the warning is decided by, at a full look.
struct WarningInput {
  Forecast forecast;
  std::optional<Bytes> headroom;  ///< available memory until the threshold; absent: no threshold
  Bytes low_headroom;             ///< from here on it is low
  std::string pressure;           ///< what rises; empty: nothing
};

/// Whether the threshold is likely to be reached within five minutes: while that has a probability,
/// headroom is low and pressure rises, all three at two full looks one after the other. It ends
/// when the first is below half of that or the second is above one and a half, at three full looks.
class EarlyWarning {
 public:
  /// Whether the verdict changed.
  bool see(const WarningInput& input);

  [[nodiscard]] bool on() const { return on_; }

  /// Why it is on, or what speaks against it, with the numbers.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  bool on_ = false;
  int looks_ = 0;  ///< in a row that speak for the other verdict
  std::string reason_ = "no full look yet";
};

/// From this probability of reaching the threshold within five minutes on the early warning counts
/// it. Source: the best F1 on two days of a public trace, see tests/forecast.
inline constexpr double kWarningProbability = 0.25;

/// Below this headroom it is low: what this node was seen to lose within five minutes, or a
/// fiftieth of its memory, whichever is more.
[[nodiscard]] Bytes low_headroom(Bytes capacity, std::optional<Bytes> lost_within_five_minutes);

}  // namespace eviction::agent
