// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/simulate/kubelet.h"

namespace eviction::agent::simulate {
namespace {

// tests/e2e, scenarios args-enforce and model-*: a machine of 4 GiB with the real kubelet 1.20.2,
// which has the allocatable copy of the signal only; 800 MiB reserved, a VM of 300 MiB that
// requests 400, and the pods of each run. The VM lived through all of them.
struct Loss {
  std::string pod;
  bool evicted = false;  ///< else killed by the kernel

  bool operator==(const Loss&) const = default;
};

struct MachineRun {
  std::string name;
  Thresholds thresholds;
  std::vector<PodSpec> pods;
  std::vector<Loss> losses;          // as they were, in order
  std::optional<double> used = {};   // MiB, what the first one held when it was evicted
  std::optional<double> begun = {};  // s from the beginning of growth to the first loss
  std::optional<double> apart = {};  // s from the first loss to the last
  double share = 1;                  // of the moments at which the kubelet may look
};

constexpr double kBegin = 30;

PodSpec best_effort(std::string name, double base, double rate) {
  return {.name = std::move(name),
          .qos = cgroup::QosClass::kBestEffort,
          .behaviour = Behaviour::kLeak,
          .base = base,
          .rate = rate,
          .begin = kBegin};
}

PodSpec burstable(std::string name, double request, double base, double rate) {
  PodSpec pod = best_effort(std::move(name), base, rate);
  pod.qos = cgroup::QosClass::kBurstable;
  pod.request = request;
  return pod;
}

const std::vector<MachineRun>& runs() {
  static const std::vector<MachineRun> all = {
      {.name = "Hard592",
       .thresholds = {.hard = 592},
       .pods = {best_effort("hog", 1000, 30)},
       .losses = {{"hog", true}},
       .used = 2499},
      {.name = "Hard496",
       .thresholds = {.hard = 496},
       .pods = {best_effort("hog", 1000, 30)},
       .losses = {{"hog", true}},
       .used = 2498},
      {.name = "TooSmall",
       .thresholds = {.hard = 100},
       .pods = {best_effort("hog", 1000, 30)},
       .losses = {{"hog", false}},
       .begun = 62,
       .share = 0.5},
      {.name = "Fast",
       .thresholds = {.hard = 1800},
       .pods = {best_effort("hog", 300, 100)},
       .losses = {{"hog", true}},
       .used = 1930,
       .begun = 16},
      {.name = "Requests",
       .thresholds = {.hard = 592},
       .pods = {burstable("over", 100, 700, 0), burstable("grows", 1700, 900, 10)},
       .losses = {{"over", true}, {"grows", true}},
       .used = 704,
       .begun = 64,
       .apart = 72},
      {.name = "Reclaim",
       .thresholds = {.hard = 592, .reclaim = 1500},
       .pods = {best_effort("first", 1300, 0), best_effort("second", 500, 10)},
       .losses = {{"first", true}, {"second", true}},
       .used = 1307,
       .begun = 51,
       .apart = 4},
  };
  return all;
}

// The machine of lab_test.cc, but for two things: its pods read no files, so none of the page cache
// is theirs; and its clock counts instructions, by which memory is freed fast.
NodeSpec machine(double reserved) {
  NodeSpec node = node_of(3900);
  node.kernel = 85;
  node.system = 350;
  node.cache = 260;
  node.hot_cache = 0;
  node.kubepods_max = node.capacity - reserved;
  return node;
}

struct Course {
  std::vector<Loss> losses;
  double used = 0;
  double begun = 0;
  double apart = 0;
};

Course observe(const MachineRun& run, double phase) {
  constexpr double kStep = 0.25;
  Thresholds thresholds = run.thresholds;
  thresholds.reserved = 800;
  std::vector<PodSpec> pods = {
      {.name = "vm", .workload = WorkloadClass::kVm, .request = 400, .base = 300}};
  pods.insert(pods.end(), run.pods.begin(), run.pods.end());
  ModelNode node{machine(thresholds.reserved), pods, 1};
  ModelKubelet kubelet{thresholds, phase};
  Course course;
  const auto lose = [&](std::size_t pod, bool evicted, double now) {
    if (course.losses.empty()) {
      course.used = node.pods()[pod].mib();
      course.begun = now - kBegin;
    }
    course.apart = now - kBegin - course.begun;
    course.losses.push_back({pods[pod].name, evicted});
  };
  for (double now = kStep; now < 600 && course.losses.size() < run.losses.size(); now += kStep) {
    if (const auto killed = node.step(now, kStep)) {
      lose(*killed, false, now);
    }
    if (const auto evicted = kubelet.step(node, now).evicted) {
      lose(*evicted, true, now);
      node.evict(*evicted, now);
    }
  }
  return course;
}

// One measured figure lies among those of the model, or no further beside them than margin.
void expect_among(const std::vector<Course>& courses,
                  double Course::*figure,
                  const std::optional<double>& measured,
                  double margin) {
  if (measured) {
    const auto [least, most] = std::ranges::minmax(courses, {}, figure);
    EXPECT_GE(*measured, least.*figure - margin);
    EXPECT_LE(*measured, most.*figure + margin);
  }
}

class Machine : public testing::TestWithParam<MachineRun> {};

// At 40 moments at which the kubelet may look: when it did there is not known.
TEST_P(Machine, WhoIsLostAndByWhatIsAsItWasThere) {
  constexpr int kPhases = 40;
  const MachineRun& run = GetParam();
  std::vector<Course> courses;
  for (int i = 0; i < kPhases; ++i) {
    courses.push_back(observe(run, i * 10.0 / kPhases));
  }
  EXPECT_GE(std::ranges::count(courses, run.losses, &Course::losses), run.share * kPhases);
  expect_among(courses, &Course::used, run.used, 10);
  expect_among(courses, &Course::begun, run.begun, 5);
  expect_among(courses, &Course::apart, run.apart, 5);
}

INSTANTIATE_TEST_SUITE_P(Runs, Machine, testing::ValuesIn(runs()), [](const auto& run) {
  return run.param.name;
});

}  // namespace
}  // namespace eviction::agent::simulate
