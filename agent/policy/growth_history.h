// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include "agent/policy/fall_record.h"
#include "agent/policy/growth.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// What is watched, within which time, and for how long it is remembered. VMs take memory in one
/// piece when they start and then over days; containers within seconds, and every day anew.
enum class FallKind {
  kLeftFast,        ///< what is left near running out: 15 s, as the reaction to a container, 24 h
  kLeftSlow,        ///< the same within the reaction to a VM: 25 s, half-life 7 days
  kNodeLong,        ///< MemAvailable within 5 min, half-life 24 h: told, not sized by
  kContainers,      ///< memory of all other pods, rising: 15 s, half-life 24 h
  kContainersLong,  ///< the same within 5 min: told, not sized by
  kVms,             ///< memory of VMs, rising: 25 s, half-life 7 days
  kVmsLong,         ///< the same within an hour: told, not sized by
};

inline constexpr std::array kFallKinds{FallKind::kLeftFast,
                                       FallKind::kLeftSlow,
                                       FallKind::kNodeLong,
                                       FallKind::kContainers,
                                       FallKind::kContainersLong,
                                       FallKind::kVms,
                                       FallKind::kVmsLong};

/// "left-15s", "left-25s", "node-5min", "containers-15s", "containers-5min", "vms-25s", "vms-1h".
[[nodiscard]] std::string_view to_text(FallKind kind);

/// How a history is kept over a restart of the agent.
struct GrowthCheckpoint {
  Bytes capacity;
  int vm_share_permyriad = 0;  ///< of the pods' memory, when what was learned was lost
  std::array<FallCheckpoint, kFallKinds.size()> falls = {};

  bool operator==(const GrowthCheckpoint&) const = default;
};

/// What this node has lost within one reaction time, learned by looking. Pure: time comes in.
class GrowthHistory {
 public:
  GrowthHistory();

  /// A look at /proc/meminfo. since_boot: of the clock that runs in suspend, too. Another capacity
  /// (by more than an eighth) is another machine: everything is forgotten.
  void see_node(std::chrono::milliseconds since_boot, Bytes capacity, Bytes mem_available);

  /// What the kubelet still counts as available beyond what kernel and reserve hold when the node
  /// is full; with none of it left the kernel kills. Learned is how fast it goes where it is less
  /// than this, each part of the way once, until there is more again: only there does a threshold
  /// decide, and what comes and goes without bringing the node nearer to its end decides nothing.
  void see_left(std::chrono::milliseconds since_boot, Bytes left, Bytes near);

  /// A walk of the pods: what they hold that reclaim cannot take. Page cache is left out, because
  /// it rises and falls without the node losing or winning memory.
  void see_pods(std::chrono::milliseconds since_boot, Bytes vms, Bytes containers);

  /// Absent before anything was watched, and for another machine. vm_share: of the pods' memory
  /// now, 0 to 1; what was learned with another mix has less weight. Half the weight, with the same
  /// mix, has a record of four times the prior.
  [[nodiscard]] std::optional<LearnedGrowth> learned(Bytes capacity,
                                                     double vm_share,
                                                     int risk_permyriad,
                                                     Bytes prior) const;

  [[nodiscard]] GrowthCheckpoint checkpoint() const;
  void restore(const GrowthCheckpoint& checkpoint);

 private:
  [[nodiscard]] FallRecord& record(FallKind kind) {
    return falls_.at(static_cast<std::size_t>(kind));
  }

  [[nodiscard]] const FallRecord& record(FallKind kind) const {
    return falls_.at(static_cast<std::size_t>(kind));
  }

  [[nodiscard]] bool is_of(Bytes capacity) const;

  Bytes capacity_;
  double vm_share_ = 0;               ///< mean over what was lost near running out
  double vm_share_now_ = 0;           ///< at the last walk
  std::optional<Bytes> lowest_left_;  ///< since there was more than near
  Bytes gone_near_;                   ///< of what is near running out, since then
  std::array<FallRecord, kFallKinds.size()> falls_;
};

}  // namespace eviction::agent
