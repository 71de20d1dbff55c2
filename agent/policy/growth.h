// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cgroup/bytes.h"

namespace eviction::agent {

/// What the node's own record says of its growth: see GrowthHistory.
struct LearnedGrowth {
  Bytes node = {};             ///< fall within one reaction time of the mix, near running out
  Bytes node_long = {};        ///< fall of MemAvailable within 5 min
  Bytes containers = {};       ///< rise of the containers within a reaction to a container
  Bytes vms = {};              ///< rise of the VMs within a reaction to a VM
  double weight = 0;           ///< against the prior, 0 to 1
  Bytes containers_long = {};  ///< within 5 min
  Bytes vms_long = {};         ///< within an hour

  bool operator==(const LearnedGrowth&) const = default;
};

/// What decides how much memory a node may lose within one reaction of its kubelet.
struct GrowthInput {
  Bytes capacity;
  Bytes vm_working_set;
  Bytes container_working_set;  ///< all other pods
  /// What the pods present can still take, which bounds growth, but not below usual_growth().
  /// Absent: no bound.
  std::optional<Bytes> headroom;
  int risk_permyriad = 1000;
  int ceiling_permyriad = 1000;  ///< share of capacity
  std::optional<LearnedGrowth> learned = {};

  /// The VMs' part of the pods' memory, 0 to 1; 0 without pods.
  [[nodiscard]] double vm_share() const;
};

/// The growth term and how it came about.
struct Growth {
  Bytes bytes;     ///< to be survived within one reaction time
  Bytes per_poll;  ///< its part within one poll of the kubelet, at least usual_growth() or all
  std::string reason;
  std::string source;                         ///< "prior", or "prior and record of this node"
  Bytes prior = {};                           ///< what counts where nothing was learned
  std::optional<LearnedGrowth> learned = {};  ///< absent: nothing was watched yet
  std::optional<Bytes> seen = {};             ///< the part of what was learned that counts
};

/// From crossing to relief: 10 s poll, statistics, 1 s grace, tear-down of the victim.
/// Source: measured with kubelet 1.36.2, 6.6 to 14.1 s for a container; a VM frees more, later.
inline constexpr std::chrono::seconds kContainerReaction{15};
inline constexpr std::chrono::seconds kVmReaction{25};

/// The kubelet looks at its signals every 10 s. Source: kubelet v1.36 pkg/kubelet/kubelet.go
/// evictionMonitoringPeriod.
inline constexpr std::chrono::seconds kPollInterval{10};

/// For a node whose pods' memory is VMs by this part (parts per 10000). From 16 GiB of RAM on: 70
/// MiB, and of RAM 0.11 % for containers and 0.08 % for VMs. That does the least harm in the suite
/// of tests/simulate: with half as much the kernel kills more often, with twice as much more pods
/// are evicted without need. Up to 4 GiB: one container of 30 MiB/s, which takes 369 MiB until it
/// is evicted if the kubelet has just looked; measured on such a node with kubelet 1.36.2 and K + R
/// of 231 MiB, where it was evicted with 500Mi and 800Mi, and the kernel killed with 300Mi. On a
/// line between the two.
[[nodiscard]] Bytes usual_growth(Bytes capacity, std::int64_t vm_permyriad);

/// What is allowed for where nothing was learned: usual_growth(), or what public traces say of a
/// risk of 1 % and less (see growth.cc), within growth-ceiling.
[[nodiscard]] Bytes prior_growth(const GrowthInput& input);

/// Less than this left until memory runs out is near it: two and a half priors, so hardly more is
/// ever learned. Chosen by the suite of tests/simulate: with two the kernel kills more often, with
/// three more pods are evicted without need.
[[nodiscard]] Bytes near_running_out(Bytes prior);

/// The prior, and the node's own record as far as there is one: with weight W the geometric mean of
/// what was learned, counted W, and the prior, counted 1 - W; a quarter of the prior at least. What
/// containers and VMs rose by is told, and not added up: they seldom rise at once, and most of it
/// is VMs that start.
[[nodiscard]] Growth expected_growth(const GrowthInput& input);

}  // namespace eviction::agent
