// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/victims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

Pod pod(const char* uid, int priority, Bytes working_set, Bytes request) {
  Pod made;
  made.uid = uid;
  made.priority = priority;
  made.working_set = working_set;
  made.request = MemoryRequest{request, request, RequestSource::kApi};
  return made;
}

std::vector<std::string> order(const std::vector<Pod>& pods) {
  const Result<std::vector<Pod>> ranked = rank_victims(pods);
  std::vector<std::string> uids;
  for (const Pod& ranked_pod : ranked.value()) {
    uids.push_back(ranked_pod.uid);
  }
  return uids;
}

using testing::ElementsAre;

TEST(RankVictims, AboveRequestBeforeLowPriority) {
  EXPECT_THAT(order({pod("low-inside", 0, 1_GiB, 2_GiB), pod("high-above", 1000, 3_GiB, 2_GiB)}),
              ElementsAre("high-above", "low-inside"));
}

TEST(RankVictims, LowPriorityBeforeLargeExcess) {
  EXPECT_THAT(order({pod("large", 10, 9_GiB, 1_GiB), pod("low", 0, 2_GiB, 1_GiB)}),
              ElementsAre("low", "large"));
}

TEST(RankVictims, LargeExcessFirstAmongEquals) {
  EXPECT_THAT(order({pod("small", 0, 2_GiB, 1_GiB), pod("large", 0, 9_GiB, 1_GiB)}),
              ElementsAre("large", "small"));
}

TEST(RankVictims, AllOfTheRequestUsedIsNotAbove) {
  EXPECT_THAT(order({pod("exact", 0, 1_GiB, 1_GiB), pod("above", 5, 1_GiB + 1_B, 1_GiB)}),
              ElementsAre("above", "exact"));
}

TEST(RankVictims, StaticAndCriticalPodsNever) {
  Pod etcd = pod("etcd", 0, 9_GiB, 0_B);
  etcd.workload = WorkloadClass::kSystem;
  EXPECT_THAT(
      order({etcd, pod("longhorn", 2'000'000'000, 9_GiB, 0_B), pod("web", 0, 1_GiB, 2_GiB)}),
      ElementsAre("web"));
}

TEST(RankVictims, UnknownPrioritiesAreSaid) {
  Pod unknown = pod("a", 0, 1_GiB, 2_GiB);
  unknown.priority.reset();
  const Result<std::vector<Pod>> ranked = rank_victims({unknown, pod("b", 0, 1_GiB, 2_GiB)});
  ASSERT_FALSE(ranked);
  EXPECT_THAT(ranked.error().what, testing::HasSubstr("priority, unknown for 1 of 2 pods"));
}

TEST(RankVictims, AnOnlyCandidateNeedsNoRanking) {
  Pod unknown = pod("a", 0, 1_GiB, 2_GiB);
  unknown.priority.reset();
  EXPECT_THAT(order({unknown}), ElementsAre("a"));
  EXPECT_THAT(order({}), ElementsAre());
}

}  // namespace
}  // namespace eviction::agent
