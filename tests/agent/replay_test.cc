// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/drop_in.h"
#include "tests/agent/observed_node.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using config::Mode;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;

/// The node stands still for so long: a cheap look a second, a full one every ten.
Replay replay_of(const Observation& seen, const config::AgentConfig& config, int time) {
  ReplayRun run{config};
  for (int second = 0; second < time; ++second) {
    Observation now = seen;
    now.uptime = *seen.uptime + seconds{second};
    run.take({.at = sys_seconds{seconds{1'800'000'000 + second}},
              .since_boot = seconds{90'000 + second},
              .mem_total = seen.meminfo->mem_total,
              .mem_available = seen.meminfo->mem_available,
              .seen = second % 10 == 0 ? &now : nullptr});
  }
  return run.result();
}

TEST(Replay, StagesOnceWhatTheModeStages) {
  const Replay replay = replay_of(tests::observed("mixed-128g"), config::AgentConfig{}, 600);
  EXPECT_EQ(replay.walks, 60U);
  EXPECT_EQ(replay.looks, 540U);
  EXPECT_EQ(replay.pauses, 0U);
  ASSERT_FALSE(replay.events.empty());
  EXPECT_EQ(replay.events.front().act, Act::kStage);
  EXPECT_EQ(std::ranges::count(replay.events, Act::kStage, &ReplayEvent::act), 1);
}

TEST(Replay, OfAnotherConfigurationItDecidesByThat) {
  config::AgentConfig observing;
  observing.mode = Mode::kObserve;
  observing.risk_permyriad = 10;
  const Replay observed_only = replay_of(tests::observed("mixed-128g"), observing, 60);
  ASSERT_FALSE(observed_only.events.empty());
  EXPECT_EQ(observed_only.events.front().act, Act::kNothing);

  config::AgentConfig bold;
  bold.growth_ceiling_permyriad = 100;
  const Replay small = replay_of(tests::observed("mixed-128g"), bold, 60);
  EXPECT_LT(small.events.front().sizing.need, observed_only.events.front().sizing.need);
}

// A day on which what is left near running out went within ten seconds each hour, learned before
// the recording began.
TEST(Replay, SizesByWhatWasLearnedBefore) {
  GrowthHistory before;
  const Observation seen = tests::observed("mixed-128g");
  const Bytes capacity = seen.meminfo->mem_total;
  for (int second = 0; second < 86'400; second += 10) {
    before.see_node(seconds{second}, capacity, 40_GiB);
    before.see_left(seconds{second}, second % 3600 == 0 ? 0_B : 4_GiB, 1_GiB);
  }
  GrowthCheckpoint learned = before.checkpoint();
  learned.vm_share_permyriad = 7800;  // as the node's
  const config::AgentConfig config;
  const auto need = [&](const GrowthCheckpoint* known) {
    ReplayRun run{config};
    run.take({.at = sys_seconds{seconds{1'800'000'000}},
              .since_boot = seconds{90'000},
              .mem_total = capacity,
              .mem_available = seen.meminfo->mem_available,
              .seen = &seen,
              .learned = known});
    return *run.result().events.at(0).sizing.need;
  };
  EXPECT_GT(need(&learned), need(nullptr) + 256_MiB);
}

/// Of this node all but this is taken.
Observation with_left(const Observation& node, Bytes left) {
  Observation seen = node;
  const Bytes taken = *left_to_kubelet(account(seen)) - left;
  *seen.root_stat->anon += taken;
  *seen.meminfo->mem_available -= taken;
  seen.meminfo->mem_free -= taken;
  return seen;
}

/// Full looks each ten seconds at a node of which what is left comes and goes. again: each is
/// followed by a cheap look, as the daemon's are.
Replay replay_of_falls(bool again) {
  Observation node = tests::observed("mixed-128g");
  node.pods.clear();
  const config::AgentConfig config;
  ReplayRun run{config};
  for (int second = 0; second < 1800; second += 10) {
    const Observation seen = with_left(node, second % 20 == 0 ? 8_GiB : 10_MiB);
    Moment moment{.at = sys_seconds{seconds{1'800'000'000 + second}},
                  .since_boot = seconds{90'000 + second},
                  .mem_total = seen.meminfo->mem_total,
                  .mem_available = seen.meminfo->mem_available,
                  .seen = &seen};
    run.take(moment);
    if (again) {
      moment.seen = nullptr;
      run.take(moment);
    }
  }
  return run.result();
}

TEST(Replay, LearnsFromFullLooksAndNotTwice) {
  const Replay alone = replay_of_falls(false);
  EXPECT_GT(alone.events.back().sizing.need, *alone.events.front().sizing.need + 128_MiB);
  const bool same = to_json(replay_of_falls(true))["events"] == to_json(alone)["events"];
  EXPECT_TRUE(same) << "a cheap look behind each full one changed something";
}

TEST(Replay, CountsKillsAndPauses) {
  const config::AgentConfig config;
  ReplayRun run{config};
  Observation seen = tests::observed("mixed-128g");
  for (const auto& [second, kills] :
       {std::pair{0, 3}, std::pair{10, 5}, std::pair{4000, 5}, std::pair{4010, 1}}) {
    seen.vmstat->oom_kill = kills;
    run.take({.at = sys_seconds{seconds{1'800'000'000 + second}},
              .since_boot = seconds{90'000 + second},
              .mem_total = seen.meminfo->mem_total,
              .mem_available = Bytes{1} + seen.meminfo->mem_total - Bytes{second},
              .seen = &seen});
  }
  EXPECT_EQ(run.result().oom_kills, 2U);
  EXPECT_EQ(run.result().pauses, 1U);
  EXPECT_EQ(run.result().lowest_available, Bytes{1} + seen.meminfo->mem_total - Bytes{4010});
}

// A value is lowered a day after less would do; the clock that tells begins anew with the node.
TEST(Replay, LowersADayAfterARestartOfTheNode) {
  config::AgentConfig config;
  config.mode = Mode::kEnforce;
  Observation seen = tests::observed("mixed-128g");
  seen.kubelet->file_content = config::render_drop_in({.hard = 30_GiB});
  ReplayRun run{config};
  std::vector<int> times{900'000, 1000};
  for (int minute = 0; minute < 20; ++minute) {
    times.push_back(1000 + 86'400 + 60 * minute);
  }
  for (const int time : times) {
    seen.uptime = seconds{time};
    run.take({.at = sys_seconds{seconds{1'800'000'000 + time}},
              .since_boot = seconds{time},
              .mem_total = seen.meminfo->mem_total,
              .mem_available = seen.meminfo->mem_available,
              .seen = &seen});
  }
  EXPECT_EQ(std::ranges::count(run.result().events, Act::kApply, &ReplayEvent::act), 1)
      << to_table(run.result(), false);
}

TEST(Replay, JsonAndTableTellTheSame) {
  Replay replay = replay_of(tests::observed("mixed-128g"), config::AgentConfig{}, 20);
  replay.problem = Error{.kind = ErrorKind::kMalformed, .path = "/r", .what = "cut off"};
  const nlohmann::ordered_json document = to_json(replay);
  EXPECT_EQ(document["walks"], 2);
  EXPECT_EQ(document["events"][0]["act"], "stage");
  EXPECT_TRUE(document["events"][0]["need_bytes"].is_number_integer());
  const std::string table = to_table(replay, false);
  EXPECT_THAT(table, HasSubstr("2 full and 18 cheap looks"));
  EXPECT_THAT(table, HasSubstr("/r: cut off"));
  Replay none;
  none.problem = replay.problem;
  EXPECT_THAT(to_table(none, false), HasSubstr("nothing was recorded\n/r: cut off"));
}

}  // namespace
}  // namespace eviction::agent
