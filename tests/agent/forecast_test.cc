// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/forecast.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// Available memory in GiB at a second, and the threshold of 2 GiB.
using Course = std::function<double(int)>;

Bytes gib(double amount) {
  return Bytes{std::llround(amount * (1LL << 30))};
}

Forecaster watched(const Course& course, int time, int step = 2) {
  Forecaster forecaster;
  for (int second = 0; second < time; second += step) {
    const Bytes available = gib(course(second));
    forecaster.see(seconds{second}, available, available - 2_GiB);
  }
  return forecaster;
}

const HorizonForecast& within_five_minutes(const Forecast& forecast) {
  return forecast.horizons[2];
}

/// 6 GiB, and each 20 minutes a fall to 1 GiB that takes 5 minutes and is made good at once.
double saw(int second) {
  const int at = second % 1200;
  return at < 900 ? 6 : 6 - 5.0 * (at - 900) / 300;
}

TEST(Forecaster, IsSilentUntilItWasTried) {
  const Forecast forecast = watched([](int) { return 6; }, 7200).forecast();
  for (const HorizonForecast& horizon : forecast.horizons) {
    EXPECT_FALSE(horizon.probability);
    EXPECT_THAT(horizon.absent, HasSubstr("0 times so far"));
  }
  EXPECT_FALSE(forecast.median);
  EXPECT_THAT(Forecast{}.horizons[0].absent, HasSubstr("no full look"));
}

TEST(Forecaster, KnowsAFallThatItSawBefore) {
  constexpr int kDay = 24 * 3600;
  const Forecast calm = watched(saw, kDay + 300).forecast();
  const Forecast falling = watched(saw, kDay + 1020).forecast();
  ASSERT_TRUE(within_five_minutes(falling).probability) << within_five_minutes(falling).absent;
  EXPECT_LT(within_five_minutes(calm).probability.value_or(1), 0.3);
  EXPECT_GT(*within_five_minutes(falling).probability, 0.7);
  EXPECT_LT(*within_five_minutes(falling).brier, *within_five_minutes(falling).base_rate_brier);
  // At 4 GiB and 1 GiB a minute the threshold is two minutes away.
  ASSERT_TRUE(falling.median);
  EXPECT_GT(*falling.median, seconds{30});
  EXPECT_LT(*falling.median, seconds{300});
  EXPECT_LE(*falling.worst_decile, *falling.median);
}

// Each second fall of a saw ends half way: there, as low and with as large a fall behind it, it
// matters whether it falls on.
TEST(Forecaster, AFallThatHasEndedIsNone) {
  const Course half = [](int second) {
    return second / 1200 % 2 == 0 ? saw(second) : std::max(saw(second), 3.0);
  };
  constexpr int kDay = 24 * 3600;
  const Forecast falling = watched(half, kDay + 1080).forecast();
  const Forecast ended = watched(half, kDay + 1200 + 1080 + 40).forecast();
  ASSERT_TRUE(within_five_minutes(falling).probability) << within_five_minutes(falling).absent;
  ASSERT_TRUE(within_five_minutes(ended).probability) << within_five_minutes(ended).absent;
  EXPECT_GT(*within_five_minutes(falling).probability, 0.5);
  EXPECT_LT(*within_five_minutes(ended).probability, *within_five_minutes(falling).probability / 2);
}

TEST(Forecaster, WhatIsReachedIsCertain) {
  const Forecast forecast = watched(saw, 24 * 3600 + 1199).forecast();
  for (const HorizonForecast& horizon : forecast.horizons) {
    if (horizon.probability) {
      EXPECT_EQ(*horizon.probability, 1);
    }
  }
  EXPECT_TRUE(within_five_minutes(forecast).probability);
  EXPECT_EQ(forecast.median, seconds{0});
  EXPECT_EQ(forecast.worst_decile, seconds{0});
}

// The threshold is far: what was learned on a level that the node often reaches says how far.
TEST(Forecaster, EarnsItsWordWithoutTheThreshold) {
  const Course far = [](int second) { return 40 + saw(second); };
  const Forecast forecast = watched(far, 24 * 3600 + 1020).forecast();
  ASSERT_TRUE(within_five_minutes(forecast).probability) << within_five_minutes(forecast).absent;
  EXPECT_LT(*within_five_minutes(forecast).probability, 0.02);
}

// The level to practise on is reached each 20 minutes, the threshold a little below it never.
TEST(Forecaster, WhatCameOfTheThresholdItselfCounts) {
  const Course near = [](int second) { return 1.1 + saw(second); };
  const Forecast forecast = watched(near, 24 * 3600 + 1020).forecast();
  ASSERT_TRUE(within_five_minutes(forecast).probability) << within_five_minutes(forecast).absent;
  EXPECT_LT(*within_five_minutes(forecast).probability, 0.1);
}

// Up and down by the toss of a coin: nothing can be better than the constant chance for long.
TEST(Forecaster, OfPureChanceItClaimsLittle) {
  std::uint32_t state = 1;
  const Course coin = [&state](int) {
    state = state * 1664525 + 1013904223;
    return state >> 31 == 0 ? 1.0 : 6.0;
  };
  const Forecast forecast = watched(coin, 6 * 3600).forecast();
  const HorizonForecast& half_minute = forecast.horizons[0];
  EXPECT_TRUE(!half_minute.probability || *half_minute.probability > 0.9)
      << "a coin that is tossed each 2 s is low within 30 s";
}

TEST(Forecaster, APauseIsNoFall) {
  Forecaster forecaster = watched(saw, 24 * 3600);
  const Forecast before = forecaster.forecast();
  forecaster.see(seconds{30 * 3600}, gib(2.5), gib(0.5));
  forecaster.see(seconds{100}, gib(2.4), gib(0.4));  // and a clock that went back
  EXPECT_EQ(forecaster.forecast().horizons[2].brier, before.horizons[2].brier);
}

RC_GTEST_PROP(ForecasterProperty, ProbabilitiesAreOnesAndGrowWithTheHorizon, ()) {
  Forecaster forecaster;
  milliseconds now{};
  const auto levels = *rc::gen::container<std::vector<std::int64_t>>(
      400, rc::gen::inRange<std::int64_t>(0, 1LL << 36));
  const auto steps = *rc::gen::container<std::vector<int>>(400, rc::gen::inRange(1, 60'000));
  for (std::size_t i = 0; i < 500; ++i) {
    now += milliseconds{steps[i % steps.size()]};
    const Bytes level{levels[(i * 7) % levels.size()]};
    forecaster.see(now, level, level - 8_GiB);
    double before = 0;
    for (const HorizonForecast& horizon : forecaster.forecast().horizons) {
      RC_ASSERT(horizon.probability.has_value() == horizon.absent.empty());
      if (horizon.probability) {
        RC_ASSERT(*horizon.probability >= before && *horizon.probability <= 1);
        before = *horizon.probability;
      }
      RC_ASSERT(!horizon.brier || (*horizon.brier >= 0 && *horizon.brier <= 1));
    }
  }
}

}  // namespace
}  // namespace eviction::agent
