// SPDX-License-Identifier: Apache-2.0
#include "agent/history.h"

#include <algorithm>
#include <vector>

#include "agent/policy/set_thresholds.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

constexpr std::chrono::minutes kMinute{1};
constexpr std::chrono::hours kSpan{1};
constexpr std::size_t kLeastMinutes = 10;
constexpr std::chrono::milliseconds kSoonest{200};
/// The kubelet looks as often. Source: kubelet v1.36 pkg/kubelet/kubelet.go
/// evictionMonitoringPeriod.
constexpr std::chrono::milliseconds kLatest{10000};

}  // namespace

void AvailableHistory::add(std::chrono::milliseconds since_boot, Bytes available) {
  forget(since_boot);
  if (minutes_.empty() || since_boot - minutes_.back().begin >= kMinute) {
    minutes_.push_back({since_boot, available});
  } else {
    minutes_.back().lowest = std::min(minutes_.back().lowest, available);
  }
}

void AvailableHistory::forget(std::chrono::milliseconds since_boot) {
  if (!minutes_.empty() && since_boot < minutes_.back().begin) {
    minutes_.clear();
  }
  while (!minutes_.empty() && since_boot - minutes_.front().begin > kSpan) {
    minutes_.pop_front();
  }
}

std::optional<Bytes> AvailableHistory::low(std::chrono::milliseconds since_boot) {
  forget(since_boot);
  if (minutes_.size() < kLeastMinutes) {
    return std::nullopt;
  }
  std::vector<Bytes> sorted;
  std::ranges::transform(minutes_, std::back_inserter(sorted), &Minute::lowest);
  std::ranges::sort(sorted);
  return sorted[sorted.size() / 20];
}

void NodeHistory::look(std::chrono::milliseconds since_boot,
                       Bytes mem_total,
                       std::optional<Bytes> mem_available) {
  if (mem_available) {
    growth_.see_node(since_boot, mem_total, *mem_available);
    forecaster_.see(since_boot, *mem_available, headroom(mem_available));
  }
}

void NodeHistory::recall(std::chrono::milliseconds since_boot, Bytes mem_available) {
  forecaster_.see(since_boot, mem_available, std::nullopt);
}

void NodeHistory::recall_full(std::chrono::milliseconds since_boot, Bytes kubelet_available) {
  available_.add(since_boot, kubelet_available);
}

std::optional<Bytes> NodeHistory::headroom(std::optional<Bytes> mem_available) const {
  return mem_available && threshold_ ? std::optional{*mem_available - *threshold_} : std::nullopt;
}

std::optional<Bytes> threshold_to_reach(const Plan& plan) {
  std::optional<Bytes> largest;
  const auto set = set_thresholds(plan.observation);
  if (set && plan.memory.capacity) {
    for (const config::Threshold& threshold : *set) {
      if (threshold.signal == config::kMemoryAvailable) {
        largest = std::max(largest.value_or(Bytes{}),
                           config::threshold_bytes(threshold.value, *plan.memory.capacity));
      }
    }
  }
  const Sizing& sizing = plan.sizing;
  return largest ? largest : sizing.soft ? sizing.soft : sizing.hard ? sizing.hard : sizing.need;
}

void NodeHistory::add_to(Circumstances& circumstances,
                         const Observation& seen,
                         std::optional<std::chrono::milliseconds> since_boot) {
  circumstances.available_low = since_boot ? available_.low(*since_boot) : std::nullopt;
  circumstances.growth = &growth_;
  if (seen.vmstat && seen.vmstat->allocstall) {
    if (last_stalls_ && *seen.vmstat->allocstall >= *last_stalls_) {
      circumstances.stalls = *seen.vmstat->allocstall - *last_stalls_;
    }
    last_stalls_ = seen.vmstat->allocstall;
  }
}

bool NodeHistory::walked(std::chrono::milliseconds since_boot, const Plan& plan) {
  Bytes vms;
  Bytes containers;
  bool known = plan.observation.pods_known;
  for (const auto& [workload, sum] : plan.workloads) {
    (workload == WorkloadClass::kVm ? vms : containers) += sum.unreclaimable.value_or(Bytes{});
    known = known && sum.unreclaimable;
  }
  if (known) {
    growth_.see_pods(since_boot, vms, containers);
  }
  const std::optional<Bytes> left = left_to_kubelet(plan.memory);
  if (left && plan.sizing.growth) {
    growth_.see_left(since_boot, *left, near_running_out(plan.sizing.growth->prior));
  }
  if (plan.memory.kubelet_available) {
    available_.add(since_boot, *plan.memory.kubelet_available);
  }

  const std::optional<Bytes> threshold = threshold_to_reach(plan);
  threshold_ =
      threshold && plan.memory.gap ? std::optional{*threshold - *plan.memory.gap} : std::nullopt;
  forecast_ = forecaster_.forecast();
  pressure_.see(since_boot, plan.observation);
  const auto& grown = plan.sizing.growth;
  const std::optional<Bytes> lost =
      grown && grown->learned ? std::optional{grown->learned->node_long} : std::nullopt;
  return warning_.see({.forecast = forecast_,
                       .headroom = headroom(plan.memory.mem_available),
                       .low_headroom = low_headroom(plan.memory.capacity.value_or(Bytes{}), lost),
                       .pressure = pressure_.rising()});
}

std::chrono::milliseconds next_look(Bytes headroom, Bytes fall_per_second) {
  if (headroom <= Bytes{}) {
    return kSoonest;
  }
  if (fall_per_second <= Bytes{}) {
    return kLatest;
  }
  constexpr double kMillisecondsPerHalf = 500;
  const double half = kMillisecondsPerHalf * static_cast<double>(headroom.value()) /
                      static_cast<double>(fall_per_second.value());
  if (half >= static_cast<double>(kLatest.count())) {
    return kLatest;
  }
  return std::max(kSoonest, std::chrono::milliseconds{static_cast<std::int64_t>(half)});
}

std::chrono::milliseconds LookPace::next(std::chrono::milliseconds now,
                                         Bytes mem_available,
                                         Bytes headroom) {
  if (last_available_) {
    // A look that follows another at once would make a small fall a fast one.
    const auto interval = std::max(now - last_look_, std::chrono::milliseconds{1000});
    const Bytes fall = std::max(*last_available_ - mem_available, Bytes{});
    fastest_fall_ = std::max(fastest_fall_, scale(fall, 1000, interval.count()));
  }
  last_available_ = mem_available;
  last_look_ = now;
  return next_look(headroom, fastest_fall_);
}

}  // namespace eviction::agent
