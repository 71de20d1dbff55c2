// SPDX-License-Identifier: Apache-2.0
#include "agent/history.h"

#include <cstdint>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(AvailableHistory, KnowsNothingBeforeTenMinutes) {
  AvailableHistory history;
  for (int minute = 0; minute < 9; ++minute) {
    history.add(minutes{minute}, 1_GiB);
    EXPECT_FALSE(history.low(minutes{minute}));
  }
  history.add(minutes{9}, 2_GiB);
  EXPECT_EQ(history.low(minutes{9}), 1_GiB);
  EXPECT_EQ(history.low(minutes{60}), 1_GiB);
  EXPECT_FALSE(history.low(minutes{61})) << "of the last hour there are nine left";
  EXPECT_FALSE(history.low(minutes{8})) << "the node was restarted";
}

TEST(AvailableHistory, TellsTheFifthPercentileOfTheLastHour) {
  AvailableHistory history;
  history.add(seconds{0}, 1_MiB);
  for (int minute = 1; minute <= 60; ++minute) {
    history.add(minutes{minute}, Bytes{std::int64_t{1000} * minute});
  }
  // 61 minutes, the first one an hour old: of the values 1 MiB, 1000, 2000, ... the fourth lowest.
  EXPECT_EQ(history.low(minutes{60}), Bytes{4000});
  history.add(minutes{61}, 5_GiB);
  EXPECT_EQ(history.low(minutes{61}), Bytes{4000})
      << "the oldest one was forgotten, and it was not low";
  history.add(minutes{300}, 7_GiB);
  EXPECT_FALSE(history.low(minutes{300})) << "after a gap the history begins anew";
}

TEST(AvailableHistory, KeepsTheLowestOfAMinute) {
  AvailableHistory history;
  for (int minute = 0; minute < 10; ++minute) {
    history.add(minutes{minute}, 2_GiB);
    history.add(minutes{minute} + seconds{20}, 1_GiB);
    history.add(minutes{minute} + seconds{40}, 3_GiB);
  }
  EXPECT_EQ(history.low(minutes{10}), 1_GiB);
}

TEST(AvailableHistory, BeginsAnewWhereTheNodeWasRestarted) {
  AvailableHistory history;
  for (int minute = 0; minute < 10; ++minute) {
    history.add(std::chrono::hours{240} + minutes{minute}, 1_GiB);
  }
  history.add(minutes{1}, 5_GiB);
  EXPECT_FALSE(history.low(minutes{1}));
  for (int minute = 2; minute <= 10; ++minute) {
    history.add(minutes{minute}, 5_GiB);
  }
  EXPECT_EQ(history.low(minutes{10}), 5_GiB);
}

TEST(NextLook, ComesInHalfTheTimeThatIsLeft) {
  EXPECT_EQ(next_look(4_GiB, 1_GiB), milliseconds{2000});
  EXPECT_EQ(next_look(100_GiB, 1_GiB), milliseconds{10000});
  EXPECT_EQ(next_look(100_MiB, 1_GiB), milliseconds{200});
  EXPECT_EQ(next_look(0_B, 1_GiB), milliseconds{200});
  EXPECT_EQ(next_look(Bytes{-1}, 0_B), milliseconds{200});
  EXPECT_EQ(next_look(1_GiB, 0_B), milliseconds{10000});
}

// Without PSI nothing else tells.
RC_GTEST_PROP(NextLook, SeesTheEndOfTheHeadroomWithinAFifthOfASecond, ()) {
  const Bytes fastest{*rc::gen::inRange<std::int64_t>(1, 8LL << 30)};
  const std::int64_t fall = *rc::gen::inRange<std::int64_t>(1, fastest.value() + 1);
  const std::int64_t start = *rc::gen::inRange<std::int64_t>(1, 64LL << 30);
  const auto headroom = [&](milliseconds at) { return Bytes{start - fall * at.count() / 1000}; };
  milliseconds now{};
  while (headroom(now) > Bytes{}) {
    now += next_look(headroom(now), fastest);
    RC_PRE(now < std::chrono::hours{1});
  }
  RC_ASSERT(now - milliseconds{start * 1000 / fall} <= milliseconds{201});
}

TEST(LookPace, IsThatOfTheFastestFallSoFar) {
  LookPace pace;
  EXPECT_EQ(pace.next(seconds{100}, 100_GiB, 8_GiB), milliseconds{2000}) << "2 GiB/s to begin with";
  EXPECT_EQ(pace.next(seconds{110}, 60_GiB, 8_GiB), milliseconds{1000}) << "4 GiB/s";
  EXPECT_EQ(pace.next(seconds{120}, 59_GiB, 8_GiB), milliseconds{1000}) << "it may come again";
  EXPECT_EQ(pace.next(seconds{130}, 90_GiB, 8_GiB), milliseconds{1000});
}

TEST(LookPace, TakesNoSmallFallForAFastOne) {
  LookPace pace;
  EXPECT_EQ(pace.next(milliseconds{1000}, 100_GiB, 8_GiB), milliseconds{2000});
  EXPECT_EQ(pace.next(milliseconds{1001}, 99_GiB, 8_GiB), milliseconds{2000})
      << "1 GiB within a millisecond";
}

/// A full look that found one container.
Plan walked(std::optional<Bytes> unreclaimable) {
  Plan plan;
  plan.observation.pods_known = true;
  plan.workloads[WorkloadClass::kContainer].unreclaimable = unreclaimable;
  return plan;
}

// As if it rose from nothing as soon as its memory.stat can be read again.
TEST(NodeHistory, PodsThatCannotBeReadAreNoRise) {
  const auto rise = [](std::optional<Bytes> between) {
    NodeHistory history;
    std::chrono::seconds now{};
    for (const std::optional<Bytes> held : {std::optional{4_GiB}, between, std::optional{4_GiB}}) {
      history.walked(now += std::chrono::seconds{20}, walked(held));
    }
    return history.growth().checkpoint().falls.at(static_cast<std::size_t>(FallKind::kContainers));
  };
  EXPECT_FALSE(rise(3_GiB).lost_kib.empty());
  EXPECT_TRUE(rise(std::nullopt).lost_kib.empty());
}

// An agent that was restarted in a lull would else arm a value that memory goes below each minute.
TEST(NodeHistory, TheLowOfTheLastHourOutlivesTheAgent) {
  NodeHistory history;
  for (int minute = 0; minute < 10; ++minute) {
    history.recall(minutes{minute}, 1_GiB);
    history.recall_full(minutes{minute}, 2_GiB);
    history.recall(minutes{minute} + seconds{10}, 512_MiB);
  }
  Circumstances known;
  history.add_to(known, {}, minutes{10});
  EXPECT_EQ(known.available_low, 2_GiB) << "to the kubelet, which cheap looks do not tell";
  history.add_to(known, {}, std::nullopt);
  EXPECT_FALSE(known.available_low) << "it may be of last week";
}

// Of a counter that only grows what came since the full look before counts.
TEST(NodeHistory, TellsTheStallsSinceTheLastFullLook) {
  NodeHistory history;
  Observation seen;
  seen.vmstat.emplace();
  seen.vmstat->allocstall = 100;
  Circumstances known;
  history.add_to(known, seen, seconds{1});
  EXPECT_EQ(known.stalls, std::nullopt);
  seen.vmstat->allocstall = 103;
  history.add_to(known, seen, seconds{1});
  EXPECT_EQ(known.stalls, 3U);
}

TEST(NodeHistory, ACounterThatWentBackTellsNothing) {
  NodeHistory history;
  Observation seen;
  seen.vmstat.emplace();
  Circumstances known;
  for (const std::uint64_t stalls : {50'000U, 314U}) {
    seen.vmstat->allocstall = stalls;
    history.add_to(known, seen, seconds{1});
    EXPECT_EQ(known.stalls, std::nullopt);
  }
  seen.vmstat->allocstall = 320;
  history.add_to(known, seen, seconds{1});
  EXPECT_EQ(known.stalls, 6U);
}

}  // namespace
}  // namespace eviction::agent
