// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/growth.h"

#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

GrowthInput containers(Bytes capacity) {
  GrowthInput input;
  input.capacity = capacity;
  input.container_working_set = scale(capacity, 1, 2);
  return input;
}

GrowthInput vms(Bytes capacity) {
  GrowthInput input;
  input.capacity = capacity;
  input.vm_working_set = scale(capacity, 1, 2);
  return input;
}

// Public figures: containers lose 4 % of RAM (p99), 6 % (p99.9) and at most 16 % within a minute;
// VMs 1.95 % (p99.9) within five. They are for whoever asks for that little risk.
TEST(GrowthPrior, OfALittleRiskGivesThePublishedQuantiles) {
  struct Case {
    const char* name;
    GrowthInput input;
    int risk_permyriad;
    Bytes expected;
  };

  const std::vector<Case> cases = {
      {"containers p99", containers(16_GiB), 100, scale(16_GiB, 4, 100)},
      {"containers p99.9", containers(16_GiB), 10, scale(16_GiB, 6, 100)},
      {"containers p98", containers(16_GiB), 101, usual_growth(16_GiB, 0)},
      {"VMs p99.9", vms(128_GiB), 10, scale(128_GiB, 195, 10'000)},
      {"VMs p99", vms(128_GiB), 100, usual_growth(128_GiB, 10'000)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    GrowthInput input = c.input;
    input.risk_permyriad = c.risk_permyriad;
    EXPECT_EQ(expected_growth(input).bytes, c.expected);
  }
}

TEST(GrowthPrior, AMixLiesBetweenItsClasses) {
  GrowthInput mix = containers(128_GiB);
  GrowthInput only_vms = vms(128_GiB);
  mix.risk_permyriad = only_vms.risk_permyriad = 10;
  const Bytes most = expected_growth(mix).bytes;
  mix.vm_working_set = mix.container_working_set;
  const Bytes growth = expected_growth(mix).bytes;
  EXPECT_GT(growth, expected_growth(only_vms).bytes);
  EXPECT_LT(growth, most);
}

TEST(GrowthPrior, AnEmptyNodeCountsAsContainers) {
  GrowthInput empty;
  empty.capacity = 16_GiB;
  EXPECT_EQ(expected_growth(empty).bytes, expected_growth(containers(16_GiB)).bytes);
}

TEST(GrowthPrior, IsByMixAndRam) {
  GrowthInput input = vms(10000_GiB);
  EXPECT_EQ(expected_growth(input).bytes, 70_MiB + 8_GiB);
  EXPECT_EQ(expected_growth(input).per_poll, 70_MiB + 8_GiB);
  input = containers(10000_GiB);
  EXPECT_EQ(expected_growth(input).bytes, 70_MiB + 11_GiB);
  input.vm_working_set = input.container_working_set;
  EXPECT_EQ(expected_growth(input).bytes, 70_MiB + scale(1_GiB, 95, 10));
}

// 30 MiB/s for 10 s until the kubelet looks, and 2.3 s more until the victim is dead.
TEST(GrowthPrior, OnASmallNodeIsOneContainer) {
  for (const std::int64_t vms : {0, 10'000}) {
    EXPECT_EQ(usual_growth(2_GiB, vms), 375_MiB);
    EXPECT_EQ(usual_growth(4_GiB, vms), 375_MiB);
    const Bytes large = usual_growth(16_GiB, vms);
    EXPECT_EQ(usual_growth(10_GiB, vms), large + scale(375_MiB - large, 1, 2));
    EXPECT_LT(large, 130_MiB);
  }
}

// Two thirds of what containers take within a reaction of 15 s.
TEST(GrowthPrior, APollHasItsPartOfTheReaction) {
  GrowthInput input = containers(60_GiB);
  input.risk_permyriad = 10;
  EXPECT_EQ(expected_growth(input).per_poll, scale(expected_growth(input).bytes, 2, 3));
}

TEST(GrowthPrior, NeverBeyondWhatThePodsCanTakeButNeverBelowTheUsual) {
  GrowthInput input = containers(64_GiB);
  input.risk_permyriad = 10;
  input.headroom = 700_MiB;
  EXPECT_EQ(expected_growth(input).bytes, 700_MiB);
  input.headroom = 0_B;
  EXPECT_EQ(expected_growth(input).bytes, usual_growth(64_GiB, 0));
}

TEST(GrowthPrior, TheCeilingBindsLast) {
  GrowthInput input = containers(512_MiB);
  input.ceiling_permyriad = 100;
  EXPECT_EQ(expected_growth(input).bytes, scale(512_MiB, 1, 100));
}

double ratio(Bytes one, Bytes other) {
  return static_cast<double>(one.value()) / static_cast<double>(other.value());
}

// Half the weight: as many times the prior as what was learned is that many times larger than it.
TEST(ExpectedGrowth, TheRecordCountsByItsWeight) {
  GrowthInput input = containers(64_GiB);
  const Bytes prior = expected_growth(input).bytes;
  input.learned = LearnedGrowth{.node = scale(prior, 9, 4), .weight = 0.5};
  const Growth growth = expected_growth(input);
  EXPECT_NEAR(ratio(growth.bytes, prior), 1.5, 1e-6);
  EXPECT_EQ(growth.source, "prior and record of this node");
  EXPECT_NE(growth.reason.find("weight 50 %"), std::string::npos) << growth.reason;
  EXPECT_EQ(growth.prior, prior);
  EXPECT_EQ(growth.seen, scale(prior, 9, 4));

  input.learned = LearnedGrowth{.node = scale(prior, 4, 9), .weight = 0.5};
  EXPECT_NEAR(ratio(prior, expected_growth(input).bytes), 1.5, 1e-6);
}

TEST(ExpectedGrowth, AQuarterOfThePriorStays) {
  GrowthInput input = containers(64_GiB);
  input.learned = LearnedGrowth{.node = 1_MiB, .weight = 1};
  const Growth growth = expected_growth(input);
  EXPECT_EQ(growth.bytes, scale(growth.prior, 1, 4));
  EXPECT_EQ(growth.per_poll, growth.bytes);
}

// A VM that starts is most of what VMs rise by, and seldom meets what containers rise by.
TEST(ExpectedGrowth, WhatTheClassesRiseByIsToldAndNotAddedUp) {
  GrowthInput input = containers(64_GiB);
  input.vm_working_set = input.container_working_set;
  input.learned = LearnedGrowth{.node = 200_MiB, .containers = 1_GiB, .vms = 5_GiB, .weight = 1};
  const Growth growth = expected_growth(input);
  EXPECT_EQ(growth.bytes, 200_MiB);
  EXPECT_NE(growth.reason.find("VMs 5 GiB"), std::string::npos) << growth.reason;
}

TEST(ExpectedGrowth, TheCeilingHoldsForTheRecordToo) {
  GrowthInput input = containers(64_GiB);
  input.learned = LearnedGrowth{.node = 60_GiB, .weight = 1};
  EXPECT_EQ(expected_growth(input).bytes, scale(64_GiB, 1, 10));
}

TEST(ExpectedGrowth, ARecordOfNothingIsNone) {
  GrowthInput input = containers(64_GiB);
  input.learned = LearnedGrowth{.weight = 1};
  const Growth growth = expected_growth(input);
  EXPECT_EQ(growth.bytes, usual_growth(64_GiB, 0));
  EXPECT_NE(growth.reason.find("nothing is remembered"), std::string::npos) << growth.reason;
}

GrowthInput any_input() {
  GrowthInput input;
  input.capacity = Bytes{*rc::gen::inRange<std::int64_t>(1LL << 28, 1LL << 43)};
  input.vm_working_set = scale(input.capacity, *rc::gen::inRange(0, 100), 100);
  input.container_working_set = scale(input.capacity, *rc::gen::inRange(0, 100), 100);
  input.risk_permyriad = *rc::gen::inRange(1, 9901);
  input.ceiling_permyriad = *rc::gen::inRange(100, 5001);
  if (*rc::gen::arbitrary<bool>()) {
    input.headroom = Bytes{*rc::gen::inRange<std::int64_t>(0, 1LL << 42)};
  }
  if (*rc::gen::arbitrary<bool>()) {
    input.learned = LearnedGrowth{.node = Bytes{*rc::gen::inRange<std::int64_t>(0, 1LL << 42)},
                                  .weight = *rc::gen::inRange(0, 101) / 100.0};
  }
  return input;
}

RC_GTEST_PROP(GrowthPriorProperty, StaysWithinItsCeiling, ()) {
  const GrowthInput input = any_input();
  RC_ASSERT(expected_growth(input).bytes <= scale(input.capacity, input.ceiling_permyriad, 10'000));
}

RC_GTEST_PROP(GrowthPriorProperty, LessAcceptedRiskNeverGivesLess, ()) {
  GrowthInput bold = any_input();
  GrowthInput careful = bold;
  careful.risk_permyriad = *rc::gen::inRange(1, bold.risk_permyriad + 1);
  RC_ASSERT(expected_growth(careful).bytes >= expected_growth(bold).bytes);
}

// From where on the least grows with RAM.
RC_GTEST_PROP(GrowthPriorProperty, MoreRamOfTheSameMixNeverGivesLess, ()) {
  GrowthInput small = any_input();
  RC_PRE(small.capacity >= 16_GiB);
  small.learned.reset();
  small.headroom.reset();
  const int factor = *rc::gen::inRange(1, 9);
  GrowthInput large = small;
  large.capacity = scale(small.capacity, factor, 1);
  large.vm_working_set = scale(small.vm_working_set, factor, 1);
  large.container_working_set = scale(small.container_working_set, factor, 1);
  RC_ASSERT(expected_growth(large).bytes >= expected_growth(small).bytes);
}

}  // namespace
}  // namespace eviction::agent
