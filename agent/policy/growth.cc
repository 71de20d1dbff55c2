// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/growth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

/// A point of a distribution: with this probability the fall within the window is larger than this
/// share of RAM (both in parts per 10000).
struct Quantile {
  double probability_permyriad;
  double share_permyriad;
};

/// Containers, fall within 1 min: p99 4 %, p99.9 6 %, largest of 131,632 machine-minutes 16 %.
/// Source: public trace of a hot fleet, 16 machines at 72 to 98 % use, whole-percent samples.
constexpr std::array<Quantile, 3> kContainers = {{{100, 400}, {10, 600}, {0.076, 1600}}};

/// VMs as resident sets, fall within 5 min: p99.9 2.5 GiB of 128 GiB (1.95 %), largest of 345,600
/// windows 20 GiB (15.6 %). Source: 500 public VM traces packed on 40 nodes of 128 GiB for 30 days;
/// on 512 GiB the shares are smaller (1.76 % and 5.9 %).
constexpr std::array<Quantile, 2> kVms = {{{10, 195}, {0.029, 1562}}};

/// What one CPU can fault in: first touch of anonymous memory, 4 KiB and 2 MiB pages alike.
/// Source: measured, 1.9 to 2.1 GiB/s on a 2026 x86-64 server.
constexpr Bytes kFillPerSecond = 2_GiB;

constexpr std::int64_t kPermyriad = 10'000;

/// Log-linear between the points; before the first on the line of the first two, to nothing; behind
/// the last constant.
template <std::size_t N>
std::int64_t share_at(const std::array<Quantile, N>& points, int risk_permyriad) {
  const double risk = risk_permyriad;
  for (std::size_t i = 1; i < N; ++i) {
    const Quantile& left = points.at(i - 1);
    const Quantile& right = points.at(i);
    if (risk >= right.probability_permyriad) {
      const double part = std::log(left.probability_permyriad / risk) /
                          std::log(left.probability_permyriad / right.probability_permyriad);
      return std::max<std::int64_t>(
          std::llround(left.share_permyriad +
                       part * (right.share_permyriad - left.share_permyriad)),
          0);
    }
  }
  return static_cast<std::int64_t>(points.back().share_permyriad);
}

/// What a node of this mix may lose, with the words for it.
struct Expectation {
  Bytes bytes;
  std::string reason;
};

/// By VMs' and containers' parts of the pods' memory.
std::int64_t mixed(std::int64_t containers, std::int64_t vms, std::int64_t vm_permyriad) {
  return ((kPermyriad - vm_permyriad) * containers + vm_permyriad * vms) / kPermyriad;
}

Expectation by_prior(const GrowthInput& input, std::int64_t vm_weight, std::int64_t reaction) {
  const std::int64_t share = mixed(
      share_at(kContainers, input.risk_permyriad), share_at(kVms, input.risk_permyriad), vm_weight);
  return {scale(input.capacity, share, kPermyriad),
          fmt::format("{:.2f} % of RAM may be lost within one reaction of {} s (risk {:.2f} %, "
                      "{:.0f} % VMs by memory)",
                      static_cast<double>(share) / 100,
                      reaction,
                      static_cast<double>(input.risk_permyriad) / 100,
                      static_cast<double>(vm_weight) / 100)};
}

Expectation blend(const Expectation& prior, const LearnedGrowth& learned) {
  const auto weight = static_cast<std::int64_t>(std::llround(learned.weight * kPermyriad));
  return {
      scale(learned.node, weight, kPermyriad) + scale(prior.bytes, kPermyriad - weight, kPermyriad),
      fmt::format("prior {}: {}; learned {} with weight {:.0f} %: the node lost {}, containers "
                  "took {}, VMs {}",
                  to_human(prior.bytes),
                  prior.reason,
                  to_human(learned.node),
                  static_cast<double>(weight) / 100,
                  to_human(learned.node),
                  to_human(learned.containers),
                  to_human(learned.vms))};
}

}  // namespace

double GrowthInput::vm_share() const {
  const double used = static_cast<double>(vm_working_set.value()) +
                      static_cast<double>(container_working_set.value());
  return used > 0 ? static_cast<double>(vm_working_set.value()) / used : 0;
}

Bytes least_growth(Bytes capacity, std::int64_t vm_permyriad) {
  constexpr Bytes kSmall = 4_GiB;
  constexpr Bytes kLarge = 16_GiB;
  constexpr Bytes kOneContainer = 375_MiB;
  constexpr Bytes kLeast = 85_MiB;
  constexpr std::int64_t kContainersShare = 1400;  // parts per million of RAM
  constexpr std::int64_t kVmsShare = 1000;
  constexpr std::int64_t kMillion = 1'000'000;
  const Bytes usual =
      kLeast +
      scale(std::max(capacity, kLarge), mixed(kContainersShare, kVmsShare, vm_permyriad), kMillion);
  const Bytes below = std::clamp(kLarge - capacity, Bytes{}, kLarge - kSmall);
  return usual + scale(kOneContainer - usual, below.value() >> 20, (kLarge - kSmall).value() >> 20);
}

Growth expected_growth(const GrowthInput& input) {
  const std::int64_t used =
      std::max<std::int64_t>(input.vm_working_set.value() + input.container_working_set.value(), 0);
  const std::int64_t vm_weight =
      used == 0 ? 0 : scale(Bytes{kPermyriad}, input.vm_working_set.value(), used).value();
  const std::int64_t weighted_reaction =
      (kPermyriad - vm_weight) * kContainerReaction.count() + vm_weight * kVmReaction.count();
  const std::int64_t reaction = weighted_reaction / kPermyriad;
  const Expectation prior = by_prior(input, vm_weight, reaction);
  const Expectation expected = input.learned ? blend(prior, *input.learned) : prior;
  const Bytes by_speed = scale(kFillPerSecond, weighted_reaction, kPermyriad);
  const Bytes ceiling = scale(input.capacity, input.ceiling_permyriad, kPermyriad);

  Growth growth;
  growth.bytes = expected.bytes;
  growth.reason = expected.reason;
  const auto bound_by = [&growth](Bytes value, const char* why) {
    if (value < growth.bytes) {
      growth.bytes = value;
      growth.reason += std::string{"; "} + why;
    }
  };
  bound_by(by_speed, "bounded by what one CPU can fault in within one reaction time");
  if (input.headroom) {
    bound_by(*input.headroom, "bounded by what the pods present can still take");
  }
  const Bytes least = least_growth(input.capacity, vm_weight);
  if (growth.bytes < least) {
    growth.bytes = least;
    growth.reason += "; raised to the least for a node of this size";
  }
  bound_by(ceiling, "bounded by growth-ceiling");
  growth.per_poll =
      std::max(scale(growth.bytes, kPollInterval.count(), reaction), std::min(growth.bytes, least));
  growth.source = input.learned ? "prior and record of this node" : "prior";
  growth.prior = prior.bytes;
  growth.learned = input.learned;
  if (input.learned) {
    growth.seen = input.learned->node;
  }
  return growth;
}

}  // namespace eviction::agent
