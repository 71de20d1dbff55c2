// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/policy/growth.h"
#include "agent/simulate/kubelet.h"

namespace eviction::agent::simulate {
namespace {

// A virtual machine of 4 GiB with kubelet 1.36.2, one container that grows at a constant rate, and
// a threshold: what was seen there, once each, and when the kubelet looked is not known.
enum class End { kOom, kEvicted };

struct LabRow {
  double rate;  // MiB/s
  Thresholds thresholds;
  End end;
  std::optional<double> lowest_available = {};      // MiB
  std::optional<double> lowest_mem_available = {};  // MiB
  std::optional<double> relief = {};                // s from crossing
};

const std::vector<LabRow>& lab() {
  static const std::vector<LabRow> rows = {
      {30, {}, End::kOom},
      {30, {.hard = 100}, End::kOom, 195, 0},
      {30, {.hard = 300}, End::kOom, 185, 21},
      {30, {.hard = 500}, End::kEvicted, 321, 161, 6.6},
      {30, {.hard = 800}, End::kEvicted, 548, 384, 12.6},
      {100, {.hard = 100}, End::kOom, 227, 21},
      {100, {.hard = 500}, End::kOom, 205, 2},
      {100, {.hard = 800}, End::kOom, 190, 37},
      {100, {.hard = 1200}, End::kEvicted, 569, 384, 12.9},
      {200, {.hard = 1600}, End::kEvicted, 703, 499, 14.1},
      {30, {.soft = 700}, End::kEvicted, 306, 100, 17.0},
      {100, {.soft = 700}, End::kOom, 225, 27},
  };
  return rows;
}

std::string describe(const LabRow& row) {
  return std::to_string(static_cast<int>(row.rate)) + " MiB/s, hard " +
         std::to_string(static_cast<int>(row.thresholds.hard)) + ", soft " +
         std::to_string(static_cast<int>(row.thresholds.soft));
}

/// The machine had an emulated CPU, which freed memory slowly: 179 to 897 MiB in 0.6 to 9.6 s.
NodeSpec lab_node() {
  NodeSpec node = node_of(3900);
  node.kernel = 85;
  node.system = 350;
  node.cache = 260;
  node.hot_cache = 0.5;
  node.free_rate = 95;
  return node;
}

struct Course {
  End end = End::kOom;  // of what was killed first
  double lowest_available = 1e9;
  double lowest_mem_available = 1e9;
  double relief = 0;  // s, from crossing until above the threshold again
};

Course observe(const LabRow& row, double phase) {
  constexpr double kStep = 0.25;
  const PodSpec hog{.name = "hog",
                    .qos = cgroup::QosClass::kBestEffort,
                    .behaviour = Behaviour::kLeak,
                    .rate = row.rate,
                    .begin = 30};
  ModelNode node{lab_node(), {hog}, 1};
  ModelKubelet kubelet{row.thresholds, phase};
  const double threshold = std::max(row.thresholds.hard, row.thresholds.soft);
  Course course;
  double crossed = 0;
  bool evicted = false;
  for (double now = kStep; now < 600; now += kStep) {
    if (node.step(now, kStep)) {
      return course;
    }
    course.lowest_available = std::min(course.lowest_available, node.memory().kubelet_available);
    course.lowest_mem_available =
        std::min(course.lowest_mem_available, node.memory().mem_available);
    const bool below = node.memory().kubelet_available < threshold;
    crossed = below && crossed == 0 ? now : crossed;
    if (const auto turn = kubelet.step(node, now); turn.evicted) {
      node.evict(*turn.evicted, now);
      evicted = true;
    }
    if (evicted && !below) {
      course.end = End::kEvicted;
      course.relief = now - crossed;
      return course;
    }
  }
  return course;
}

/// What the model does at every moment at which the kubelet may look.
std::vector<Course> all_courses(const LabRow& row) {
  constexpr int kPhases = 40;
  std::vector<Course> courses;
  for (int i = 0; i < kPhases; ++i) {
    courses.push_back(observe(row, i * 10.0 / kPhases));
  }
  return courses;
}

TEST(Lab, EachRowOfTheTableEndsAsItDidMoreOftenThanNot) {
  for (const LabRow& row : lab()) {
    SCOPED_TRACE(describe(row));
    const std::vector<Course> courses = all_courses(row);
    EXPECT_GT(std::ranges::count(courses, row.end, &Course::end), std::ssize(courses) / 2);
  }
}

// One measured figure and those of the model at the 40 moments: it lies among them, or no further
// beside them than the page cache of that machine is unknown.
void expect_among(const std::vector<Course>& courses,
                  End end,
                  double Course::*figure,
                  const std::optional<double>& measured,
                  double margin) {
  double least = 1e9;
  double most = -1e9;
  for (const Course& course : courses) {
    if (course.end == end) {
      least = std::min(least, course.*figure);
      most = std::max(most, course.*figure);
    }
  }
  if (measured) {
    EXPECT_GE(*measured, least - margin);
    EXPECT_LE(*measured, most + margin);
  }
}

TEST(Lab, LowestAndReliefAreAsMeasured) {
  for (const LabRow& row : lab()) {
    SCOPED_TRACE(describe(row));
    const std::vector<Course> courses = all_courses(row);
    expect_among(courses, row.end, &Course::lowest_available, row.lowest_available, 45);
    expect_among(courses, row.end, &Course::lowest_mem_available, row.lowest_mem_available, 45);
    expect_among(courses, row.end, &Course::relief, row.relief, 1);
  }
}

// "K + R + w about 330 MiB" before it.
TEST(Lab, TheKubeletIsBlindToWhatTheKernelHolds) {
  const ModelNode idle{lab_node(), {}, 1};
  const Memory& memory = idle.memory();
  EXPECT_NEAR(memory.kernel + idle.spec().reserve + memory.cache_floor, 330, 40);
  EXPECT_NEAR(memory.kubelet_available - memory.mem_available,
              memory.kernel + idle.spec().reserve + memory.cache_floor - memory.active_file,
              1e-6);
}

// K of that machine when it is full, R and what growth begins with: whenever the kubelet looks, it
// evicts one container of 30 MiB/s before the kernel kills.
TEST(Lab, WhatIsAllowedForIsEnoughForOneContainer) {
  const double least =
      static_cast<double>(usual_growth(Bytes{3900LL << 20}, 0).value()) / (1 << 20);
  const NodeSpec node = lab_node();
  const double kernel = node.kernel + kPageTables * (node.capacity - node.reserve - node.kernel);
  const std::vector<Course> courses =
      all_courses({30, {.hard = kernel + node.reserve + least}, End::kEvicted});
  EXPECT_EQ(std::ranges::count(courses, End::kEvicted, &Course::end), std::ssize(courses));
}

}  // namespace
}  // namespace eviction::agent::simulate
