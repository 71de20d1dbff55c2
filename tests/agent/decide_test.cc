// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/decide.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agent/observation.h"
#include "tests/agent/observed_node.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using config::Mode;
using std::chrono::hours;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;

const Observation& node() {
  static const Observation seen = tests::observed("mixed-128g");
  return seen;
}

Circumstances all_well() {
  Circumstances circumstances;
  circumstances.runtime_silence = "";
  return circumstances;
}

Plan plan_of(const Observation& seen, const Circumstances& circumstances = all_well()) {
  return make_plan(seen, {}, circumstances);
}

/// The observation with this file of ours in place.
Observation with_file(Observation seen, const config::MemoryEviction& eviction) {
  seen.kubelet->file_content = config::render_drop_in(eviction);
  return seen;
}

/// Requests that leave so much of the node.
Observation with_room(Observation seen, Bytes room) {
  Bytes others;
  for (const Pod& pod : seen.pods) {
    others += pod.request->high;
  }
  const Bytes request = seen.pods.front().request->high + seen.meminfo->mem_total - room - others;
  seen.pods.front().request = MemoryRequest{request, request, RequestSource::kCheckpoint};
  return seen;
}

Bytes full_hard() {
  return *plan_of(node()).sizing.hard;
}

// To a kubelet before 1.27 slab is used memory, which makes its signal fire early, until the kernel
// has reclaimed the slab.
TEST(Plan, ReclaimableSlabTakesNothingOffTheThresholdOfAnOldKubelet) {
  Observation seen = node();
  seen.kubelet->version = config::KubeletVersion{1, 26, 5, {}};
  seen.meminfo->kreclaimable = 16_GiB;
  const Plan plan = plan_of(seen);
  ASSERT_LT(*plan.memory.kernel, Bytes{});
  EXPECT_GE(*plan.sizing.need, plan.sizing.growth->bytes + *plan.memory.reserve);
}

TEST(Decide, ObserveNeverActs) {
  const Observation unsafe = with_room(with_file(node(), {.hard = 9_GiB}), 1_GiB);
  EXPECT_EQ(decide(plan_of(unsafe), {.mode = Mode::kObserve}).act, Act::kNothing);
}

TEST(Decide, StageKeepsTheValueBesideItsFile) {
  const Plan plan = plan_of(node());
  const Decision decision = decide(plan, {.mode = Mode::kStage});
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_EQ(decision.content, plan.file_content);
  EXPECT_EQ(decide(plan, {.mode = Mode::kStage, .staged = plan.file_content}).act, Act::kNothing);
}

TEST(Decide, AStagedValueThatAGuardRefusesIsRemoved) {
  Observation seen = node();
  seen.kubelet->loaded.settings.eviction_hard.emplace()["memory.available"] = {"1Gi",
                                                                               "--eviction-hard"};
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    EXPECT_EQ(decide(plan_of(seen), {.mode = mode, .staged = "old"}).act, Act::kUnstage);
    EXPECT_EQ(decide(plan_of(seen), {.mode = mode}).act, Act::kNothing);
  }
}

TEST(Decide, EnforceAppliesWhenEveryGuardHolds) {
  const Plan plan = plan_of(node());
  const Decision decision = decide(plan, {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kApply) << decision.reason;
  EXPECT_EQ(decision.content, plan.file_content);
}

TEST(Decide, EnforceStagesWhatAGuardCannotKnow) {
  Circumstances circumstances = all_well();
  circumstances.runtime_silence.reset();
  const Decision decision = decide(plan_of(node(), circumstances), {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_THAT(decision.reason, HasSubstr("settled"));
}

TEST(Decide, TheSameValueAgainIsNothingToDo) {
  const Plan first = plan_of(node());
  const Observation applied =
      with_file(node(), {first.sizing.hard, first.sizing.soft, first.sizing.reclaim});
  EXPECT_EQ(decide(plan_of(applied), {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_EQ(decide(plan_of(applied), {.mode = Mode::kEnforce, .staged = "x"}).act, Act::kUnstage);
  const Bytes near = *first.sizing.hard + 32_MiB;
  EXPECT_EQ(decide(plan_of(with_file(node(), {.hard = near})), {.mode = Mode::kEnforce}).act,
            Act::kNothing);
}

TEST(Decide, AValueIsArmedWhenTheFileHasItOrNearlySo) {
  const Bytes hard = full_hard();
  EXPECT_FALSE(is_armed(plan_of(node())));
  EXPECT_TRUE(is_armed(plan_of(with_file(node(), {.hard = hard}))));
  EXPECT_TRUE(is_armed(plan_of(with_file(node(), {.hard = hard - 64_MiB}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(node(), {.hard = Bytes{hard.value() / 10 * 9}}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(node(), {.soft = hard})))) << "another instrument";
}

TEST(Decide, UpToSixtyFourMebibytesAreNotWorthARestart) {
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

TEST(Decide, OnALargeNodeAFortiethIsNotWorthARestart) {
  const Observation large = tests::observed("vm-2t");
  const Bytes hard = *plan_of(large).sizing.hard;
  const Bytes fortieth{hard.value() / 40};
  EXPECT_TRUE(is_armed(plan_of(with_file(large, {.hard = hard - fortieth}))));
  EXPECT_FALSE(is_armed(plan_of(with_file(large, {.hard = hard - fortieth - 1_MiB}))));
}

TEST(Decide, RaisesAtOnceAndLowersAfterADay) {
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
TEST(Decide, LowersOnlyToWhatTheWholeDayAskedFor) {
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
TEST(Decide, AnArmedValueThatMemoryWentBelowStays) {
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
TEST(Decide, AnotherInstrumentThatProtectsNoMoreWaitsForADay) {
  const Plan plan = plan_of(node());
  const Bytes poll = plan.sizing.growth->per_poll;
  const Bytes half{full_hard().value() / 2};
  const Observation both = with_file(node(), {.hard = half, .soft = full_hard() + poll});
  ASSERT_FALSE(is_armed(plan_of(both)));
  EXPECT_TRUE(asks_for_less(plan_of(both)));
  const Observation late = with_file(node(), {.hard = half, .soft = full_hard()});
  EXPECT_FALSE(asks_for_less(plan_of(late))) << "it kills one poll later";
  Observation others = both;
  others.kubelet->loaded.settings.eviction_max_pod_grace_period = {"30", "/etc/kubelet.conf"};
  EXPECT_FALSE(asks_for_less(plan_of(others)));
}

// With it a kubelet starts only with reserved memory that counts the hard threshold.
TEST(Decide, AHardValueIsReplacedAtOnceWhenTheMemoryManagerBecomesStatic) {
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
  settings.eviction_hard = {{"memory.available", {"1Gi", seen.kubelet->file}}};
  settings.reserved_memory = {{"0", {reserved_memory, "/etc/kubelet.conf"}}};
  return seen;
}

// Reserved memory that counts our hard threshold is too much without it, and the kubelet would
// exit.
TEST(Decide, AHardValueThatTheStaticMemoryManagerCountsIsNotReplaced) {
  EXPECT_EQ(decide(plan_of(with_static_memory_manager("1Gi")), {.mode = Mode::kEnforce}).act,
            Act::kApply);
  const Plan counted = plan_of(with_static_memory_manager("2Gi"));
  EXPECT_EQ(decide(counted, {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_THAT(counted.sizing.reason, HasSubstr("would not start"));
}

TEST(Decide, AHardValueThatTheStaticMemoryManagerCountsIsNotWithdrawn) {
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
  EXPECT_NE(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kNothing);
  EXPECT_TRUE(unsafe_alone(plan_of(seen)));
}

// Measured: a hard value above what the requests leave killed a running VM at the next kubelet
// start.
TEST(Decide, AHardValueThatWouldRejectPodsIsShrunkOrWithdrawn) {
  const Bytes hard = full_hard();
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    const Observation tight = with_room(with_file(node(), {.hard = hard}), hard - 1_GiB);
    const Decision shrunk = decide(plan_of(tight), {.mode = mode});
    EXPECT_EQ(shrunk.act, Act::kShrink) << shrunk.reason;
    const auto content = config::parse_own_file(shrunk.content, "f");
    ASSERT_TRUE(content);
    EXPECT_LE(content->hard.value_or(Bytes{}), hard - 1_GiB);
    Observation unknown = tight;
    unknown.kubelet->loaded.settings.eviction_soft.emplace()["memory.available"] = {"1Gi", "--x"};
    unknown.kubelet->loaded.settings.eviction_hard.emplace()["memory.available"] = {"1Gi", "--x"};
    EXPECT_EQ(decide(plan_of(unknown), {.mode = mode}).act, Act::kWithdraw);
  }
}

// An estimate from oom_score_adj may be gigabytes above what a pod asks for.
TEST(Decide, AValueInForceIsNotTakenAwayOnTheUpperEndOfAnEstimate) {
  const Bytes hard = full_hard();
  Observation seen = with_room(with_file(node(), {.hard = hard}), hard - 1_GiB);
  MemoryRequest& request = *seen.pods.front().request;
  request.source = RequestSource::kEstimate;
  request.low = request.high - 2_GiB;
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    EXPECT_EQ(decide(plan_of(seen), {.mode = mode}).act, Act::kStage);
  }
  request.low = request.high - 512_MiB;
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kShrink)
      << "not even the lower end fits";
}

TEST(Decide, StagesWhereTheConfigurationAllowsNoRestart) {
  const Decision decision =
      decide(plan_of(node()), {.mode = Mode::kEnforce, .restart_forbidden = "restart-unit is no"});
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_THAT(decision.reason, HasSubstr("restart-unit is no"));
}

TEST(Decide, AHardValueIsLeftAloneOnlyWithRoomForOneMoreLargePod) {
  Bytes largest;
  for (const Pod& pod : node().pods) {
    largest = std::max(largest, pod.request->high);
  }
  const Bytes hard = 1_GiB;
  const Observation armed_node = with_file(node(), {.hard = hard});
  // The pod that with_room() makes larger becomes the largest.
  EXPECT_FALSE(unsafe_alone(plan_of(node())));
  EXPECT_FALSE(unsafe_alone(plan_of(armed_node))) << "half of the node is free";
  const auto reason = unsafe_alone(plan_of(with_room(armed_node, hard + largest)));
  ASSERT_TRUE(reason) << "a step is missing, at least";
  EXPECT_THAT(*reason, HasSubstr("the largest request"));
}

TEST(Decide, AHardValueIsNotLeftAloneWhileRequestsAreUnknown) {
  Observation seen = with_file(node(), {.hard = 1_GiB});
  seen.pods.front().request.reset();
  const auto reason = unsafe_alone(plan_of(seen));
  ASSERT_TRUE(reason);
  EXPECT_THAT(*reason, HasSubstr("requests of 1 of "));
  seen.pods_known = false;
  EXPECT_TRUE(unsafe_alone(plan_of(seen)));
  seen.meminfo.reset();
  EXPECT_TRUE(unsafe_alone(plan_of(seen)));
  EXPECT_FALSE(unsafe_alone(plan_of(with_file(seen, {.soft = 1_GiB})))) << "it rejects nobody";
  seen.kubelet->file_content.reset();
  EXPECT_FALSE(unsafe_alone(plan_of(seen))) << "nothing is left";
}

TEST(Decide, ProtectsPodsAlsoUnderPressureAndInQuarantine) {
  Circumstances circumstances = all_well();
  circumstances.restart_refused = "quarantined";
  circumstances.runtime_silence = "silent";
  Observation tight = with_room(with_file(node(), {.hard = full_hard()}), full_hard() - 1_GiB);
  tight.pressure->some.avg10 = 9000;
  EXPECT_EQ(decide(plan_of(tight, circumstances), {.mode = Mode::kEnforce}).act, Act::kShrink);
}

/// The kubelet runs with this value, whose file the agent has taken away.
Observation withdrawn(Bytes hard) {
  Observation seen = node();
  seen.kubelet->committed = config::render_drop_in({.hard = hard});
  seen.kubelet->proven = true;
  seen.kubelet->withdrawn = true;
  return seen;
}

TEST(Decide, AWithdrawnValueComesBackWithoutARestart) {
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
TEST(Decide, AShrunkValueComesBackWithoutARestart) {
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

TEST(Decide, AWithdrawnValueStaysAwayWhereAnyDoubtIs) {
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
  foreign.kubelet->loaded.settings.eviction_hard.emplace()["memory.available"] = {"1Gi", "--x"};
  EXPECT_FALSE(restores(foreign)) << "guard foreign-value";
  Observation unknown = good;
  unknown.pods.front().request.reset();
  EXPECT_FALSE(restores(unknown)) << "whether pods fit is not known";
}

// Checked with the kubelet's own rules before it touches the disk.
TEST(Decide, AValueThatTheKubeletWouldNotStartWithIsNotWritten) {
  Observation seen = node();
  seen.kubelet->loaded.settings.eviction_minimum_reclaim.emplace()["nodefs.available"] = {
      "ten", "/etc/kubelet.conf"};
  const Plan plan = plan_of(seen);
  EXPECT_EQ(plan.file_content, "");
  EXPECT_THAT(plan.sizing.reason, HasSubstr("the kubelet would not start with this value"));
  EXPECT_EQ(decide(plan, {.mode = Mode::kEnforce}).act, Act::kNothing);
}

TEST(Decide, NothingIsAppliedBesideAFileThatTheKubeletRefuses) {
  Observation seen = node();
  seen.kubelet->loaded.errors = {"/etc/kubelet.conf.d/70-admin.conf: it is empty"};
  const Plan plan = plan_of(seen);
  EXPECT_EQ(outcome(plan), PlanOutcome::kRefused);
  const Decision decision = decide(plan, {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kNothing);
  EXPECT_THAT(decision.reason, HasSubstr("70-admin.conf"));
}

TEST(Decide, ASoftValueWhoseGraceAFlagReplacesIsNotApplied) {
  Observation seen = with_room(node(), 512_MiB);
  ASSERT_EQ(plan_of(seen).sizing.instrument, Instrument::kSoft);
  seen.kubelet->arguments.emplace_back("--eviction-soft-grace-period=nodefs.available=5m");
  EXPECT_EQ(outcome(plan_of(seen)), PlanOutcome::kRefused);
}

TEST(Decide, NothingIsDoneWithoutATarget) {
  Observation seen = node();
  seen.kubelet->target = Target::kNone;
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kNothing);
  seen.kubelet.reset();
  EXPECT_EQ(decide(plan_of(seen), {.mode = Mode::kEnforce}).act, Act::kNothing);
}

TEST(Plan, ASoftThresholdLeavesTheHardOneThatOthersSet) {
  Observation seen = with_room(node(), 512_MiB);
  config::Setting& hard = seen.kubelet->loaded.settings.eviction_hard.emplace()["memory.available"];
  for (const char* source : {config::kKubeletDefault, "/etc/kubelet.conf"}) {
    hard = {"100Mi", source};
    const Plan plan = plan_of(seen);
    ASSERT_EQ(plan.sizing.instrument, Instrument::kSoft);
    EXPECT_EQ(plan.allocatable_after, plan.allocatable_now) << source;
  }
  hard.source = seen.kubelet->file;
  const Plan plan = plan_of(with_file(seen, {.hard = 100_MiB}));
  ASSERT_EQ(plan.sizing.instrument, Instrument::kSoft);
  EXPECT_EQ(*plan.allocatable_after, *plan.allocatable_now + 100_MiB) << "our file is replaced";
}

/// A node that changes from hour to hour, and an agent that does what it decides.
class Life {
 public:
  explicit Life(config::AgentConfig config) : config_{std::move(config)} {}

  void step(seconds passed, Bytes room, int stalled, bool fails) {
    now_ += passed;
    seen_ = with_room(seen_, room);
    seen_.pressure->some.avg10 = stalled;
    const Decision decision = look();
    act(decision, fails);
    const Decision again = look();
    // The same observation again: nothing more is to be done, but for a try that failed.
    const bool settled = again.act == Act::kNothing || (again.act == Act::kUnstage) ||
                         (again.act == Act::kStage && decision.act != Act::kStage);
    RC_ASSERT(settled || (fails && decision.act == Act::kApply));
    if (staged_) {
      RC_ASSERT(std::ranges::none_of(last_.guards, [](const Guard& g) { return g.ok == false; }) ||
                again.act == Act::kUnstage);
    }
    RC_ASSERT(restarts_within_a_day(record_, now_) <= config_.restarts_per_day);
  }

 private:
  Decision look() {
    Circumstances circumstances = all_well();
    circumstances.restarts_today = restarts_within_a_day(record_, now_);
    circumstances.restart_refused = restart_refused(record_, now_);
    last_ = make_plan(seen_, config_, circumstances);
    Situation situation{.mode = config_.mode, .staged = staged_};
    lower_watch_.tell(last_, now_.time_since_epoch(), situation);
    return decide(last_, situation);
  }

  void act(const Decision& decision, bool fails) {
    switch (decision.act) {
      case Act::kNothing:
        break;
      case Act::kStage:
        staged_ = decision.content;
        break;
      case Act::kUnstage:
        staged_.reset();
        break;
      case Act::kApply:
        count_restart(record_, now_);
        if (fails) {
          count_failure(record_, now_, "it did not work");
        } else {
          seen_.kubelet->file_content = decision.content;
          record_.failures = 0;
        }
        break;
      case Act::kShrink:
      case Act::kRestore:
        seen_.kubelet->file_content = decision.content;
        break;
      case Act::kWithdraw:
        seen_.kubelet->file_content.reset();
        break;
    }
  }

  config::AgentConfig config_;
  Observation seen_ = node();
  sys_seconds now_{seconds{1'790'000'000}};
  Record record_;
  std::optional<std::string> staged_;
  LowerWatch lower_watch_;
  Plan last_;
};

RC_GTEST_PROP(DecideProperty, StaysWithinTheBudgetAndIsIdempotent, ()) {
  config::AgentConfig config;
  config.mode = *rc::gen::element(Mode::kStage, Mode::kEnforce);
  config.restarts_per_day = *rc::gen::inRange(0, 5);
  Life life{config};
  const int steps = *rc::gen::inRange(1, 40);
  for (int i = 0; i < steps; ++i) {
    const seconds passed{*rc::gen::inRange(10, 40'000)};
    const Bytes room{*rc::gen::inRange<std::int64_t>(0, (20_GiB).value())};
    life.step(
        passed, room, *rc::gen::element(0, 0, 0, 2000), *rc::gen::element(false, false, true));
  }
}

}  // namespace
}  // namespace eviction::agent
