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

constexpr std::int64_t kPermyriad = 10'000;
/// Source: the suite, tests/simulate/README.md, as the factor of near_running_out().
constexpr std::int64_t kLeastOfPrior = 4;

/// Log-linear between the points; before the first nothing, behind the last constant.
template <std::size_t N>
std::int64_t share_at(const std::array<Quantile, N>& points, int risk_permyriad) {
  const double risk = risk_permyriad;
  if (risk > points.front().probability_permyriad) {
    return 0;
  }
  for (std::size_t i = 1; i < N; ++i) {
    const Quantile& left = points.at(i - 1);
    const Quantile& right = points.at(i);
    if (risk >= right.probability_permyriad) {
      const double part = std::log(left.probability_permyriad / risk) /
                          std::log(left.probability_permyriad / right.probability_permyriad);
      return std::llround(left.share_permyriad +
                          part * (right.share_permyriad - left.share_permyriad));
    }
  }
  return static_cast<std::int64_t>(points.back().share_permyriad);
}

/// By VMs' and containers' parts of the pods' memory.
std::int64_t mixed(std::int64_t containers, std::int64_t vms, std::int64_t vm_permyriad) {
  return ((kPermyriad - vm_permyriad) * containers + vm_permyriad * vms) / kPermyriad;
}

/// The VMs' part of the pods' memory; 0 without pods.
std::int64_t vm_permyriad(const GrowthInput& input) {
  return std::llround(std::clamp(input.vm_share(), 0.0, 1.0) * kPermyriad);
}

Bytes blend(Bytes prior, const LearnedGrowth& learned) {
  if (learned.node <= Bytes{} || prior <= Bytes{}) {
    return prior;
  }
  const double ratio =
      static_cast<double>(learned.node.value()) / static_cast<double>(prior.value());
  const double blended = static_cast<double>(prior.value()) * std::pow(ratio, learned.weight);
  return std::max(Bytes{std::llround(blended)}, scale(prior, 1, kLeastOfPrior));
}

}  // namespace

double GrowthInput::vm_share() const {
  const double used = static_cast<double>(vm_working_set.value()) +
                      static_cast<double>(container_working_set.value());
  return used > 0 ? static_cast<double>(vm_working_set.value()) / used : 0;
}

Bytes usual_growth(Bytes capacity, std::int64_t vm_permyriad) {
  constexpr Bytes kSmall = 4_GiB;
  constexpr Bytes kLarge = 16_GiB;
  constexpr Bytes kOneContainer = 375_MiB;
  constexpr Bytes kAnyNode = 70_MiB;
  constexpr std::int64_t kContainersShare = 1100;  // parts per million of RAM
  constexpr std::int64_t kVmsShare = 800;
  constexpr std::int64_t kMillion = 1'000'000;
  const Bytes usual =
      kAnyNode +
      scale(std::max(capacity, kLarge), mixed(kContainersShare, kVmsShare, vm_permyriad), kMillion);
  const Bytes below = std::clamp(kLarge - capacity, Bytes{}, kLarge - kSmall);
  return usual + scale(kOneContainer - usual, below.value() >> 20, (kLarge - kSmall).value() >> 20);
}

Bytes prior_growth(const GrowthInput& input) {
  const std::int64_t vms = vm_permyriad(input);
  const std::int64_t traced =
      mixed(share_at(kContainers, input.risk_permyriad), share_at(kVms, input.risk_permyriad), vms);
  const Bytes ceiling = scale(input.capacity, input.ceiling_permyriad, kPermyriad);
  return std::min(
      ceiling,
      std::max(usual_growth(input.capacity, vms), scale(input.capacity, traced, kPermyriad)));
}

Bytes near_running_out(Bytes prior) {
  return scale(prior, 5, 2);
}

Growth expected_growth(const GrowthInput& input) {
  const std::int64_t vms = vm_permyriad(input);
  const std::int64_t reaction = mixed(kContainerReaction.count(), kVmReaction.count(), vms);
  Growth growth;
  growth.prior = prior_growth(input);
  growth.bytes = input.learned ? blend(growth.prior, *input.learned) : growth.prior;
  growth.reason = fmt::format(
      "may be lost within one reaction of {} s: {} by size and mix ({:.0f} % VMs by memory)",
      reaction,
      to_human(growth.prior),
      static_cast<double>(vms) * 100 / kPermyriad);
  if (input.learned) {
    growth.reason +=
        input.learned->node > Bytes{}
            ? fmt::format(
                  "; learned {} with weight {:.0f} %: near running out the node lost no "
                  "more within a reaction (risk {:.2f} %)",
                  to_human(input.learned->node),
                  100 * input.learned->weight,
                  static_cast<double>(input.risk_permyriad) * 100 / kPermyriad)
            : "; nothing is remembered of how the last of its memory went";
    growth.reason += fmt::format("; containers took {}, VMs {}",
                                 to_human(input.learned->containers),
                                 to_human(input.learned->vms));
  }
  const auto bound_by = [&growth](Bytes value, const char* why) {
    if (value < growth.bytes) {
      growth.bytes = value;
      growth.reason += std::string{"; "} + why;
    }
  };
  if (input.headroom) {
    bound_by(std::max(*input.headroom, std::min(usual_growth(input.capacity, vms), growth.prior)),
             "bounded by what the pods present can still take, and not below the usual");
  }
  bound_by(scale(input.capacity, input.ceiling_permyriad, kPermyriad), "bounded by growth-ceiling");
  growth.per_poll = std::max(scale(growth.bytes, kPollInterval.count(), reaction),
                             std::min(growth.bytes, usual_growth(input.capacity, vms)));
  growth.source = "prior";
  growth.learned = input.learned;
  if (input.learned && input.learned->node > Bytes{}) {
    growth.source = "prior and record of this node";
    growth.seen = input.learned->node;
  }
  return growth;
}

}  // namespace eviction::agent
