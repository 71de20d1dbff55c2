// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/growth_history.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kRisk = 10;

/// A record that sees a level fall by `fall` within `within` once, and stay otherwise, a look a
/// second for ten minutes.
FallRecord seen_once(Bytes fall, seconds within, hours half_life = hours{24}) {
  FallRecord record{seconds{15}, half_life};
  for (int second = 0; second <= 600; ++second) {
    const std::int64_t part = std::clamp<std::int64_t>(second - 300, 0, within.count());
    record.see(seconds{second}, 64_GiB - scale(fall, part, within.count()));
  }
  return record;
}

/// The bucket that holds an amount ends at most a tenth above it.
void expect_about(Bytes actual, Bytes expected) {
  EXPECT_GE(actual, expected);
  EXPECT_LE(actual, scale(expected, 110, 100));
}

TEST(FallRecord, FindsAFallWithinItsWindow) {
  expect_about(seen_once(1_GiB, seconds{5}).largest(kRisk), 1_GiB);
}

// 15 s, and the second between two looks.
TEST(FallRecord, OfASlowerFallOnlyWhatOneWindowHolds) {
  expect_about(seen_once(2_GiB, seconds{150}).largest(kRisk), scale(2_GiB, 16, 150));
}

// Looks as far apart as a walk of the pods: what falls within 15 s is seen, however they lie.
TEST(FallRecord, BetweenLooksItFindsTooMuchRatherThanTooLittle) {
  for (const int step : {1, 10, 20}) {
    FallRecord record{seconds{15}, hours{24}};
    for (int second = 0; second <= 600; second += step) {
      record.see(seconds{second}, 64_GiB - scale(10_MiB, second, 1));
    }
    EXPECT_GE(record.largest(kRisk), 150_MiB) << step;
    EXPECT_LE(record.largest(kRisk), scale(10_MiB, 15 + step, 1) + 15_MiB) << step;
  }
}

TEST(FallRecord, ARiseIsNoFall) {
  FallRecord record{seconds{15}, hours{24}};
  for (int second = 0; second < 600; ++second) {
    record.see(seconds{second}, scale(1_MiB, second, 1));
  }
  EXPECT_EQ(record.largest(kRisk), 0_B);
}

TEST(FallRecord, LooksFurtherApartThanTheWindowStillCount) {
  FallRecord record{seconds{15}, hours{24}};
  record.see(seconds{0}, 4_GiB);
  record.see(seconds{20}, 3_GiB);
  expect_about(record.largest(kRisk), 1_GiB);
}

TEST(FallRecord, NothingIsLearnedFromAPauseOrFromAClockThatWentBack) {
  FallRecord record{seconds{15}, hours{24}};
  record.see(seconds{0}, 4_GiB);
  record.see(seconds{3600}, 1_GiB);
  record.see(seconds{10}, 0_B);
  record.see(seconds{40}, 0_B);
  EXPECT_EQ(record.largest(kRisk), 0_B);
  EXPECT_EQ(record.watched(), seconds{30});
}

// After twelve half-lives small falls outweigh the large one; after less than two they do not.
TEST(FallRecord, ForgetsWithItsHalfLife) {
  const auto after_days = [](int days, hours half_life) {
    FallRecord record = seen_once(1_GiB, seconds{5}, half_life);
    for (int i = 0; i < days * 5760; ++i) {
      record.see(seconds{601 + i * 15}, i % 2 == 0 ? 63_GiB : 63_GiB - 4_MiB);
    }
    return record.largest(kRisk);
  };
  expect_about(after_days(1, hours{24}), 1_GiB);
  expect_about(after_days(12, hours{24}), 4_MiB);
  expect_about(after_days(12, hours{24 * 7}), 1_GiB);
}

TEST(FallRecord, ForgetsThoughNothingFallsAnyMore) {
  const auto after_days = [](int days) {
    FallRecord record = seen_once(1_GiB, seconds{5});
    for (int i = 0; i < days * 2880; ++i) {
      record.see(seconds{601 + i * 30}, 63_GiB);
    }
    return record.largest(kRisk);
  };
  expect_about(after_days(8), 1_GiB);
  EXPECT_EQ(after_days(12), 0_B);
}

// 1 GiB in 40 min, seen every half second: of a window of an hour all, and of a quarter a quarter.
TEST(FallRecord, FindsASlowFallWhateverTheLooks) {
  for (const int window : {3600, 600}) {
    SCOPED_TRACE(window);
    FallRecord record{seconds{window}, hours{24}};
    for (int i = 0; i <= 14400; ++i) {
      record.see(milliseconds{i * 500}, 64_GiB - scale(1_GiB, std::min(i, 4800), 4800));
    }
    expect_about(record.largest(kRisk), scale(1_GiB, std::min(window, 2400), 2400));
  }
}

TEST(FallRecord, WhatWasLostHalvesWithItsHalfLife) {
  FallRecord record = seen_once(1_GiB, seconds{5});
  const Bytes lost = record.lost();
  EXPECT_GE(lost, 1_GiB);
  EXPECT_LE(lost, 2_GiB) << "of two windows at most";
  for (int i = 0; i < 5760; ++i) {
    record.see(seconds{601 + i * 15}, 63_GiB);
  }
  EXPECT_NEAR(
      static_cast<double>(record.lost().value()) / static_cast<double>(lost.value()), 0.5, 0.01);
}

RC_GTEST_PROP(FallRecordProperty, ACheckpointIsTheSameRecord, ()) {
  FallRecord record{seconds{15}, hours{24}};
  milliseconds now{};
  for (const std::int64_t level : *rc::gen::container<std::vector<std::int64_t>>(
           rc::gen::inRange<std::int64_t>(0, 1LL << 41))) {
    now += milliseconds{*rc::gen::inRange(1, 30'000)};
    record.see(now, Bytes{level});
  }
  FallRecord again{seconds{15}, hours{24}};
  again.restore(record.checkpoint());
  RC_ASSERT(again.checkpoint() == record.checkpoint());
  RC_ASSERT(again.largest(kRisk) == record.largest(kRisk));
}

RC_GTEST_PROP(FallRecordProperty, NeverMoreThanTheLevelsDiffer, ()) {
  FallRecord record{seconds{15}, hours{24}};
  Bytes least{1LL << 62};
  Bytes most;
  milliseconds now{};
  for (const std::int64_t level : *rc::gen::container<std::vector<std::int64_t>>(
           rc::gen::inRange<std::int64_t>(1LL << 21, 1LL << 41))) {
    now += milliseconds{*rc::gen::inRange(1, 90'000)};
    record.see(now, Bytes{level});
    least = std::min(least, Bytes{level});
    most = std::max(most, Bytes{level});
  }
  RC_ASSERT(record.largest(kRisk) <= std::max(scale(most - least, 110, 100), 1_MiB));
}

constexpr Bytes kPrior = 100_MiB;
constexpr Bytes kNear = 250_MiB;

/// A node of 64 GiB of which 1 GiB is left; every hour containers take all but `low` of it within
/// `within`, and it comes back after a minute.
GrowthHistory learned_for(hours time, Bytes low, seconds within, double vm_share) {
  GrowthHistory history;
  const auto vms = static_cast<std::int64_t>(32 * vm_share);
  for (std::int64_t at = 0; at < seconds{time}.count(); at += 10) {
    const std::int64_t part = std::min(at % 3600, within.count());
    const Bytes taken =
        at % 3600 < within.count() + 60 ? scale(1_GiB - low, part, within.count()) : 0_B;
    history.see_node(seconds{at}, 64_GiB, 1_GiB - taken);
    history.see_left(seconds{at}, 1_GiB - taken, kNear);
    history.see_pods(seconds{at}, scale(1_GiB, vms, 1), scale(1_GiB, 32 - vms, 1) + taken);
  }
  return history;
}

TEST(GrowthHistory, KnowsNothingAtFirst) {
  EXPECT_FALSE(GrowthHistory{}.learned(64_GiB, 0, kRisk, kPrior).has_value());
}

// 100 s for 974 MiB, looked at each ten: 195 MiB in two of them.
TEST(GrowthHistory, LearnsHowFastWhatIsLeftGoes) {
  const auto learned =
      learned_for(hours{24}, 50_MiB, seconds{100}, 0).learned(64_GiB, 0, kRisk, kPrior);
  ASSERT_TRUE(learned.has_value());
  expect_about(learned->node, 194_MiB);
  expect_about(learned->containers, 194_MiB);
  EXPECT_EQ(learned->vms, 0_B);
}

TEST(GrowthHistory, WhatIsLostWhileMuchIsLeftDoesNotCount) {
  const auto learned =
      learned_for(hours{24}, 250_MiB, seconds{10}, 0).learned(64_GiB, 0, kRisk, kPrior);
  ASSERT_TRUE(learned.has_value());
  EXPECT_EQ(learned->node, 0_B);
  EXPECT_EQ(learned->weight, 0);
  expect_about(learned->containers, 774_MiB);
}

// 24 times 200 MiB, of which a day's half-life leaves 3,465: 0.9 of that and four priors.
TEST(GrowthHistory, WeighsByWhatWasLostNearRunningOut) {
  const GrowthHistory history = learned_for(hours{24}, 50_MiB, seconds{10}, 0);
  EXPECT_NEAR(history.learned(64_GiB, 0, kRisk, kPrior)->weight, 0.9, 0.01);
  EXPECT_NEAR(history.learned(64_GiB, 0, kRisk, scale(kPrior, 9, 1))->weight, 0.49, 0.01);
}

TEST(GrowthHistory, OfVmsItLearnsForAWeek) {
  const GrowthHistory history = learned_for(hours{24}, 50_MiB, seconds{10}, 1);
  GrowthHistory later = history;
  for (int at = 86'400; at < 7 * 86'400; at += 30) {
    later.see_left(seconds{at}, 1_GiB, kNear);
  }
  EXPECT_GT(later.learned(64_GiB, 1, kRisk, kPrior)->weight, 0.8);
  EXPECT_LT(later.learned(64_GiB, 0, kRisk, kPrior)->weight, 0.2);
}

// A node that stays near running out and moves up and down there shows nothing new.
TEST(GrowthHistory, EachPartOfTheWayCountsOnce) {
  GrowthHistory history;
  for (int at = 0; at < 86'400; at += 10) {
    const Bytes left = at < 1000 ? 400_MiB - scale(1_MiB, at, 5) : at % 20 == 0 ? 205_MiB : 245_MiB;
    history.see_node(seconds{at}, 64_GiB, left);
    history.see_left(seconds{at}, left, kNear);
  }
  const auto learned = history.learned(64_GiB, 0, kRisk, kPrior);
  expect_about(learned->node, 4_MiB);
  EXPECT_LT(learned->weight, 0.3);
}

// As when a VM starts or ends, and the prior is another.
TEST(GrowthHistory, WhatCountsAsNearMayChange) {
  GrowthHistory history;
  for (int at = 0; at < 3600; at += 10) {
    const Bytes left = 1_GiB - scale(1_MiB, at, 100);
    history.see_node(seconds{at}, 64_GiB, left);
    history.see_left(seconds{at}, left, at % 600 < 300 ? kNear : 4_GiB);
  }
  EXPECT_LT(history.learned(64_GiB, 0, kRisk, kPrior)->node, 2_MiB);
}

// A GiB an hour: nothing of it is within one reaction, and all of it is in the record of the hour.
TEST(GrowthHistory, OfAVmThatFillsUpTheHourTells) {
  GrowthHistory history;
  for (std::int64_t at = 0; at < seconds{hours{24}}.count(); at += 20) {
    const Bytes held = scale(1_GiB, at, 3600);
    history.see_node(seconds{at}, 64_GiB, 48_GiB - held);
    history.see_pods(seconds{at}, held, 4_GiB);
  }
  const auto learned = history.learned(64_GiB, 1, kRisk, kPrior);
  ASSERT_TRUE(learned.has_value());
  EXPECT_LE(learned->vms, 16_MiB);
  expect_about(learned->vms_long, 1_GiB);
  EXPECT_EQ(learned->containers_long, 0_B);
}

TEST(GrowthHistory, AnotherMixHasLessWeight) {
  const GrowthHistory history = learned_for(hours{24}, 50_MiB, seconds{10}, 0);
  EXPECT_LT(history.learned(64_GiB, 0.5, kRisk, kPrior)->weight,
            history.learned(64_GiB, 0, kRisk, kPrior)->weight / 2 + 0.1);
  EXPECT_EQ(history.learned(64_GiB, 1, kRisk, kPrior)->weight, 0);
}

// What was lost counts for the mix that lost it, however long another one runs since, and before.
TEST(GrowthHistory, AMixThatLosesNothingTakesNothingOver) {
  GrowthHistory history = learned_for(hours{24}, 50_MiB, seconds{10}, 0);
  const double before = history.learned(64_GiB, 0.5, kRisk, kPrior)->weight;
  for (int at = 86'400; at < 5 * 86'400; at += 30) {
    history.see_node(seconds{at}, 64_GiB, 1_GiB);
    history.see_left(seconds{at}, 1_GiB, kNear);
    history.see_pods(seconds{at}, 32_GiB, 0_B);
  }
  EXPECT_EQ(history.learned(64_GiB, 1, kRisk, kPrior)->weight, 0);
  EXPECT_LE(history.learned(64_GiB, 0.5, kRisk, kPrior)->weight, before);

  GrowthHistory early;
  early.see_node(seconds{0}, 64_GiB, 60_GiB);
  early.see_pods(seconds{0}, 0_B, 64_MiB);
  for (int at = 10; at < 3600; at += 10) {
    const Bytes left = 400_MiB - scale(1_MiB, at, 10);
    early.see_node(seconds{at}, 64_GiB, left);
    early.see_pods(seconds{at}, 60_GiB, 0_B);
    early.see_left(seconds{at}, left, kNear);
  }
  EXPECT_EQ(early.learned(64_GiB, 0, kRisk, kPrior)->weight, 0);
  EXPECT_GT(early.learned(64_GiB, 1, kRisk, kPrior)->weight, 0.2);
}

TEST(GrowthHistory, AnotherMachineBeginsAnew) {
  GrowthHistory history = learned_for(hours{24}, 50_MiB, seconds{10}, 0);
  EXPECT_FALSE(history.learned(16_GiB, 0, kRisk, kPrior).has_value()) << "as of a cloned image";
  history.see_node(hours{25}, 128_GiB, 100_GiB);
  EXPECT_FALSE(history.learned(128_GiB, 0, kRisk, kPrior).has_value());
}

TEST(GrowthHistory, ACheckpointKeepsWhatWasLearned) {
  const GrowthHistory history = learned_for(hours{30}, 50_MiB, seconds{100}, 0.5);
  GrowthHistory again;
  again.restore(history.checkpoint());
  EXPECT_EQ(again.checkpoint(), history.checkpoint());
  const auto learned = again.learned(64_GiB, 0.5, kRisk, kPrior);
  EXPECT_GT(learned->node, 0_B);
  EXPECT_EQ(learned->node, history.learned(64_GiB, 0.5, kRisk, kPrior)->node);
  EXPECT_NEAR(learned->weight, history.learned(64_GiB, 0.5, kRisk, kPrior)->weight, 1e-3);
}

}  // namespace
}  // namespace eviction::agent
