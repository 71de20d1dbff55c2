// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/kubelet.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include <spdlog/fmt/fmt.h>

#include "agent/policy/victims.h"

namespace eviction::agent::simulate {

namespace {

/// Source: kubelet v1.36 pkg/kubelet/kubelet.go evictionMonitoringPeriod.
constexpr double kPoll = 10;
/// The pods' figures are cAdvisor's, collected every 10 to 15 s; the node's are read at each look.
/// Source: kubelet v1.36 pkg/kubelet/cadvisor/cadvisor_linux.go, maxHousekeepingInterval.
constexpr double kStatistics = 13;
/// Source: kubelet v1.36 eviction_manager.go podCleanupTimeout.
constexpr double kCleanupTimeout = 30;
/// From the end of the processes to the pod's removal: volumes, sandbox, cgroup.
constexpr double kCleanup = 3;
/// Source: kubelet v1.36 evictionPressureTransitionPeriod, default.
constexpr double kTransition = 300;
/// From SIGTERM until a new drop-in is in force. Source: measured, kubelet 1.36.2.
constexpr double kRestart = 25;
constexpr double kMib = 1 << 20;

Bytes bytes(double mib) {
  return Bytes{std::llround(mib * kMib)};
}

}  // namespace

Pod as_pod(const ModelPod& pod, std::size_t index, double working_set) {
  const PodSpec& spec = pod.spec();
  Pod seen;
  seen.uid = fmt::format("{:06}", index);
  seen.name = spec.name;
  seen.workload = spec.workload;
  seen.qos = spec.qos;
  seen.usage = bytes(working_set);
  seen.working_set = bytes(working_set);
  seen.request = MemoryRequest{bytes(spec.request), bytes(spec.request), RequestSource::kApi};
  seen.limit = spec.limit ? std::optional{bytes(*spec.limit)} : std::nullopt;
  seen.priority = spec.priority;
  return seen;
}

ModelKubelet::ModelKubelet(Thresholds thresholds, double phase)
    : thresholds_{thresholds}, next_look_{phase} {}

void ModelKubelet::read_statistics(const ModelNode& node, double now) {
  if (now < next_statistics_) {
    return;
  }
  next_statistics_ = now + kStatistics;
  working_sets_.resize(node.pods().size());
  std::ranges::transform(node.pods(), working_sets_.begin(), &ModelPod::mib);
}

bool ModelKubelet::is_met(const Memory& memory, const NodeSpec& node, double now) {
  const double reclaim = met_ ? thresholds_.reclaim : 0;
  const double in_kubepods = node.kubepods_max - memory.kubepods_working_set;
  const bool hard = thresholds_.hard > 0 &&
                    std::min(memory.kubelet_available, in_kubepods) < thresholds_.hard + reclaim;
  // A soft threshold is first observed, and met when it still holds after its grace.
  const bool soft_now =
      thresholds_.soft > 0 && memory.kubelet_available < thresholds_.soft + reclaim;
  const bool soft = soft_now && soft_observed_;
  soft_observed_ = soft_now;
  met_ = hard || soft;
  if (met_) {
    last_met_ = now;
  }
  return met_;
}

std::optional<std::size_t> ModelKubelet::victim(const ModelNode& node) const {
  std::vector<Pod> pods;
  for (std::size_t i = 0; i < node.pods().size(); ++i) {
    if (node.pods()[i].is_here()) {
      pods.push_back(as_pod(node.pods()[i], i, working_sets_.at(i)));
    }
  }
  const Result<std::vector<Pod>> ranked = rank_victims(pods);
  if (!ranked || ranked->empty()) {
    return std::nullopt;
  }
  std::size_t index = 0;
  const std::string& uid = ranked->front().uid;
  std::from_chars(uid.data(), uid.data() + uid.size(), index);
  return index;
}

ModelKubelet::Turn ModelKubelet::step(const ModelNode& node, double now) {
  read_statistics(node, now);
  if (awaited_) {
    if (node.pods().at(*awaited_).dies()) {
      awaited_gone_ = now;
    }
    if (now - awaited_gone_ < kCleanup && now - awaited_since_ < kCleanupTimeout) {
      return {};
    }
    awaited_.reset();
    next_look_ = now;  // it looks again at once
  }
  if (now < next_look_) {
    return {};
  }
  next_look_ = now + kPoll;
  Turn turn;
  if (!is_met(node.memory(), node.spec(), now)) {
    pressure_ = pressure_ && now - last_met_ < kTransition;
    return turn;
  }
  turn.pressure_begins = !pressure_;
  pressure_ = true;
  turn.evicted = victim(node);
  if (turn.evicted) {
    awaited_ = turn.evicted;
    awaited_since_ = now;
    awaited_gone_ = now;
  }
  return turn;
}

std::vector<std::size_t> ModelKubelet::restart(const ModelNode& node,
                                               const Thresholds& thresholds,
                                               double now) {
  thresholds_ = thresholds;
  next_look_ = now + kRestart;
  awaited_.reset();
  met_ = false;
  soft_observed_ = false;
  pressure_ = false;  // its past is in memory only
  double room =
      node.spec().capacity - thresholds.reserved - thresholds.hard - node.spec().hugepages;
  std::vector<std::size_t> rejected;
  for (std::size_t i = 0; i < node.pods().size(); ++i) {
    const ModelPod& pod = node.pods()[i];
    if (!pod.is_here()) {
      continue;
    }
    room -= pod.spec().request;
    if (room < 0) {
      rejected.push_back(i);
    }
  }
  return rejected;
}

}  // namespace eviction::agent::simulate
