// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "cgroup/bytes.h"

namespace eviction::agent {

inline constexpr std::array<std::chrono::seconds, 4> kHorizons{std::chrono::seconds{30},
                                                               std::chrono::seconds{60},
                                                               std::chrono::seconds{300},
                                                               std::chrono::seconds{900}};

/// Whether available memory falls to the kubelet's threshold within one time.
struct HorizonForecast {
  std::chrono::seconds horizon{};
  /// 0 to 1. Absent: see absent.
  std::optional<double> probability = {};
  std::string absent = "there was no full look yet";
  /// Mean of (probability - outcome)^2 of this node's own record, and what a constant chance, the
  /// share of outcomes, would have had. Absent: nothing was predicted yet.
  std::optional<double> brier = {};
  std::optional<double> base_rate_brier = {};
};

/// What is to be expected of available memory, from how it fell on this node.
struct Forecast {
  std::array<HorizonForecast, kHorizons.size()> horizons{HorizonForecast{kHorizons[0]},
                                                         HorizonForecast{kHorizons[1]},
                                                         HorizonForecast{kHorizons[2]},
                                                         HorizonForecast{kHorizons[3]}};
  /// When the threshold is reached with probability 1/2, and 1/10; 0: it is reached already.
  /// Absent: later than the longest horizon, or there is no probability.
  std::optional<std::chrono::seconds> median = {};
  std::optional<std::chrono::seconds> worst_decile = {};
};

/// "30s", "1min", "5min", "15min".
[[nodiscard]] std::string to_horizon(std::chrono::seconds horizon);

/// How often available memory fell how far within one time, by whether it was falling before and
/// whether it still was, and how often what was predicted from that came true. Predictions are
/// tried on two levels: the threshold, and one that this node often reaches, because most nodes
/// never reach a threshold. What came of both corrects what is told of either, and what came of the
/// threshold that once more. Half of what was seen is forgotten within six hours of watching. Pure.
class HorizonRecord {
 public:
  explicit HorizonRecord(std::chrono::seconds horizon);

  /// A look. headroom: of available memory until the threshold; absent: there is none. practice:
  /// the same until the level that is often reached. After a pause nothing follows from before it.
  void see(std::chrono::milliseconds now,
           Bytes available,
           std::optional<Bytes> headroom,
           std::optional<Bytes> practice);

  /// With the headroom of the last look.
  [[nodiscard]] HorizonForecast forecast() const;

 private:
  /// How the level moved over the last horizon and how over the last tenth of it, both by whether
  /// it rose, stayed or fell: 3 * the one + the other.
  using Trend = std::size_t;
  static constexpr std::size_t kTrends = 9;
  static constexpr Trend kLevel = 4;
  /// Bucket 0: no fall. Bucket b ends at 1 MiB * 2^((b-1)/4), the last at 16 TiB.
  static constexpr std::size_t kBuckets = 98;
  static constexpr std::size_t kBins = 12;

  struct Prediction {
    Bytes level;
    bool of_threshold = false;  ///< else of the level to practise on
    double raw = 0;             ///< from falls alone
    double calibrated = 0;      ///< as told
  };

  struct Pending {
    std::chrono::milliseconds at{};
    Bytes available;
    Bytes lowest;
    bool looked = false;  ///< there was a look since then, within the horizon
    Trend trend = kLevel;
    std::array<std::optional<Prediction>, 2> predictions = {};
  };

  struct Bin {
    double count = 0;
    double reached = 0;
  };

  [[nodiscard]] Trend trend(std::chrono::milliseconds now, Bytes available) const;
  [[nodiscard]] std::optional<Prediction> predict(Trend trend,
                                                  Bytes available,
                                                  std::optional<Bytes> headroom,
                                                  bool of_threshold) const;
  [[nodiscard]] double raw_probability(Trend trend, Bytes headroom) const;
  [[nodiscard]] double calibrated(double raw, bool of_threshold) const;
  void resolve_due(std::chrono::milliseconds now, Bytes available);
  void forget(std::chrono::milliseconds until);
  void resolve(const Pending& pending);
  void score(const Prediction& prediction, bool reached);

  std::chrono::milliseconds horizon_;
  std::deque<Pending> pending_;
  std::optional<std::chrono::milliseconds> last_;
  std::optional<Prediction> now_;  ///< until the threshold; absent: there is none, or it is reached
  bool reached_ = false;

  std::array<std::array<double, kBuckets>, kTrends> falls_{};
  std::array<Bin, kBins> bins_{};            ///< of both levels
  std::array<Bin, kBins> threshold_bins_{};  ///< of the threshold alone
  std::optional<std::chrono::milliseconds> forgotten_until_;
  double fallen_ = 0;   ///< bytes of all falls
  double seen_ = 0;     ///< falls, those of nothing included
  double squares_ = 0;  ///< (probability - outcome)^2
  double scored_ = 0;
  double came_true_ = 0;
  int episodes_ = 0;  ///< spells in which a level was reached; as the horizons overlap, few
  bool in_episode_ = false;
};

/// All horizons together.
class Forecaster {
 public:
  Forecaster();

  /// A look. mem_available: its falls are learned, since a level of it moves only when memory is
  /// taken. headroom: the kubelet's available memory less its threshold. Absent: no threshold.
  void see(std::chrono::milliseconds since_boot,
           Bytes mem_available,
           std::optional<Bytes> headroom);

  [[nodiscard]] Forecast forecast() const;

 private:
  void learn_level(std::chrono::milliseconds since_boot, Bytes mem_available);

  std::array<HorizonRecord, kHorizons.size()> records_;
  std::deque<Bytes> levels_;  ///< the lowest of each minute, of a day at most
  std::optional<std::chrono::milliseconds> minute_;
  std::optional<Bytes> practice_level_;
};

}  // namespace eviction::agent
