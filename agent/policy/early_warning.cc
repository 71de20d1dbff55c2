// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/early_warning.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

/// 1 % of the last 10 s stalled, in hundredths of a percent, is no noise.
constexpr int kLeastSome = 100;
/// A rate rises when it is twice the usual one.
constexpr double kRise = 2;
constexpr double kUsualSeconds = 300;
constexpr int kLooksToBegin = 2;
constexpr int kLooksToEnd = 3;
constexpr std::size_t kFiveMinutes = 2;
static_assert(kHorizons.at(kFiveMinutes) == std::chrono::minutes{5});

}  // namespace

std::string PressureTrend::by_psi(const cgroup::Pressure& pressure) {
  const cgroup::PressureLine& some = pressure.some;
  if (some.avg10 < kLeastSome || some.avg10 <= some.avg60) {
    return {};
  }
  constexpr double kHundredths = 100;
  return fmt::format(
      "tasks stalled on memory for {:.1f} % of the last 10 s, {:.1f} % of the minute",
      some.avg10 / kHundredths,
      some.avg60 / kHundredths);
}

std::string PressureTrend::by_counter(Counter& counter,
                                      const cgroup::Vmstat& vmstat,
                                      double seconds) {
  const std::optional<std::uint64_t> now = vmstat.*counter.field;
  const std::optional<std::uint64_t> before = std::exchange(counter.last, now);
  if (!now || !before || *now < *before || seconds <= 0) {
    return {};
  }
  const double rate = static_cast<double>(*now - *before) / seconds;
  const double usual = counter.usual;
  const double keep = std::exp(-seconds / kUsualSeconds);
  counter.usual = keep * usual + (1 - keep) * rate;
  if (rate < counter.least_per_second || rate < kRise * usual) {
    return {};
  }
  return fmt::format("{:.0f} {} a second, {:.0f} before", rate, counter.name, usual);
}

void PressureTrend::see(std::chrono::milliseconds since_boot, const Observation& seen) {
  const double seconds = last_ ? std::chrono::duration<double>{since_boot - *last_}.count() : 0;
  last_ = since_boot;
  rising_.clear();
  if (seen.pressure) {
    rising_ = by_psi(*seen.pressure);
    return;
  }
  if (!seen.vmstat) {
    return;
  }
  for (Counter& counter : counters_) {
    const std::string sign = by_counter(counter, *seen.vmstat, seconds);
    if (rising_.empty()) {
      rising_ = sign;
    }
  }
}

bool EarlyWarning::see(const WarningInput& input) {
  const HorizonForecast& forecast = input.forecast.horizons.at(kFiveMinutes);
  const double probability = forecast.probability.value_or(0);
  const bool low = input.headroom && *input.headroom <= input.low_headroom;
  const bool begins = probability >= kWarningProbability && low && !input.pressure.empty();
  const bool ends = probability < kWarningProbability / 2 || !input.headroom ||
                    *input.headroom > scale(input.low_headroom, 3, 2);
  if (!forecast.probability) {
    reason_ = "no probability: " + forecast.absent;
  } else if (!input.headroom) {
    reason_ = "there is no threshold";
  } else {
    reason_ = fmt::format(
        "threshold within 5 min with probability {:.0f} %; headroom {}, low from {}; {}",
        100 * probability,
        to_human(*input.headroom),
        to_human(input.low_headroom),
        input.pressure.empty() ? "no pressure rises" : input.pressure);
  }
  looks_ = (on_ ? ends : begins) ? looks_ + 1 : 0;
  if (looks_ < (on_ ? kLooksToEnd : kLooksToBegin)) {
    return false;
  }
  looks_ = 0;
  on_ = !on_;
  return true;
}

Bytes low_headroom(Bytes capacity, std::optional<Bytes> lost_within_five_minutes) {
  constexpr int kPart = 50;
  return std::max(scale(capacity, 1, kPart), lost_within_five_minutes.value_or(Bytes{}));
}

}  // namespace eviction::agent
