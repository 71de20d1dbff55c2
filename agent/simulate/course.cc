// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/course.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace eviction::agent::simulate {

namespace {

/// A pause longer than this is cut out: the recording stopped.
constexpr double kLongestGap = 900;
/// A pod without a sample for so long was not there.
constexpr double kAbsentAfter = 300;

}  // namespace

double middle(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, at);
  return *at;
}

void join_times(std::vector<PodSample>& samples) {
  std::ranges::stable_sort(samples, {}, &PodSample::at);
  double last = samples.front().at;
  double offset = last;
  for (PodSample& sample : samples) {
    if (sample.at - last > kLongestGap) {
      offset += sample.at - last - static_cast<double>(kShortGap.count());
    }
    last = sample.at;
    sample.at -= offset;
  }
}

void follow(std::vector<PodSpec>& pods, const std::vector<PodSample>& samples) {
  std::vector<std::vector<Point>> courses(pods.size());
  for (const PodSample& sample : samples) {
    std::vector<Point>& course = courses[sample.pod];
    if (course.empty() && sample.at > 0) {
      course.push_back({sample.at - 1, 0, true});
    } else if (!course.empty() && sample.at - course.back().at > kAbsentAfter) {
      course.push_back({course.back().at + 1, 0, true});
      course.push_back({sample.at - 1, 0, true});
    }
    course.push_back({sample.at, sample.mib});
  }
  for (std::size_t i = 0; i < pods.size(); ++i) {
    std::vector<Point>& course = courses[i];
    if (samples.back().at - course.back().at > kAbsentAfter) {
      course.push_back({course.back().at + 1, 0, true});
    }
    pods[i].behaviour = Behaviour::kTrace;
    pods[i].base = course.front().mib;
    pods[i].points = std::make_shared<const std::vector<Point>>(std::move(course));
  }
}

}  // namespace eviction::agent::simulate
