// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/run.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "agent/simulate/own_policy.h"
#include "agent/simulate/policies.h"

namespace eviction::agent::simulate {

namespace {

constexpr double kStep = 1;
/// A need that shows later than this is none.
constexpr int kNeededWithin = 300;
constexpr double kWalk = 10;
constexpr double kMibPerGib = 1024;
constexpr double kSecondsPerHour = 3600;
constexpr double kSamples = 600;
constexpr std::size_t kMostEvents = 2000;

bool is_vm(const ModelPod& pod) {
  return pod.spec().workload == WorkloadClass::kVm;
}

/// Whether the kernel would have to kill, were nothing done.
bool runs_out(ModelNode node, double now) {
  for (int ahead = 1; ahead <= kNeededWithin; ++ahead) {
    if (node.step(now + ahead * kStep, kStep)) {
      return true;
    }
  }
  return false;
}

class Run {
 public:
  Run(const Scenario& scenario, const std::string& policy, const config::AgentConfig& config)
      : scenario_{scenario}, node_{scenario.node, scenario.pods, scenario.seed} {
    outcome_.scenario = scenario.name;
    outcome_.policy = policy;
    outcome_.hours = scenario.seconds / kSecondsPerHour;
    outcome_.lowest_mem_available = node_.memory().mem_available;
    Thresholds thresholds;
    if (policy == kOurs) {
      own_.emplace(config);
      thresholds = own_->set_up(node_);
    } else {
      NodeSpec spec = scenario.node;
      thresholds = fixed_thresholds(policy, spec.capacity).value_or(Thresholds{});
      thresholds.reserved = std::max(thresholds.reserved, spec.reserved);
      spec.reserved = thresholds.reserved;
      spec.kubepods_max = std::min(spec.kubepods_max, spec.capacity - spec.reserved);
      node_ = ModelNode{spec, scenario.pods, scenario.seed};
    }
    outcome_.first = thresholds;
    Random random{scenario.seed + 1};
    kubelet_.emplace(thresholds, random.uniform(0, 10));
  }

  Outcome go(const Done& done) {
    const auto steps = static_cast<std::int64_t>(scenario_.seconds / kStep);
    const std::int64_t tell = std::max<std::int64_t>(steps / 100, 1);
    for (std::int64_t i = 1; i <= steps; ++i) {
      second(static_cast<double>(i) * kStep);
      if (done && i % tell == 0) {
        done(static_cast<double>(i) / static_cast<double>(steps));
      }
    }
    outcome_.last = kubelet_->thresholds();
    return std::move(outcome_);
  }

 private:
  void note(double now, const char* what, std::string pod) {
    if (outcome_.events.size() < kMostEvents) {
      outcome_.events.push_back({now, what, std::move(pod)});
    } else {
      ++outcome_.events_left_out;
    }
  }

  void note(double now, const char* what, std::size_t pod) {
    note(now, what, node_.pods().at(pod).spec().name);
  }

  void second(double now) {
    if (const auto killed = node_.step(now, kStep)) {
      ++outcome_.oom_kills;
      outcome_.vm_power_cuts += is_vm(node_.pods().at(*killed)) ? 1 : 0;
      note(now, "OOM kill", *killed);
    }
    look_of_kubelet(now);
    if (own_) {
      own_->look(node_, now);
      if (std::fmod(now, kWalk) < kStep) {
        if (const auto changed = own_->walk(node_, now)) {
          restart(*changed, now);
        }
      }
    }
    outcome_.withheld_gib_hours +=
        kubelet_->thresholds().withheld() / kMibPerGib * kStep / kSecondsPerHour;
    sample(now);
  }

  void look_of_kubelet(double now) {
    const ModelKubelet::Turn turn = kubelet_->step(node_, now);
    if (!turn.evicted && !turn.pressure_begins) {
      return;
    }
    const bool needed = runs_out(node_, now);
    if (turn.pressure_begins) {
      ++outcome_.pressure_spells;
      outcome_.needless_spells += needed ? 0 : 1;
    }
    if (turn.evicted) {
      count_eviction(*turn.evicted, needed);
      note(now, needed ? "eviction" : "needless eviction", *turn.evicted);
      node_.evict(*turn.evicted, now);
    }
  }

  void count_eviction(std::size_t pod, bool needed) {
    const bool vm = is_vm(node_.pods().at(pod));
    ++(vm ? outcome_.vm_evictions : outcome_.container_evictions);
    outcome_.vm_power_cuts += vm ? 1 : 0;
    if (!needed) {
      ++(vm ? outcome_.needless_vm_evictions : outcome_.needless_container_evictions);
    }
  }

  void restart(const Thresholds& thresholds, double now) {
    ++outcome_.restarts;
    note(now, "restart", std::string{});
    for (const std::size_t pod : kubelet_->restart(node_, thresholds, now)) {
      ++outcome_.rejected;
      count_eviction(pod, false);
      note(now, "rejected", pod);
      node_.evict(pod, now);
    }
  }

  void sample(double now) {
    const Memory& memory = node_.memory();
    const Thresholds& thresholds = kubelet_->thresholds();
    outcome_.lowest_mem_available = std::min(outcome_.lowest_mem_available, memory.mem_available);
    outcome_.short_of = std::max(outcome_.short_of, memory.short_of);
    const double interval = std::max(scenario_.seconds / kSamples, kStep);
    if (outcome_.samples.empty() || now - outcome_.samples.back().at >= interval) {
      outcome_.samples.push_back({now,
                                  memory.kubelet_available,
                                  memory.mem_available,
                                  std::max(thresholds.hard, thresholds.soft)});
      return;
    }
    Sample& last = outcome_.samples.back();
    last.available = std::min(last.available, memory.kubelet_available);
    last.mem_available = std::min(last.mem_available, memory.mem_available);
  }

  const Scenario& scenario_;
  ModelNode node_;
  std::optional<ModelKubelet> kubelet_;
  std::optional<OwnPolicy> own_;
  Outcome outcome_;
};

}  // namespace

double Outcome::harm(const HarmWeights& weights) const {
  return weights.oom_kill * oom_kills + weights.needless_vm * needless_vm_evictions +
         weights.needless_container * needless_container_evictions +
         weights.needless_spell * needless_spells + weights.restart * restarts;
}

Outcome run(const Scenario& scenario,
            const std::string& policy,
            const config::AgentConfig& config,
            const Done& done) {
  return Run{scenario, policy, config}.go(done);
}

}  // namespace eviction::agent::simulate
