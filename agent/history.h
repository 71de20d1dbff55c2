// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "agent/plan.h"
#include "agent/policy/growth_history.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// The available memory of the last hour, one value a minute: the lowest seen in it.
class AvailableHistory {
 public:
  /// now: of any steady clock.
  void add(std::chrono::seconds now, Bytes available);

  /// The 5th percentile of the minutes of the last hour. Absent before there are ten of them.
  [[nodiscard]] std::optional<Bytes> low() const;

 private:
  struct Minute {
    std::chrono::seconds begin;
    Bytes lowest;
  };

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

  /// Puts in what is known before this full look is planned with; growth points into this object.
  void add_to(Circumstances& circumstances, const Observation& seen);

  /// After the plan of a full look. Pods of which one could not be read are no sum: it would seem
  /// to rise when the pod can be read again.
  void walked(std::chrono::milliseconds since_boot, const Plan& plan);

  [[nodiscard]] GrowthHistory& growth() { return growth_; }

 private:
  AvailableHistory available_;
  GrowthHistory growth_;
  std::optional<std::uint64_t> last_stalls_;
};

/// How soon the cheap look has to come again for a fall at this rate not to use up the headroom
/// unseen: half the time it takes, within 0.2 and 10 s.
[[nodiscard]] std::chrono::milliseconds next_look(Bytes headroom, Bytes fall_per_second);

}  // namespace eviction::agent
