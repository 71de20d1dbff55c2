// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/forecast.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <vector>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::hours kHalfLife{6};
/// After a longer pause nothing is known of what lay in between.
constexpr std::chrono::minutes kPause{2};
/// A horizon is predicted for so many times while it passes.
constexpr int kStepsPerHorizon = 30;
/// A fall of less than half the usual size within the horizon is none.
constexpr double kUsualPart = 0.5;
/// What happened lately is what happened within this part of the horizon, and a fall there is one
/// from this part of the usual size on.
constexpr int kLately = 10;
constexpr double kUsualPartLately = 0.15;
/// Falls of another trend count, too, as there may be few of this one.
constexpr double kOtherTrend = 0.1;
/// As if this had been seen before anything was: a fall that is large enough, 0.3 times of 2. What
/// never happened in a hundred tries is thereby expected with 0.3 %.
constexpr double kPriorReached = 0.3;
constexpr double kPriorSeen = 2;
/// What was predicted counts against the outcomes of its bin as much as those of one horizon that
/// passes, since they come from one course of memory.
constexpr double kPriorOutcomes = kStepsPerHorizon;
/// A record in which the level was reached less often says nothing of skill.
constexpr int kLeastEpisodes = 5;
constexpr std::size_t kLeastMinutes = 30;
constexpr std::size_t kMinutesOfADay = 1440;
/// The lowest twentieth of the minutes is the level to practise on.
constexpr std::size_t kPracticePart = 20;

constexpr double kFirstBucket = 1 << 20;
constexpr double kBucketsPerDoubling = 4;

std::size_t bucket_of(Bytes fall, std::size_t buckets) {
  if (fall <= Bytes{}) {
    return 0;
  }
  const double doublings = std::log2(static_cast<double>(fall.value()) / kFirstBucket);
  const double bucket = std::ceil(kBucketsPerDoubling * doublings) + 1;
  return static_cast<std::size_t>(std::clamp(bucket, 1.0, static_cast<double>(buckets - 1)));
}

/// By the logarithm of the odds: as fine for the rare as for the frequent.
std::size_t bin_of(double probability, std::size_t bins) {
  const double odds = std::log(probability / (1 - probability));
  const double half = static_cast<double>(bins) / 2;
  return static_cast<std::size_t>(std::clamp(odds + half, 0.0, static_cast<double>(bins - 1)));
}

}  // namespace

std::string to_horizon(std::chrono::seconds horizon) {
  constexpr std::chrono::minutes kMinute{1};
  return horizon < kMinute ? fmt::format("{}s", horizon.count())
                           : fmt::format("{}min", horizon / kMinute);
}

HorizonRecord::HorizonRecord(std::chrono::seconds horizon) : horizon_{horizon} {}

HorizonRecord::Trend HorizonRecord::trend(milliseconds now, Bytes available) const {
  if (pending_.empty() || seen_ <= 0) {
    return kLevel;
  }
  const auto move = [&](const Pending& before, double usual_part) -> std::size_t {
    const auto fall = static_cast<double>((before.available - available).value());
    if (std::abs(fall) <= usual_part * fallen_ / seen_) {
      return 1;
    }
    return fall > 0 ? 2 : 0;
  };
  const auto lately =
      std::find_if(pending_.rbegin(), std::prev(pending_.rend()), [&](const Pending& before) {
        return now - before.at >= horizon_ / kLately;
      });
  return 3 * move(pending_.front(), kUsualPart) + move(*lately, kUsualPartLately);
}

double HorizonRecord::raw_probability(Trend trend, Bytes headroom) const {
  const std::size_t bucket = bucket_of(headroom, kBuckets);
  double seen = kPriorSeen;
  double reached = kPriorReached;
  for (std::size_t i = 0; i < kTrends; ++i) {
    const auto& falls = falls_.at(i);
    const double weight = i == trend ? 1 : kOtherTrend;
    const auto* const here = falls.begin() + bucket;
    seen += weight * std::accumulate(falls.begin(), falls.end(), 0.0);
    reached += weight * (std::accumulate(here + 1, falls.end(), 0.0) + *here / 2);
  }
  return reached / seen;
}

double HorizonRecord::calibrated(double raw, bool of_threshold) const {
  const std::size_t bin = bin_of(raw, kBins);
  const auto corrected = [](double probability, const Bin& seen) {
    return (seen.reached + kPriorOutcomes * probability) / (seen.count + kPriorOutcomes);
  };
  const double by_both = corrected(raw, bins_.at(bin));
  return of_threshold ? corrected(by_both, threshold_bins_.at(bin)) : by_both;
}

std::optional<HorizonRecord::Prediction> HorizonRecord::predict(Trend trend,
                                                                Bytes available,
                                                                std::optional<Bytes> headroom,
                                                                bool of_threshold) const {
  if (!headroom || *headroom <= Bytes{} || seen_ <= 0) {
    return std::nullopt;
  }
  const double raw = raw_probability(trend, *headroom);
  return Prediction{.level = available - *headroom,
                    .of_threshold = of_threshold,
                    .raw = raw,
                    .calibrated = calibrated(raw, of_threshold)};
}

void HorizonRecord::forget(milliseconds until) {
  const milliseconds passed = until - forgotten_until_.value_or(until);
  forgotten_until_ = until;
  const double keep = std::exp2(-static_cast<double>(passed.count()) /
                                static_cast<double>(milliseconds{kHalfLife}.count()));
  for (auto& falls : falls_) {
    std::ranges::transform(falls, falls.begin(), [keep](double weight) { return weight * keep; });
  }
  for (auto* bins : {&bins_, &threshold_bins_}) {
    for (Bin& bin : *bins) {
      bin.count *= keep;
      bin.reached *= keep;
    }
  }
  for (double* sum : {&fallen_, &seen_, &squares_, &scored_, &came_true_}) {
    *sum *= keep;
  }
}

void HorizonRecord::score(const Prediction& prediction, bool reached) {
  const std::size_t bin = bin_of(prediction.raw, kBins);
  const auto count = [reached](Bin& outcomes) {
    outcomes.count += 1;
    outcomes.reached += reached ? 1 : 0;
  };
  count(bins_.at(bin));
  if (prediction.of_threshold) {
    count(threshold_bins_.at(bin));
  }
  const double miss = prediction.calibrated - (reached ? 1 : 0);
  squares_ += miss * miss;
  scored_ += 1;
  came_true_ += reached ? 1 : 0;
}

void HorizonRecord::resolve(const Pending& pending) {
  forget(pending.at);
  const Bytes fall = std::max(pending.available - pending.lowest, Bytes{});
  falls_.at(pending.trend).at(bucket_of(fall, kBuckets)) += 1;
  fallen_ += static_cast<double>(fall.value());
  seen_ += 1;
  bool reached = false;
  for (const std::optional<Prediction>& prediction : pending.predictions) {
    if (prediction) {
      const bool came_true = pending.lowest <= prediction->level;
      score(*prediction, came_true);
      reached = reached || came_true;
    }
  }
  episodes_ += reached && !in_episode_ ? 1 : 0;
  in_episode_ = reached;
}

void HorizonRecord::resolve_due(milliseconds now, Bytes available) {
  for (Pending& pending : pending_) {
    if (now - pending.at <= horizon_) {
      pending.lowest = std::min(pending.lowest, available);
      pending.looked = true;
    }
  }
  while (!pending_.empty() && now - pending_.front().at >= horizon_) {
    if (pending_.front().looked) {
      resolve(pending_.front());
    }
    pending_.pop_front();
  }
}

void HorizonRecord::see(milliseconds now,
                        Bytes available,
                        std::optional<Bytes> headroom,
                        std::optional<Bytes> practice) {
  if (last_ && (now < *last_ || now - *last_ > kPause)) {
    pending_.clear();
    forgotten_until_.reset();
  }
  last_ = now;
  const Trend trend_now = trend(now, available);
  resolve_due(now, available);
  reached_ = headroom && *headroom <= Bytes{};
  now_ = predict(trend_now, available, headroom, true);
  if (pending_.empty() || now - pending_.back().at >= horizon_ / kStepsPerHorizon) {
    pending_.push_back({.at = now,
                        .available = available,
                        .lowest = available,
                        .trend = trend_now,
                        .predictions = {now_, predict(trend_now, available, practice, false)}});
  }
}

HorizonForecast HorizonRecord::forecast() const {
  HorizonForecast forecast{.horizon = std::chrono::duration_cast<std::chrono::seconds>(horizon_),
                           .absent = {}};
  if (scored_ > 0) {
    const double rate = came_true_ / scored_;
    forecast.brier = squares_ / scored_;
    forecast.base_rate_brier = rate * (1 - rate);
  }
  if (episodes_ < kLeastEpisodes) {
    forecast.absent =
        fmt::format("memory fell to a level in question {} times so far, and a score needs {}",
                    episodes_,
                    kLeastEpisodes);
  } else if (*forecast.brier >= *forecast.base_rate_brier) {
    forecast.absent = fmt::format("it is no better than the constant chance of {:.1f} % here",
                                  100 * came_true_ / scored_);
  } else if (reached_) {
    forecast.probability = 1;
  } else if (now_) {
    forecast.probability = now_->calibrated;
  } else {
    forecast.absent = "there is no threshold";
  }
  return forecast;
}

Forecaster::Forecaster()
    : records_{HorizonRecord{kHorizons[0]},
               HorizonRecord{kHorizons[1]},
               HorizonRecord{kHorizons[2]},
               HorizonRecord{kHorizons[3]}} {}

void Forecaster::learn_level(milliseconds since_boot, Bytes mem_available) {
  constexpr std::chrono::minutes kMinute{1};
  if (minute_ && since_boot >= *minute_ && since_boot - *minute_ < kMinute) {
    levels_.back() = std::min(levels_.back(), mem_available);
    return;
  }
  minute_ = since_boot;
  if (levels_.size() >= kLeastMinutes) {
    std::vector<Bytes> sorted{levels_.begin(), levels_.end()};
    const auto low = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / kPracticePart);
    std::ranges::nth_element(sorted, low);
    practice_level_ = *low;
  }
  levels_.push_back(mem_available);
  if (levels_.size() > kMinutesOfADay) {
    levels_.pop_front();
  }
}

void Forecaster::see(milliseconds since_boot, Bytes mem_available, std::optional<Bytes> headroom) {
  learn_level(since_boot, mem_available);
  const std::optional<Bytes> practice =
      practice_level_ ? std::optional{mem_available - *practice_level_} : std::nullopt;
  for (HorizonRecord& record : records_) {
    record.see(since_boot, mem_available, headroom, practice);
  }
}

Forecast Forecaster::forecast() const {
  Forecast forecast;
  std::ranges::transform(records_, forecast.horizons.begin(), &HorizonRecord::forecast);
  double before = 0;
  std::chrono::duration<double> at{0};
  for (HorizonForecast& horizon : forecast.horizons) {
    if (!horizon.probability) {
      continue;
    }
    const double probability = std::max(*horizon.probability, before);
    horizon.probability = probability;
    const auto reaches = [&](double wanted) -> std::optional<std::chrono::seconds> {
      if (probability < wanted || before >= wanted) {
        return std::nullopt;
      }
      // Only what is reached already is certain.
      const double part = probability >= 1 ? 0 : (wanted - before) / (probability - before);
      return std::chrono::duration_cast<std::chrono::seconds>(at + part * (horizon.horizon - at));
    };
    constexpr double kHalf = 0.5;
    constexpr double kTenth = 0.1;
    forecast.median = forecast.median ? forecast.median : reaches(kHalf);
    forecast.worst_decile = forecast.worst_decile ? forecast.worst_decile : reaches(kTenth);
    before = probability;
    at = horizon.horizon;
  }
  return forecast;
}

}  // namespace eviction::agent
