// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/growth_history.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace eviction::agent {

namespace {

constexpr std::chrono::hours kDay{24};
constexpr std::chrono::hours kWeek{7 * 24};
constexpr std::chrono::minutes kLongWindow{5};
constexpr std::chrono::hours kRatchetWindow{1};
constexpr double kPermyriad = 10'000;

std::array<FallRecord, kFallKinds.size()> fresh() {
  return {FallRecord{kContainerReaction, kDay},
          FallRecord{kVmReaction, kWeek},
          FallRecord{kLongWindow, kDay},
          FallRecord{kContainerReaction, kDay},
          FallRecord{kLongWindow, kDay},
          FallRecord{kVmReaction, kWeek},
          FallRecord{kRatchetWindow, kWeek}};
}

Bytes mix(Bytes containers, Bytes vms, double vm_share) {
  return Bytes{std::llround(static_cast<double>(containers.value()) * (1 - vm_share) +
                            static_cast<double>(vms.value()) * vm_share)};
}

}  // namespace

std::string_view to_text(FallKind kind) {
  switch (kind) {
    case FallKind::kLeftFast:
      return "left-15s";
    case FallKind::kLeftSlow:
      return "left-25s";
    case FallKind::kNodeLong:
      return "node-5min";
    case FallKind::kContainers:
      return "containers-15s";
    case FallKind::kContainersLong:
      return "containers-5min";
    case FallKind::kVms:
      return "vms-25s";
    case FallKind::kVmsLong:
      return "vms-1h";
  }
  return "";
}

GrowthHistory::GrowthHistory() : falls_{fresh()} {}

bool GrowthHistory::is_of(Bytes capacity) const {
  const Bytes difference = std::max(capacity, capacity_) - std::min(capacity, capacity_);
  return capacity_ == Bytes{} || difference <= scale(capacity_, 1, 8);
}

void GrowthHistory::see_node(std::chrono::milliseconds since_boot,
                             Bytes capacity,
                             Bytes mem_available) {
  if (!is_of(capacity)) {
    falls_ = fresh();
    vm_share_ = 0;
    lowest_left_.reset();
    gone_near_ = Bytes{};
  }
  capacity_ = capacity;
  record(FallKind::kNodeLong).see(since_boot, mem_available);
}

void GrowthHistory::see_left(std::chrono::milliseconds since_boot, Bytes left, Bytes near) {
  const Bytes now = std::max(left, Bytes{});
  const Bytes before = lowest_left_.value_or(now);
  const Bytes gone = now >= near ? Bytes{} : std::max(std::min(before, near) - now, Bytes{});
  if (gone > Bytes{}) {
    const auto known = static_cast<double>(record(FallKind::kLeftSlow).lost().value());
    const auto added = static_cast<double>(gone.value());
    vm_share_ = (vm_share_ * known + vm_share_now_ * added) / (known + added);
  }
  gone_near_ = now >= near ? Bytes{} : gone_near_ + gone;
  lowest_left_ = now >= near ? now : std::min(before, now);
  record(FallKind::kLeftFast).see(since_boot, Bytes{} - gone_near_);
  record(FallKind::kLeftSlow).see(since_boot, Bytes{} - gone_near_);
}

void GrowthHistory::see_pods(std::chrono::milliseconds since_boot, Bytes vms, Bytes containers) {
  for (const FallKind kind : {FallKind::kContainers, FallKind::kContainersLong}) {
    record(kind).see(since_boot, Bytes{} - containers);
  }
  for (const FallKind kind : {FallKind::kVms, FallKind::kVmsLong}) {
    record(kind).see(since_boot, Bytes{} - vms);
  }
  if (const Bytes all = vms + containers; all > Bytes{}) {
    vm_share_now_ = static_cast<double>(vms.value()) / static_cast<double>(all.value());
  }
}

std::optional<LearnedGrowth> GrowthHistory::learned(Bytes capacity,
                                                    double vm_share,
                                                    int risk_permyriad,
                                                    Bytes prior) const {
  constexpr std::int64_t kPriorsOfHalfTheWeight = 4;  // by the suite, tests/simulate/README.md
  if (!is_of(capacity) || record(FallKind::kNodeLong).watched() == std::chrono::milliseconds{}) {
    return std::nullopt;
  }
  const auto largest = [this, risk_permyriad](FallKind kind) {
    return record(kind).largest(risk_permyriad);
  };
  LearnedGrowth learned;
  learned.node = mix(largest(FallKind::kLeftFast), largest(FallKind::kLeftSlow), vm_share);
  learned.node_long = largest(FallKind::kNodeLong);
  learned.containers = largest(FallKind::kContainers);
  learned.containers_long = largest(FallKind::kContainersLong);
  learned.vms = largest(FallKind::kVms);
  learned.vms_long = largest(FallKind::kVmsLong);
  const Bytes lost =
      mix(record(FallKind::kLeftFast).lost(), record(FallKind::kLeftSlow).lost(), vm_share);
  const Bytes against = lost + scale(prior, kPriorsOfHalfTheWeight, 1);
  if (against > Bytes{}) {
    learned.weight = static_cast<double>(lost.value()) / static_cast<double>(against.value()) *
                     (1 - std::abs(vm_share - vm_share_));
  }
  return learned;
}

GrowthCheckpoint GrowthHistory::checkpoint() const {
  GrowthCheckpoint checkpoint{
      .capacity = capacity_,
      .vm_share_permyriad = static_cast<int>(std::lround(vm_share_ * kPermyriad))};
  std::ranges::transform(falls_, checkpoint.falls.begin(), &FallRecord::checkpoint);
  return checkpoint;
}

void GrowthHistory::restore(const GrowthCheckpoint& checkpoint) {
  capacity_ = checkpoint.capacity;
  vm_share_ = checkpoint.vm_share_permyriad / kPermyriad;
  for (std::size_t i = 0; i < falls_.size(); ++i) {
    falls_.at(i).restore(checkpoint.falls.at(i));
  }
}

}  // namespace eviction::agent
