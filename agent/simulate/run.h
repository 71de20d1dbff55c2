// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/simulate/kubelet.h"
#include "config/agent_config.h"

namespace eviction::agent::simulate {

/// A node, its pods, and how long they are watched.
struct Scenario {
  std::string name;
  NodeSpec node;
  std::vector<PodSpec> pods = {};
  double seconds = 0;
  std::uint64_t seed = 1;
};

/// What counts how much. An eviction or a spell of MemoryPressure is needless if the node would not
/// have run out of memory within 5 minutes without it.
struct HarmWeights {
  double oom_kill = 10;
  double needless_vm = 3;
  double needless_container = 1;
  double needless_spell = 1;
  double restart = 1;
};

/// All of them, in their order.
inline constexpr std::array kHarmWeights{&HarmWeights::oom_kill,
                                         &HarmWeights::needless_vm,
                                         &HarmWeights::needless_container,
                                         &HarmWeights::needless_spell,
                                         &HarmWeights::restart};

/// Something that happened.
struct Event {
  double at = 0;
  std::string what;  ///< "OOM kill", "eviction", "needless eviction", "restart", "rejected"
  std::string pod;
};

/// Kubelet-available at its lowest within an interval that begins at this time, MiB.
struct Sample {
  double at = 0;
  double available = 0;
  double mem_available = 0;
  double threshold = 0;
};

/// What a policy did to a node.
struct Outcome {
  std::string scenario;
  std::string policy;
  double hours = 0;
  Thresholds first;
  Thresholds last;
  int oom_kills = 0;      ///< by the kernel, for want of memory on the node or in kubepods
  int vm_power_cuts = 0;  ///< VMs killed or evicted
  int vm_evictions = 0;
  int container_evictions = 0;
  int needless_vm_evictions = 0;
  int needless_container_evictions = 0;
  int pressure_spells = 0;
  int needless_spells = 0;
  int restarts = 0;
  int rejected = 0;  ///< running pods that a restarted kubelet did not admit
  double withheld_gib_hours = 0;
  double lowest_mem_available = 0;  ///< MiB
  double short_of = 0;              ///< MiB that were wanted beyond what there is, at most
  std::vector<Event> events;
  int events_left_out = 0;  ///< that came after these
  std::vector<Sample> samples;

  /// A rejected pod counts as a needless eviction of its class.
  [[nodiscard]] double harm(const HarmWeights& weights) const;
};

/// done: share of the run, from time to time. Null: not told.
using Done = std::function<void(double done)>;

/// policy: one of fixed_policies(), or kOurs, with config. Pure, and the same for the same input.
[[nodiscard]] Outcome run(const Scenario& scenario,
                          const std::string& policy,
                          const config::AgentConfig& config,
                          const Done& done = nullptr);

}  // namespace eviction::agent::simulate
