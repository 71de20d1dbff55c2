// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "agent/plan.h"
#include "agent/policy/early_warning.h"
#include "agent/policy/forecast.h"
#include "agent/policy/growth_history.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// The available memory of the last hour, one value a minute: the lowest seen in it.
class AvailableHistory {
 public:
  /// since_boot: where it goes back, the node was restarted, and the history begins anew.
  void add(std::chrono::milliseconds since_boot, Bytes available);

  /// The 5th percentile of the minutes of the last hour. Absent where there are not ten of them.
  [[nodiscard]] std::optional<Bytes> low(std::chrono::milliseconds since_boot);

 private:
  struct Minute {
    std::chrono::milliseconds begin;
    Bytes lowest;
  };

  void forget(std::chrono::milliseconds since_boot);

  std::deque<Minute> minutes_;
};

/// What was seen of a node over time, for its next plan. The daemon keeps one as it looks, and a
/// replay makes one of what was recorded: both decide by the same.
class NodeHistory {
 public:
  /// A cheap look. since_boot: of the clock that runs in suspend, too.
  void look(std::chrono::milliseconds since_boot,
            Bytes mem_total,
            std::optional<Bytes> mem_available);

  /// Looks of before the agent's start, for the forecast, and full ones of them, for the low of the
  /// last hour. What was learned of growth is kept elsewhere.
  void recall(std::chrono::milliseconds since_boot, Bytes mem_available);
  void recall_full(std::chrono::milliseconds since_boot, Bytes kubelet_available);

  /// Puts in what is known before this full look is planned with; growth points into this object.
  /// since_boot absent: it is not known how long ago the other looks were, and their low is none.
  /// Of a counter that went back, by a restart of the node, nothing is known.
  void add_to(Circumstances& circumstances,
              const Observation& seen,
              std::optional<std::chrono::milliseconds> since_boot);

  /// After the plan of a full look. Pods of which one could not be read are no sum: it would seem
  /// to rise when the pod can be read again. Whether the early warning began or ended.
  bool walked(std::chrono::milliseconds since_boot, const Plan& plan);

  [[nodiscard]] GrowthHistory& growth() { return growth_; }

  /// As of the last full look.
  [[nodiscard]] const Forecast& forecast() const { return forecast_; }

  [[nodiscard]] const EarlyWarning& warning() const { return warning_; }

 private:
  [[nodiscard]] std::optional<Bytes> headroom(std::optional<Bytes> mem_available) const;

  AvailableHistory available_;
  GrowthHistory growth_;
  Forecaster forecaster_;
  Forecast forecast_;  ///< of the last full look
  PressureTrend pressure_;
  EarlyWarning warning_;
  std::optional<std::uint64_t> last_stalls_;
  /// MemAvailable at which the kubelet's threshold is reached. Absent: no threshold, or no plan
  /// yet.
  std::optional<Bytes> threshold_;
};

/// The largest threshold of memory.available that the kubelet has; else the one that the plan asks
/// for. Absent: there is neither.
[[nodiscard]] std::optional<Bytes> threshold_to_reach(const Plan& plan);

/// How soon the cheap look has to come again for a fall at this rate not to use up the headroom
/// unseen: half the time it takes, within 0.2 and 10 s.
[[nodiscard]] std::chrono::milliseconds next_look(Bytes headroom, Bytes fall_per_second);

/// next_look() by the fastest fall that was seen between two looks.
class LookPace {
 public:
  /// After a look. now: of a steady clock. headroom: above the threshold.
  [[nodiscard]] std::chrono::milliseconds next(std::chrono::milliseconds now,
                                               Bytes mem_available,
                                               Bytes headroom);

 private:
  std::optional<Bytes> last_available_;
  std::chrono::milliseconds last_look_{};
  Bytes fastest_fall_{std::int64_t{2} << 30};  ///< a second; at least what one CPU faults in
};

}  // namespace eviction::agent
