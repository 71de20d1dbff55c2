// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "cgroup/bytes.h"

namespace eviction::agent {

/// How a fall record is kept over a restart of the agent.
struct FallCheckpoint {
  std::chrono::seconds watched{};  ///< in all
  /// KiB lost in falls of each bucket, decayed to the moment of the checkpoint; none are 0.
  std::map<std::size_t, std::int64_t> lost_kib = {};

  bool operator==(const FallCheckpoint&) const = default;
};

/// How far a level falls within a window of fixed length and the time between two looks, since it
/// may all have fallen at the end of that: the largest fall of each window, one after the other, in
/// a histogram whose weights halve every half-life. A fall weighs as much as it
/// takes, because of two falls the larger is as much likelier to be the one that crosses a
/// threshold. Only watched time makes it older: over a pause it neither learns nor forgets. Pure.
class FallRecord {
 public:
  /// Bucket b ends at 1 MiB * 2^(b/8); the last at 16 TiB.
  static constexpr std::size_t kBuckets = 193;

  FallRecord(std::chrono::milliseconds window, std::chrono::hours half_life);

  /// now: of a clock that runs on in order. After more than a minute without a look, or a clock
  /// that went back, what lies between is not counted.
  void see(std::chrono::milliseconds now, Bytes level);

  /// All but this share (parts per 10000) of what was lost was lost in falls up to this; the upper
  /// end of a bucket. A fall is forgotten, too, when this share of its weight is left: on a node
  /// where nothing falls any more nothing else would outweigh it. 0 where no fall is remembered.
  [[nodiscard]] Bytes largest(int risk_permyriad) const;

  /// In all falls that are remembered, by their weights; one that lies in two windows counts twice.
  [[nodiscard]] Bytes lost() const;

  [[nodiscard]] std::chrono::milliseconds watched() const { return watched_; }

  [[nodiscard]] FallCheckpoint checkpoint() const;
  void restore(const FallCheckpoint& checkpoint);

 private:
  struct Look {
    std::chrono::milliseconds at;
    Bytes level;
  };

  void begin(const Look& look);
  void remember(const Look& look);
  void close_window(std::chrono::milliseconds now);

  std::chrono::milliseconds window_;
  std::chrono::milliseconds half_life_;
  std::chrono::milliseconds watched_{};
  /// Of the window, each lower than the one before. At most one for each 64th of the window, which
  /// counts as seen at that part's end: too large a fall is found rather than too small a one.
  std::deque<Look> highest_;
  std::optional<Look> last_;
  std::chrono::milliseconds window_begin_{};
  Bytes largest_in_window_;
  /// Lost bytes of each bucket times unit_, which grows instead of all of them shrinking.
  std::array<double, kBuckets> lost_{};
  double unit_ = 1;
};

}  // namespace eviction::agent
