// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/decide.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agent/check.h"
#include "agent/observation.h"
#include "tests/agent/decided_node.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using config::Mode;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using tests::all_well;
using tests::full_hard;
using tests::node;
using tests::plan_of;
using tests::with_file;
using tests::with_room;

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
  EXPECT_NE(next_start_rejects(plan_of(unsafe)), "");
  EXPECT_FALSE(fit(check(plan_of(unsafe))));
  EXPECT_EQ(next_start_rejects(plan_of(with_file(node(), {.hard = 1_GiB}))), "");
  EXPECT_EQ(next_start_rejects(plan_of(node())), "");
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
  seen.kubelet->without_file.eviction_hard.emplace()["memory.available"] = {"1Gi",
                                                                            "--eviction-hard"};
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    EXPECT_EQ(decide(plan_of(seen), {.mode = mode, .staged = "old"}).act, Act::kUnstage);
    EXPECT_EQ(decide(plan_of(seen), {.mode = mode}).act, Act::kNothing);
  }
}

// It stands there until the moment is better.
TEST(Decide, AStagedValueOutlastsABadMoment) {
  Circumstances circumstances = all_well();
  circumstances.runtime_silence = "silent";
  circumstances.restart_refused = "three changes in a row failed";
  Observation seen = node();
  seen.pressure->some.avg10 = 9000;
  const Plan plan = plan_of(seen, circumstances);
  for (const Mode mode : {Mode::kStage, Mode::kEnforce}) {
    EXPECT_EQ(decide(plan, {.mode = mode}).act, Act::kStage);
    EXPECT_EQ(decide(plan, {.mode = mode, .staged = plan.file_content}).act, Act::kNothing);
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
    unknown.kubelet->without_file.eviction_soft.emplace()["memory.available"] = {"1Gi", "--x"};
    unknown.kubelet->without_file.eviction_hard.emplace()["memory.available"] = {"1Gi", "--x"};
    unknown.kubelet->loaded.settings = unknown.kubelet->without_file;
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
  Observation seen = node();
  seen.kubelet->target = Target::kK3sDropin;
  const Plan plan = plan_of(seen);
  EXPECT_EQ(outcome(plan), PlanOutcome::kApplicable) << "by hand";
  const Decision decision = decide(plan, {.mode = Mode::kEnforce});
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_THAT(decision.reason, HasSubstr("restart-unit is no"));
}

TEST(Decide, StagesWhileNothingMayBeApplied) {
  const Decision decision =
      decide(plan_of(node()), {.mode = Mode::kEnforce, .not_yet = "not this node's turn"});
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_THAT(decision.reason, HasSubstr("turn"));
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

// Checked with the kubelet's own rules before it touches the disk.
TEST(Decide, AValueThatTheKubeletWouldNotStartWithIsNotWritten) {
  Observation seen = node();
  seen.kubelet->without_file.eviction_minimum_reclaim.emplace()["nodefs.available"] = {
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
  seen.kubelet->overridden = {{"eviction-soft-grace-period", "--eviction-soft-grace-period"}};
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
      const std::set<std::string> may_pass{"calm", "settled", "restart-budget"};
      const bool refused = std::ranges::any_of(last_.guards, [&](const Guard& g) {
        return g.ok == false && !may_pass.contains(g.name);
      });
      RC_ASSERT(!refused || again.act == Act::kUnstage);
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
