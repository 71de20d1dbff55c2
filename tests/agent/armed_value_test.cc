// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/observation.h"
#include "agent/policy/decide.h"
#include "tests/agent/decided_node.h"
#include "tests/agent/observed_node.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using config::Mode;
using std::chrono::hours;
using testing::HasSubstr;
using tests::all_well;
using tests::full_hard;
using tests::node;
using tests::plan_of;
using tests::with_file;
using tests::with_room;

TEST(ArmedValue, IsWhatTheFileHasOrNearlySo) {
  const Bytes hard = full_hard();
  EXPECT_FALSE(is_armed(plan_of(node())));
  EXPECT_TRUE(is_armed(plan_of(with_file(node(), {.hard = hard}))));
  EXPECT_TRUE(is_armed(plan_of(with_file(node(), {.hard = hard - 64_MiB}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(node(), {.hard = Bytes{hard.value() / 10 * 9}}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(node(), {.soft = hard})))) << "another instrument";
}

TEST(ArmedValue, UpToSixtyFourMebibytesAreNotWorthARestart) {
  const Observation small = tests::observed("k3s-32g");
  const Plan plan = plan_of(small);
  const Bytes hard = *plan.sizing.hard;
  EXPECT_FALSE(is_armed(plan_of(with_file(node(), {.hard = full_hard() - 80_MiB}))));
  EXPECT_TRUE(is_armed(plan_of(with_file(small, {.hard = hard + 32_MiB}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(small, {.hard = hard + 48_MiB})))) << "a day later";

  const Bytes least = plan.sizing.hard_effective;
  ASSERT_GT(least, hard - 64_MiB) << "or it is not what this is about";
  EXPECT_TRUE(is_armed(plan_of(with_file(small, {.hard = least}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(small, {.hard = least - 1_MiB}))))
      << "with less the kernel may kill first";
}

TEST(ArmedValue, OnALargeNodeAFortiethIsNotWorthARestart) {
  const Observation large = tests::observed("vm-2t");
  const Bytes hard = *plan_of(large).sizing.hard;
  const Bytes fortieth{hard.value() / 40};
  EXPECT_TRUE(is_armed(plan_of(with_file(large, {.hard = hard - fortieth}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(large, {.hard = hard - fortieth - 1_MiB}))));
}

TEST(ArmedValue, IsRaisedAtOnceAndLoweredAfterADay) {
  const Observation low = with_file(node(), {.hard = Bytes{full_hard().value() / 2}});
  EXPECT_EQ(decide(plan_of(low), {.mode = Mode::kEnforce}).act, Act::kApply);
  EXPECT_FALSE(asks_for_less(plan_of(low)));
  const Observation high = with_file(node(), {.hard = full_hard() + full_hard()});
  ASSERT_TRUE(asks_for_less(plan_of(high)));
  EXPECT_EQ(decide(plan_of(high), {.mode = Mode::kEnforce, .lower_for = hours{23}}).act,
            Act::kNothing);
  EXPECT_EQ(decide(plan_of(high), {.mode = Mode::kEnforce, .lower_for = hours{24}}).act,
            Act::kApply);
}

// 24 h of which the first two asked for most.
TEST(ArmedValue, IsLoweredOnlyToWhatTheWholeDayAskedFor) {
  const Observation high = with_file(node(), {.hard = full_hard() + full_hard()});
  Observation busy = high;
  busy.meminfo->mem_free = busy.meminfo->mem_free - 400_MiB;  // the kernel holds it
  const Plan by_day = plan_of(busy);
  const Plan by_night = plan_of(high);
  ASSERT_GT(*by_day.sizing.hard, *by_night.sizing.hard + 200_MiB);
  ASSERT_TRUE(asks_for_less(by_day));
  LowerWatch watch;
  Situation situation{.mode = Mode::kEnforce};
  for (int hour = 0; hour <= 24; ++hour) {
    watch.tell(hour < 2 ? by_day : by_night, hours{hour}, situation);
    EXPECT_EQ(decide(by_night, situation).act, Act::kNothing) << hour;
  }
  watch.tell(by_night, hours{47}, situation);
  EXPECT_EQ(decide(by_night, situation).act, Act::kNothing);
  watch.tell(by_night, hours{48}, situation);
  EXPECT_EQ(decide(by_night, situation).act, Act::kApply);
}

// It is there for the low: while it evicts, nothing is to be made of its firing.
TEST(ArmedValue, ThatMemoryWentBelowStays) {
  Circumstances low = all_well();
  low.available_low = full_hard() - 50_MiB;
  const Plan plan = plan_of(with_file(node(), {.hard = full_hard()}), low);
  EXPECT_EQ(plan.sizing.hard, full_hard());
  EXPECT_TRUE(is_armed(plan));
  EXPECT_FALSE(asks_for_less(plan));
  EXPECT_EQ(outcome(plan), PlanOutcome::kApplicable);
  EXPECT_NE(plan_of(node(), low).sizing.hard, full_hard()) << "a new one must not fire at once";

  const Bytes soft = full_hard() + 500_MiB;
  const Plan both = plan_of(with_file(with_room(node(), 100_MiB), {.soft = soft}), low);
  EXPECT_EQ(both.sizing.instrument, Instrument::kSoft);
  EXPECT_GT(both.sizing.soft.value_or(Bytes{}), *low.available_low);
}

// Where VMs come and go by the hour, the same need is carried by one instrument or by two.
TEST(ArmedValue, AnotherInstrumentThatProtectsNoMoreWaitsForADay) {
  const Plan plan = plan_of(node());
  const Bytes poll = plan.sizing.growth->per_poll;
  const Bytes half{full_hard().value() / 2};
  const Observation both = with_file(node(), {.hard = half, .soft = full_hard() + poll});
  ASSERT_FALSE(is_armed(plan_of(both)));
  EXPECT_TRUE(asks_for_less(plan_of(both)));
  const Observation late = with_file(node(), {.hard = half, .soft = full_hard()});
  EXPECT_FALSE(asks_for_less(plan_of(late))) << "it kills one poll later";
  Observation others = both;
  others.kubelet->without_file.eviction_max_pod_grace_period = {"30", "/etc/kubelet.conf"};
  EXPECT_FALSE(asks_for_less(plan_of(others)));
}

// With it a kubelet starts only with reserved memory that counts the hard threshold.
TEST(ArmedValue, HardIsReplacedAtOnceWhenTheMemoryManagerBecomesStatic) {
  Observation seen = with_file(node(), {.hard = full_hard() + full_hard()});
  ASSERT_TRUE(asks_for_less(plan_of(seen)));
  seen.kubelet->loaded.settings.memory_manager_policy = {"Static", "/etc/kubelet.conf"};
  ASSERT_EQ(plan_of(seen).sizing.instrument, Instrument::kSoft);
  EXPECT_FALSE(asks_for_less(plan_of(seen)));
}

/// A kubelet with the Static memory manager, our 1 GiB in force, and this much in reservedMemory.
Observation with_static_memory_manager(const std::string& reserved_memory) {
  Observation seen = with_file(node(), {.hard = 1_GiB});
  config::KubeletSettings& settings = seen.kubelet->loaded.settings;
  settings.memory_manager_policy = {"Static", "/etc/kubelet.conf"};
  settings.kube_reserved.reset();
  settings.system_reserved = {{"memory", {"1Gi", "/etc/kubelet.conf"}}};
  settings.reserved_memory = {{"0", {reserved_memory, "/etc/kubelet.conf"}}};
  seen.kubelet->without_file = settings;
  settings.eviction_hard = {{"memory.available", {"1Gi", seen.kubelet->file}}};
  return seen;
}

// Reserved memory that counts our hard threshold is too much without it, and the kubelet would
// exit.
TEST(ArmedValue, ThatTheStaticMemoryManagerCountsIsNotReplaced) {
  EXPECT_EQ(decide(plan_of(with_static_memory_manager("1Gi")), {.mode = Mode::kEnforce}).act,
            Act::kApply);
  const Plan counted = plan_of(with_static_memory_manager("2Gi"));
  EXPECT_EQ(decide(counted, {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_THAT(counted.sizing.reason, HasSubstr("would not start"));
}

TEST(ArmedValue, ThatTheStaticMemoryManagerCountsIsNotWithdrawn) {
  Observation seen = with_room(with_static_memory_manager("2Gi"), 512_MiB);
  const Decision decision = decide(plan_of(seen), {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kNothing);
  EXPECT_THAT(decision.reason, HasSubstr("it stays, as without it the kubelet would not start"));
  EXPECT_FALSE(unsafe_alone(plan_of(seen)));
  // The same by the kubelet's arguments.
  Kubelet& kubelet = *seen.kubelet;
  kubelet.target = Target::kRke2Args;
  kubelet.file_content = config::render_kubelet_args({.hard = 1_GiB}, {});
  kubelet.loaded.settings.eviction_hard = {{"memory.available", {"1Gi", "--eviction-hard"}}};
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_FALSE(unsafe_alone(plan_of(seen)));
  kubelet.loaded.settings.memory_manager_policy.reset();
  kubelet.without_file.memory_manager_policy.reset();
  EXPECT_NE(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_TRUE(unsafe_alone(plan_of(seen)));
}

// RKE2 up to 1.31: our flag comes after an administrator's and would keep his from being in force.
TEST(ArmedValue, WhatItRestatesIsWrittenAnewAfterADay) {
  Observation seen = node();
  Kubelet& kubelet = *seen.kubelet;
  kubelet.target = Target::kRke2Args;
  kubelet.without_file.eviction_hard = {{"nodefs.available", {"5%", "--eviction-hard"}}};
  kubelet.without_file.eviction_minimum_reclaim.reset();
  kubelet.file_content = plan_of(seen).file_content;
  ASSERT_THAT(*kubelet.file_content, testing::HasSubstr("nodefs.available<5%,memory.available<"));
  kubelet.loaded.settings.eviction_hard = {{"nodefs.available", {"5%", "--eviction-hard"}},
                                           {"memory.available", {"1Gi", "--eviction-hard"}}};
  ASSERT_TRUE(is_armed(plan_of(seen)));

  kubelet.without_file.eviction_hard->at("nodefs.available").value = "20%";
  const Plan plan = plan_of(seen);
  EXPECT_FALSE(is_armed(plan));
  EXPECT_TRUE(asks_for_less(plan)) << "the value itself needs no restart now";
  const Situation early{.mode = Mode::kEnforce, .lower_for = kSlowToLower / 2};
  EXPECT_EQ(decide(plan, early).act, Act::kNothing);
  Plan allowed = plan;
  allowed.restart_forbidden.clear();
  const Decision decision = decide(allowed, {.mode = Mode::kEnforce, .lower_for = kSlowToLower});
  EXPECT_EQ(decision.act, Act::kApply);
  EXPECT_THAT(decision.content, testing::HasSubstr("nodefs.available<20%,memory.available<"));

  kubelet.without_file.eviction_hard->clear();
  EXPECT_FALSE(is_armed(plan_of(seen))) << "nobody sets it any more";
}

/// The kubelet runs with this value, whose file the agent has taken away.
Observation withdrawn(Bytes hard) {
  Observation seen = node();
  seen.kubelet->committed = config::render_drop_in({.hard = hard});
  seen.kubelet->proven = true;
  seen.kubelet->withdrawn = true;
  return seen;
}

TEST(ArmedValue, WithdrawnComesBackWithoutARestart) {
  const Observation seen = withdrawn(full_hard() + 32_MiB);
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    const Decision decision = decide(plan_of(seen), {.mode = mode});
    EXPECT_EQ(decision.act, Act::kRestore) << decision.reason;
    EXPECT_EQ(decision.content, seen.kubelet->committed) << "not the plan's own";
  }
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kObserve}).act, Act::kNothing);
  Circumstances circumstances = all_well();
  circumstances.restart_refused = "quarantined";
  EXPECT_EQ(decide(plan_of(seen, circumstances), {.mode = Mode::kEnforce}).act, Act::kRestore);
}

// A VM started, for which the file was made smaller, and ended.
TEST(ArmedValue, ShrunkComesBackWithoutARestart) {
  Observation seen = withdrawn(full_hard());
  seen.kubelet->withdrawn = false;
  seen.kubelet->file_content = config::render_drop_in({.hard = full_hard() - 200_MiB});
  const Decision decision = decide(plan_of(seen), {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kRestore) << decision.reason;
  EXPECT_EQ(decision.content, seen.kubelet->committed);
  seen.kubelet->proven = false;
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kApply)
      << "this run of the kubelet may have another value";
  seen.kubelet->proven = true;
  seen.kubelet->committed = config::render_drop_in({.hard = full_hard() - 300_MiB});
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kApply) << "it was less";
}

TEST(ArmedValue, WithdrawnStaysAwayWhereAnyDoubtIs) {
  const Observation good = withdrawn(full_hard());
  const auto restores = [](const Observation& seen) {
    return decide(plan_of(seen), {.mode = Mode::kEnforce}).act == Act::kRestore;
  };
  ASSERT_TRUE(restores(good));

  Observation restarted = good;
  restarted.kubelet->proven = false;
  EXPECT_FALSE(restores(restarted)) << "this run of the kubelet may have another value";
  Observation by_hand = good;
  by_hand.kubelet->withdrawn = false;
  EXPECT_FALSE(restores(by_hand)) << "somebody removed the file";
  Observation others = good;
  others.kubelet->file_content = "kind: KubeletConfiguration\n";
  EXPECT_FALSE(restores(others)) << "there is a file";
  Observation illegible = good;
  illegible.kubelet->committed = "kind: KubeletConfiguration\n";
  EXPECT_FALSE(restores(illegible));
  EXPECT_FALSE(restores(withdrawn(Bytes{full_hard().value() / 2}))) << "the plan asks for another";
  EXPECT_FALSE(restores(with_room(good, full_hard() - 1_GiB))) << "a pod would be rejected";
  EXPECT_FALSE(restores(with_room(withdrawn(full_hard() + 64_MiB), full_hard())))
      << "the plan's fits, this one does not";
  Observation foreign = good;
  foreign.kubelet->without_file.eviction_hard.emplace()["memory.available"] = {"1Gi", "--x"};
  EXPECT_FALSE(restores(foreign)) << "guard foreign-value";
  Observation unknown = good;
  unknown.pods.front().request.reset();
  EXPECT_FALSE(restores(unknown)) << "whether pods fit is not known";
}

}  // namespace
}  // namespace eviction::agent
