// SPDX-License-Identifier: Apache-2.0
#include "agent/history.h"

#include <algorithm>
#include <vector>

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

void AvailableHistory::add(std::chrono::seconds now, Bytes available) {
  if (minutes_.empty() || now - minutes_.back().begin >= kMinute) {
    minutes_.push_back({now, available});
  } else {
    minutes_.back().lowest = std::min(minutes_.back().lowest, available);
  }
  while (now - minutes_.front().begin > kSpan) {
    minutes_.pop_front();
  }
}

std::optional<Bytes> AvailableHistory::low() const {
  if (minutes_.size() < kLeastMinutes) {
    return std::nullopt;
  }
  std::vector<Bytes> sorted;
  std::ranges::transform(minutes_, std::back_inserter(sorted), &Minute::lowest);
  std::ranges::sort(sorted);
  return sorted[sorted.size() / 20];
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

}  // namespace eviction::agent
