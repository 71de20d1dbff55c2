// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/recorded.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/observation.h"
#include "agent/policy/memory_account.h"
#include "agent/recording/csv.h"
#include "tests/agent/observed_node.h"
#include "tests/support/source_tree.h"

namespace eviction::agent::simulate {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr double kMib = 1 << 20;

double mib(Bytes amount) {
  return static_cast<double>(amount.value()) / kMib;
}

void take(RecordedNode& node, int second, const Observation* seen) {
  node.take({.at = sys_seconds{seconds{1'800'000'000 + second}},
             .since_boot = seconds{90'000 + second},
             .mem_total = 128_GiB,
             .seen = seen});
}

constexpr std::array kRealNodes{
    "kubelet-1.36-dropin-pods", "kubelet-1.36-dropin-hugepages", "kubelet-1.20-flags"};

Observation real_node(const char* name) {
  const std::string root = std::string{tests::kFixtures} + "/" + name;
  cgroup::Buffer buffer;
  return observe(open_host(root + "/proc", root + "/sys", root), {}, buffer);
}

TEST(RecordedNode, IsAsItWas) {
  const Observation seen = tests::observed("mixed-128g");
  RecordedNode recorded;
  take(recorded, 0, &seen);
  take(recorded, 5, nullptr);
  take(recorded, 120, &seen);
  const auto scenario = recorded.scenario(0, 1);
  ASSERT_TRUE(scenario) << to_text(scenario.error());
  EXPECT_EQ(scenario->seconds, 120);
  ASSERT_EQ(scenario->pods.size(), seen.pods.size());
  for (std::size_t i = 0; i < seen.pods.size(); ++i) {
    const PodSpec& pod = scenario->pods[i];
    EXPECT_EQ(pod.name, seen.pods[i].name);
    EXPECT_EQ(pod.workload, seen.pods[i].workload);
    EXPECT_EQ(pod.qos, seen.pods[i].qos);
    EXPECT_NEAR(pod.request, mib(seen.pods[i].request->high), 1e-3);
  }
}

// Real nodes: what kernel and kubelet count as available there comes out of the model.
TEST(RecordedNode, HasTheMemoryThatItHad) {
  for (const char* name : kRealNodes) {
    SCOPED_TRACE(name);
    const Observation seen = real_node(name);
    RecordedNode recorded;
    take(recorded, 0, &seen);
    const auto scenario = recorded.scenario(0, 1);
    ASSERT_TRUE(scenario) << to_text(scenario.error());
    const ModelNode node{scenario->node, scenario->pods, 1};
    const MemoryAccount memory = account(seen);
    EXPECT_NEAR(node.memory().mem_available, mib(*memory.mem_available), 16);
    EXPECT_NEAR(node.memory().kubelet_available, mib(*memory.kubelet_available), 16);
  }
}

// replay --csv writes the counts of the root cgroup, not those of /proc/meminfo.
TEST(RecordedNode, OfCsvHoldsTheSame) {
  for (const char* name : kRealNodes) {
    SCOPED_TRACE(name);
    const Observation seen = real_node(name);
    const Moment moment{.at = sys_seconds{seconds{1'800'000'000}},
                        .since_boot = seconds{90'000},
                        .mem_total = seen.meminfo->mem_total,
                        .mem_available = seen.meminfo->mem_available,
                        .seen = &seen};
    RecordedNode recorded;
    recorded.take(moment);
    RecordedNode of_csv;
    ASSERT_TRUE(read_csv(csv_header() + csv_row(moment),
                         [&of_csv](const Moment& row) { of_csv.take(row); }));
    const auto one = recorded.scenario(0, 1);
    const auto other = of_csv.scenario(0, 1);
    ASSERT_TRUE(one && other);
    const double hugepages = one->node.hugepages;  // CSV has none, so they are the kernel's there
    EXPECT_NEAR(other->node.kernel, one->node.kernel + hugepages, 16);
    EXPECT_NEAR(other->node.system, one->node.system, 16);
    EXPECT_NEAR(other->node.cache, one->node.cache, 16);
    EXPECT_NEAR(other->node.hot_cache, one->node.hot_cache, 0.01);
  }
}

TEST(RecordedNode, PodsFollowWhatTheyHeldAndComeAndGo) {
  Observation seen = tests::observed("mixed-128g");
  seen.pods.resize(2);
  seen.pods[0].unreclaimable = 100_MiB;
  RecordedNode recorded;
  take(recorded, 0, &seen);
  seen.pods[0].unreclaimable = 300_MiB;
  take(recorded, 20, &seen);
  seen.pods.erase(seen.pods.begin() + 1);
  for (int second = 40; second <= 400; second += 20) {
    take(recorded, second, &seen);
  }
  const auto scenario = recorded.scenario(0, 1);
  ASSERT_TRUE(scenario);
  ModelNode node{scenario->node, scenario->pods, 1};
  EXPECT_GT(node.pods()[1].mib(), 0);
  for (int second = 1; second <= 400; ++second) {
    node.step(second, 1);
    if (second == 10) {
      EXPECT_NEAR(node.pods()[0].mib(), 200, 1);
    }
  }
  EXPECT_NEAR(node.pods()[0].mib(), 300, 1);
  EXPECT_EQ(node.pods()[1].mib(), 0);
}

/// What the only pod held at each look: its place in the list, in MiB.
Scenario looked_at(const std::vector<Moment>& looks) {
  Observation seen = real_node(kRealNodes[0]);
  seen.pods.resize(1);
  RecordedNode recorded;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    seen.pods[0].unreclaimable = scale(1_MiB, static_cast<std::int64_t>(i), 1);
    Moment moment = looks[i];
    moment.seen = &seen;
    recorded.take(moment);
  }
  const auto scenario = recorded.scenario(0, 1);
  EXPECT_TRUE(scenario);
  return scenario.value_or(Scenario{});
}

Moment look(int wall, int since_boot) {
  return {.at = sys_seconds{seconds{1'800'000'000 + wall}},
          .since_boot = seconds{since_boot},
          .mem_total = 128_GiB};
}

std::vector<double> times_of(const PodSpec& pod) {
  std::vector<double> times;
  std::ranges::transform(*pod.points, std::back_inserter(times), &Point::at);
  return times;
}

TEST(RecordedNode, AClockThatWasSetBackChangesNothing) {
  constexpr int kBack = -3 * 3600;
  const Scenario scenario =
      looked_at({look(0, 1000), look(100, 1100), look(200 + kBack, 1200), look(300 + kBack, 1300)});
  EXPECT_EQ(scenario.seconds, 300);
  ASSERT_EQ(scenario.pods.size(), 1U);
  EXPECT_THAT(times_of(scenario.pods[0]), testing::ElementsAre(0, 100, 200, 300));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*scenario.pods[0].points)[i].mib, i) << "in the order of the looks";
  }
}

TEST(RecordedNode, OverARebootTheWallClockTellsUnlessItWasSetBack) {
  EXPECT_THAT(times_of(looked_at({look(0, 9000), look(120, 30), look(130, 40)}).pods.at(0)),
              testing::ElementsAre(0, 120, 130));
  EXPECT_THAT(times_of(looked_at({look(0, 9000), look(-500, 30), look(-490, 40)}).pods.at(0)),
              testing::ElementsAre(0, 60, 70));
}

TEST(RecordedNode, OfAnotherCapacityItHasWhatThatKernelWouldKeep) {
  const Observation seen = tests::observed("mixed-128g");
  RecordedNode recorded;
  take(recorded, 0, &seen);
  const auto smaller = recorded.scenario(96 * 1024, 1);
  ASSERT_TRUE(smaller);
  EXPECT_EQ(smaller->node.capacity, 96 * 1024);
  EXPECT_EQ(smaller->node.reserve, node_of(96 * 1024).reserve);
  EXPECT_EQ(smaller->node.system, recorded.scenario(0, 1)->node.system);
}

// A policy without a reservation of its own leaves the node the one that it had.
TEST(RecordedNode, KeepsItsReservationUnderEveryPolicy) {
  const PodSpec hog{.name = "hog", .behaviour = Behaviour::kLeak, .base = 1000, .rate = 100};
  Scenario scenario{.name = "reserved", .node = node_of(16 * 1024), .pods = {hog}, .seconds = 120};
  EXPECT_EQ(run(scenario, "rke2-default", {}).oom_kills, 0);
  scenario.node.kubepods_max = 4 * 1024;
  EXPECT_GT(run(scenario, "rke2-default", {}).oom_kills, 0);
}

// It is withheld, and taken into account when pods are admitted, whatever a policy adds to it.
TEST(RecordedNode, WhatItReservesIsWithheldUnderEveryPolicy) {
  Observation seen = tests::observed("mixed-128g");
  seen.pods.resize(2);
  seen.kubepods->max = cgroup::MemoryLimit{.bytes = seen.meminfo->mem_total - 1536_MiB};
  RecordedNode recorded;
  take(recorded, 0, &seen);
  take(recorded, 60, &seen);
  const auto scenario = recorded.scenario(0, 1);
  ASSERT_TRUE(scenario);
  EXPECT_EQ(run(*scenario, "rke2-default", {}).first.withheld(), 1536);
  EXPECT_EQ(run(*scenario, "aks", {}).first.reserved, 20 * 110 + 50);
  EXPECT_EQ(run(*scenario, "ours", {}).first.reserved, 1536);
}

// Requests leave no room for a hard threshold beside what is reserved, and of one as large as the
// hugepages most would be lost to pods twice.
TEST(RecordedNode, OursPlansForWhatIsReservedAndForHugepages) {
  PodSpec pod{.name = "pod", .request = 11 * 1024, .base = 1000};
  Scenario scenario{.name = "full", .node = node_of(16 * 1024), .pods = {pod}, .seconds = 60};
  EXPECT_EQ(run(scenario, "ours", {}).first.soft, 0);
  scenario.node.reserved = 5 * 1024;
  scenario.node.kubepods_max -= 5 * 1024;
  const Thresholds reserved = run(scenario, "ours", {}).first;
  EXPECT_EQ(reserved.hard, 0);
  EXPECT_GT(reserved.soft, 4 * 1024) << "the pods reach their limit before the node is short";
  scenario.node = node_of(16 * 1024);
  scenario.node.hugepages = 5 * 1024;
  scenario.pods[0].request = 1024;
  const Thresholds hugepages = run(scenario, "ours", {}).first;
  EXPECT_EQ(hugepages.hard, 0);
  EXPECT_GT(hugepages.soft, 0);
}

TEST(RecordedNode, SaysWhatItLeftOut) {
  Observation seen = tests::observed("mixed-128g");
  seen.pods.resize(2);
  RecordedNode recorded{4};
  take(recorded, 0, &seen);
  take(recorded, 1800, &seen);
  EXPECT_FALSE(recorded.problem());
  take(recorded, 3600, &seen);
  const std::optional<Error> problem = recorded.problem();
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->what, "there are more than 4 samples of pods: the first 0.5 hours are taken");
}

TEST(RecordedNode, WithoutPodsThereIsNothingToRun) {
  Observation seen = tests::observed("mixed-128g");
  seen.pods.clear();
  RecordedNode recorded;
  take(recorded, 0, nullptr);
  take(recorded, 10, &seen);
  const auto scenario = recorded.scenario(0, 1);
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().kind, ErrorKind::kAbsent);
}

}  // namespace
}  // namespace eviction::agent::simulate
