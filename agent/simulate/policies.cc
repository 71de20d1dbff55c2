// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/policies.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace eviction::agent::simulate {

namespace {

constexpr double kGib = 1024;
/// The kubelet's default of maxPods, which the reservations of AKS and EKS count by.
constexpr double kMaxPods = 110;
constexpr double kKubeletDefault = 100;

/// Source: cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes.
double gke_reserved(double capacity) {
  struct Tier {
    double up_to;
    double share;
  };

  constexpr std::array<Tier, 4> kTiers{
      {{4 * kGib, 0.25}, {8 * kGib, 0.20}, {16 * kGib, 0.10}, {128 * kGib, 0.06}}};
  constexpr double kAbove = 0.02;
  if (capacity < kGib) {
    return 255;
  }
  double reserved = 0;
  double from = 0;
  for (const Tier& tier : kTiers) {
    reserved += tier.share * std::max(std::min(capacity, tier.up_to) - from, 0.0);
    from = tier.up_to;
  }
  return reserved + kAbove * std::max(capacity - from, 0.0);
}

/// Source: learn.microsoft.com/azure/aks/node-resource-reservations, 1.29 and later.
double aks_reserved(double capacity) {
  return std::min(20 * kMaxPods + 50, capacity / 4);
}

/// Source: awslabs/amazon-eks-ami nodeadm/internal/kubelet/config.go getMemoryMebibytesToReserve.
double eks_reserved() {
  return 11 * kMaxPods + 255;
}

/// Source: openshift/machine-config-operator templates/common/_base/files/kubelet-auto-sizing.yaml:
/// 1 GiB and 6 % of the next 120 GiB up to 128 GiB, else 7.72 GiB and 2 % above 120 GiB; rounded to
/// whole GiB.
double openshift_reserved(double capacity) {
  const double gib = std::floor(capacity / kGib);
  double reserved = 1;
  if (gib > 8 && gib <= 128) {
    reserved += 0.06 * (gib - 8);
  } else if (gib > 128) {
    reserved += 6.72 + 0.02 * (gib - 8 - 112);
  }
  return std::round(reserved) * kGib;
}

struct Fixed {
  const char* name;
  Thresholds (*thresholds)(double capacity);
};

constexpr std::array kFixed{
    Fixed{"rke2-default", [](double) { return Thresholds{}; }},
    Fixed{"kubelet-100Mi", [](double) { return Thresholds{.hard = kKubeletDefault}; }},
    Fixed{"static-6Gi-4Gi",
          [](double) { return Thresholds{.hard = 6 * kGib, .reclaim = 4 * kGib}; }},
    Fixed{"percent-5", [](double capacity) { return Thresholds{.hard = capacity * 0.05}; }},
    Fixed{"percent-10", [](double capacity) { return Thresholds{.hard = capacity * 0.10}; }},
    Fixed{"percent-7-1Gi",
          [](double capacity) { return Thresholds{.hard = capacity * 0.07, .reclaim = kGib}; }},
    Fixed{"gke",
          [](double capacity) {
            return Thresholds{.hard = kKubeletDefault, .reserved = gke_reserved(capacity)};
          }},
    Fixed{"aks",
          [](double capacity) {
            return Thresholds{.hard = kKubeletDefault, .reserved = aks_reserved(capacity)};
          }},
    Fixed{"eks",
          [](double) { return Thresholds{.hard = kKubeletDefault, .reserved = eks_reserved()}; }},
    Fixed{"openshift", [](double capacity) {
            return Thresholds{.hard = kKubeletDefault, .reserved = openshift_reserved(capacity)};
          }}};

}  // namespace

const std::vector<std::string>& fixed_policies() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    std::ranges::transform(kFixed, std::back_inserter(list), &Fixed::name);
    return list;
  }();
  return names;
}

std::optional<Thresholds> fixed_thresholds(std::string_view policy, double capacity_mib) {
  const auto* const found = std::ranges::find(kFixed, policy, &Fixed::name);
  return found == kFixed.end() ? std::nullopt : std::optional{found->thresholds(capacity_mib)};
}

}  // namespace eviction::agent::simulate
