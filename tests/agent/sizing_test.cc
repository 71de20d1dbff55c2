// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/sizing.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

Growth growth_of(Bytes bytes) {
  return Growth{bytes, scale(bytes, 2, 3), "a test's", "prior"};
}

/// The 4 GiB machine on which thresholds were measured: K + R is about 235 MiB.
NeedInput measured_machine() {
  NeedInput input;
  input.capacity = Bytes{4007132LL << 10};
  input.reserve = 121_MiB;
  input.kernel = 114_MiB;
  input.growth = growth_of(265_MiB);
  return input;
}

// Measured there: with 100Mi and 300Mi the kernel killed first; 500Mi stopped a hog of 30 MiB/s.
TEST(Need, OfTheMeasuredMachineLiesWhereAThresholdWorked) {
  const Need need = compute_need(measured_machine());
  EXPECT_EQ(need.hard_effective, 121_MiB + 114_MiB + scale(265_MiB, 1, 2));
  EXPECT_GT(need.hard_effective, 300_MiB);
  EXPECT_GE(need.hard, 500_MiB);
  EXPECT_LE(need.hard, 528_MiB);
}

Bytes sum_of(const std::vector<Term>& terms) {
  Bytes sum;
  for (const Term& term : terms) {
    sum += term.bytes;
  }
  return sum;
}

TEST(Need, IsTheSumOfItsTermsAndAMultipleOfTheStep) {
  const Need need = compute_need(measured_machine());
  EXPECT_EQ(sum_of(need.terms), need.hard);
  EXPECT_EQ(sum_of(need.soft_terms), need.soft);
  EXPECT_EQ(need.hard, round_up(need.hard, need.step));
  EXPECT_EQ(need.soft, round_up(need.soft, need.step));
}

TEST(Need, ASoftThresholdHoldsOnePollMore) {
  const NeedInput input = measured_machine();
  const Need need = compute_need(input);
  EXPECT_GE(need.soft, need.hard + input.growth.per_poll - need.step);
}

TEST(Need, TakesTheSignalThatNeedsLess) {
  NeedInput input = measured_machine();
  input.kernel = 500_MiB;
  input.outside_peak = 900_MiB;
  input.reserved = 800_MiB;  // S - V = 100 MiB < K = 500 MiB
  const Need allocatable = compute_need(input);
  EXPECT_TRUE(allocatable.hard_by_allocatable);
  EXPECT_EQ(allocatable.hard, round_up(121_MiB + 100_MiB + 265_MiB, 16_MiB));
  EXPECT_EQ(allocatable.soft,
            compute_need([&] {
              NeedInput node = input;
              node.reserved.reset();
              return node;
            }())
                .soft)
      << "soft thresholds have no allocatable copy";

  input.reserved = 0_B;  // S - V = 900 MiB
  EXPECT_FALSE(compute_need(input).hard_by_allocatable);
}

TEST(Need, OverReservationIsNoCredit) {
  NeedInput input = measured_machine();
  input.outside_peak = 100_MiB;
  input.reserved = 10_GiB;
  EXPECT_EQ(compute_need(input).hard, round_up(121_MiB + 265_MiB, 16_MiB));
}

TEST(Need, HoldsForHugepagesWhatIsReservedForNobody) {
  NeedInput input = measured_machine();
  input.kernel = 3_GiB;
  input.hugepages = 2_GiB;
  EXPECT_EQ(compute_need(input).hugepages, 2_GiB);
  input.outside_peak = 3_GiB;
  input.reserved = 2_GiB + 512_MiB;
  EXPECT_EQ(compute_need(input).hugepages, 512_MiB);
  input.reserved = 4_GiB;
  EXPECT_EQ(compute_need(input).hugepages, 0_B);
}

/// 2 GiB are reserved and 500 MiB of them used: when the pods reach their limit, 1548 MiB are left
/// on the node, and the kernel kills in kubepods.
NeedInput reserving_machine() {
  NeedInput input = measured_machine();
  input.outside_peak = 500_MiB;
  input.reserved = 2_GiB;
  return input;
}

TEST(Need, ASoftThresholdIsMetBeforeThePodsReachTheirLimit) {
  const NeedInput input = reserving_machine();
  const Need need = compute_need(input);
  EXPECT_EQ(need.soft,
            round_up(1548_MiB + 114_MiB + input.growth.bytes + input.growth.per_poll, need.step));
  EXPECT_EQ(sum_of(need.soft_terms), need.soft);
  EXPECT_GT(need.soft_effective, 1548_MiB + 114_MiB);
  EXPECT_TRUE(need.hard_by_allocatable);
  EXPECT_EQ(need.hard, round_up(121_MiB + 265_MiB, 16_MiB));
}

TEST(Need, OfAHardThresholdWithoutTheAllocatableCopyIsThatOfTheNode) {
  NeedInput input = reserving_machine();
  input.allocatable_copy = false;
  const Need need = compute_need(input);
  EXPECT_FALSE(need.hard_by_allocatable);
  EXPECT_EQ(need.hard, round_up(1548_MiB + 114_MiB + 265_MiB, need.step));
  EXPECT_EQ(sum_of(need.terms), need.hard);
  input.reserved.reset();
  EXPECT_EQ(compute_need(input).hard, round_up(121_MiB + 114_MiB + 265_MiB, need.step));
}

TEST(Need, HoldsThePageTablesOfAFullNode) {
  NeedInput input = measured_machine();
  input.page_tables = 32_MiB;
  const Need need = compute_need(input);
  EXPECT_EQ(need.hard, compute_need(measured_machine()).hard + 32_MiB);
  EXPECT_EQ(sum_of(need.terms), need.hard);
  EXPECT_EQ(sum_of(need.soft_terms), need.soft);
}

// The old formula counts reclaimable slab as used: K is negative there.
TEST(Need, ANegativeKernelTermLowersIt) {
  NeedInput input = measured_machine();
  input.kernel = Bytes{} - 18_MiB;
  EXPECT_EQ(compute_need(input).hard, round_up(121_MiB - 18_MiB + 265_MiB, 16_MiB));
}

TEST(RoundingStep, GrowsWithTheNode) {
  EXPECT_EQ(rounding_step(4_GiB), 16_MiB);
  EXPECT_EQ(rounding_step(16_GiB), 16_MiB);
  EXPECT_EQ(rounding_step(128_GiB), 16_MiB);
  EXPECT_EQ(rounding_step(600_GiB), 64_MiB);
  EXPECT_EQ(rounding_step(1024_GiB), 128_MiB);
}

class SizeTest : public testing::Test {
 protected:
  SizeTest() : growth{growth_of(1_GiB)} {
    NeedInput input;
    input.capacity = 16_GiB;
    input.reserve = 200_MiB;
    input.kernel = 300_MiB;
    input.growth = growth;
    need = compute_need(input);
  }

  Growth growth;
  Need need;
  Bounds bounds{8_GiB, "memory requests", 8_GiB, {}, {}, {}};
};

TEST_F(SizeTest, AFreeNodeGetsTheFullNeedAsHard) {
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kHard);
  EXPECT_EQ(sizing.hard, need.hard);
  EXPECT_EQ(sizing.soft, std::nullopt);
  EXPECT_EQ(sizing.reclaim, 1_GiB);
  EXPECT_EQ(sizing.shortfall, 0_B);
}

TEST_F(SizeTest, AFullerNodeGetsTheLargestEffectiveHardValueAndSoftAboveIt) {
  bounds.hard = 1_GiB;
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kHardSoft);
  EXPECT_EQ(sizing.hard, 1_GiB);
  EXPECT_EQ(sizing.soft, need.soft);
  EXPECT_EQ(sizing.shortfall, need.hard - 1_GiB);
  EXPECT_THAT(sizing.reason, testing::HasSubstr("memory requests"));
}

TEST_F(SizeTest, AFullNodeGetsSoftAlone) {
  bounds.hard = 16_MiB;
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kSoft);
  EXPECT_EQ(sizing.hard, std::nullopt);
  EXPECT_EQ(sizing.soft, need.soft);
  EXPECT_EQ(sizing.need, need.soft);
  EXPECT_EQ(sizing.shortfall, need.hard - 16_MiB);
}

TEST_F(SizeTest, AnOvercommittedNodeIsToldAllThatIsMissing) {
  bounds.hard = Bytes{} - 4_GiB;
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kSoft);
  EXPECT_EQ(sizing.shortfall, need.hard + 4_GiB);
}

TEST_F(SizeTest, WhereSoftIsTakenToo_NoneAndWhatToFree) {
  bounds.hard = 16_MiB;
  bounds.no_soft = "somebody uses evictionSoft";
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kNone);
  EXPECT_EQ(sizing.hard, std::nullopt);
  EXPECT_EQ(sizing.soft, std::nullopt);
  EXPECT_EQ(sizing.reclaim, std::nullopt);
  EXPECT_THAT(sizing.reason, testing::HasSubstr("cannot protect"));
}

TEST_F(SizeTest, TheStaticMemoryManagerLeavesSoft) {
  bounds.no_hard = "memoryManagerPolicy Static";
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.instrument, Instrument::kSoft);
  EXPECT_THAT(sizing.reason, testing::HasSubstr("memoryManagerPolicy Static"));
}

TEST_F(SizeTest, ReclaimGivesWayBeforeTheThreshold) {
  bounds.headroom = need.hard + 200_MiB;
  const Sizing sizing = size(need, bounds, growth);
  EXPECT_EQ(sizing.hard, need.hard);
  EXPECT_EQ(sizing.reclaim, round_down(200_MiB, need.step));
  bounds.headroom = need.hard;
  EXPECT_EQ(size(need, bounds, growth).reclaim, std::nullopt);
}

// Threshold and reclaim hold on the pods' limit, too: what they never leave free would be evicted.
TEST_F(SizeTest, ReclaimFitsBesideAHardThresholdBelowThePodsLimit) {
  bounds.kubepods_room = need.hard + 300_MiB;
  EXPECT_EQ(size(need, bounds, growth).reclaim, 256_MiB);
  bounds.kubepods_room = need.hard;
  EXPECT_EQ(size(need, bounds, growth).reclaim, std::nullopt);
  bounds.no_hard = "none";
  EXPECT_EQ(size(need, bounds, growth).reclaim, 1_GiB) << "a soft one has no copy there";
}

struct Case {
  NeedInput input;
  Bounds bounds;
};

Bytes any_bytes(std::int64_t low, std::int64_t high) {
  return Bytes{*rc::gen::inRange(low, high)};
}

Case any_case() {
  Case any;
  const Bytes capacity = any_bytes(1LL << 30, 1LL << 42);
  const std::int64_t part = capacity.value() / 8;
  any.input.capacity = capacity;
  any.input.reserve = any_bytes(0, part);
  any.input.kernel = any_bytes(-part, part);
  any.input.page_tables = any_bytes(0, part);
  any.input.active_file_low = any_bytes(0, part);
  any.input.growth = growth_of(any_bytes(1, part));
  if (*rc::gen::arbitrary<bool>()) {
    any.input.outside_peak = any_bytes(0, part);
    any.input.reserved = any_bytes(0, part);
  }
  if (*rc::gen::arbitrary<bool>()) {
    any.bounds.hard = any_bytes(-part, capacity.value());
    any.bounds.hard_holder = "memory requests";
  }
  if (*rc::gen::arbitrary<bool>()) {
    any.bounds.headroom = any_bytes(-part, capacity.value());
  }
  return any;
}

RC_GTEST_PROP(SizeProperty, NothingIsWrittenThatCouldNotFireInTime, ()) {
  const Case any = any_case();
  const Need need = compute_need(any.input);
  const Sizing sizing = size(need, any.bounds, any.input.growth);
  RC_ASSERT(!sizing.hard || *sizing.hard >= need.hard_effective);
  RC_ASSERT(!sizing.soft || *sizing.soft >= need.soft_effective);
}

RC_GTEST_PROP(SizeProperty, NothingPassesItsBounds, ()) {
  const Case any = any_case();
  const Sizing sizing = size(compute_need(any.input), any.bounds, any.input.growth);
  if (sizing.hard && any.bounds.hard) {
    RC_ASSERT(*sizing.hard <= *any.bounds.hard);
  }
  if (any.bounds.headroom && sizing.instrument != Instrument::kNone) {
    const Bytes threshold = std::max(sizing.hard.value_or(Bytes{}), sizing.soft.value_or(Bytes{}));
    RC_ASSERT(threshold + sizing.reclaim.value_or(Bytes{}) <= *any.bounds.headroom);
  }
}

RC_GTEST_PROP(SizeProperty, TheInstrumentSaysWhichValuesThereAre, ()) {
  const Case any = any_case();
  const Sizing sizing = size(compute_need(any.input), any.bounds, any.input.growth);
  const bool hard =
      sizing.instrument == Instrument::kHard || sizing.instrument == Instrument::kHardSoft;
  const bool soft =
      sizing.instrument == Instrument::kSoft || sizing.instrument == Instrument::kHardSoft;
  RC_ASSERT(hard == sizing.hard.has_value());
  RC_ASSERT(soft == sizing.soft.has_value());
  RC_ASSERT(!(hard && soft) || *sizing.soft > *sizing.hard);
  RC_ASSERT(!sizing.reason.empty());
}

RC_GTEST_PROP(SizeProperty, MoreOfAnyTermNeverNeedsLess, ()) {
  const Case any = any_case();
  NeedInput more = any.input;
  more.reserve += any_bytes(0, 1LL << 30);
  more.page_tables += any_bytes(0, 1LL << 30);
  more.kernel += any_bytes(0, 1LL << 30);
  more.growth.bytes += any_bytes(0, 1LL << 30);
  RC_ASSERT(compute_need(more).hard >= compute_need(any.input).hard);
}

}  // namespace
}  // namespace eviction::agent
