// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <optional>

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

/// How soon the cheap look has to come again for a fall at this rate not to use up the headroom
/// unseen: half the time it takes, within 0.2 and 10 s.
[[nodiscard]] std::chrono::milliseconds next_look(Bytes headroom, Bytes fall_per_second);

}  // namespace eviction::agent
