// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "agent/simulate/node.h"

namespace eviction::agent::simulate {

/// What a kubelet is given for memory. MiB; 0: none.
struct Thresholds {
  double hard = 0;
  double soft = 0;  ///< with a grace of 1 s and no grace for the pod
  double reclaim = 0;
  double reserved = 0;  ///< kube and system together

  /// What is kept from the pods, by whichever instrument.
  [[nodiscard]] double withheld() const { return reserved + (hard > soft ? hard : soft); }

  bool operator==(const Thresholds&) const = default;
};

/// The eviction manager of a kubelet, one pod a turn.
/// Source: kubelet v1.36 pkg/kubelet/eviction/eviction_manager.go.
class ModelKubelet {
 public:
  /// phase: when it first looks, s.
  ModelKubelet(Thresholds thresholds, double phase);

  /// What a turn did.
  struct Turn {
    bool pressure_begins = false;
    std::optional<std::size_t> evicted;
  };

  /// Whoever calls it carries out the eviction.
  Turn step(const ModelNode& node, double now);

  /// Does nothing for as long as a restart takes, and has other thresholds afterwards. Returns the
  /// running pods that it does not admit again.
  std::vector<std::size_t> restart(const ModelNode& node, const Thresholds& thresholds, double now);

  [[nodiscard]] const Thresholds& thresholds() const { return thresholds_; }

 private:
  [[nodiscard]] bool is_met(const Memory& memory, const NodeSpec& node, double now);
  [[nodiscard]] std::optional<std::size_t> victim(const ModelNode& node) const;
  void read_statistics(const ModelNode& node, double now);

  Thresholds thresholds_;
  double next_look_;
  double next_statistics_ = 0;
  std::vector<double> working_sets_;  ///< of the pods, as old as the statistics
  bool met_ = false;                  ///< at the look before: then minimum-reclaim counts
  bool soft_observed_ = false;
  bool pressure_ = false;
  double last_met_ = 0;
  std::optional<std::size_t> awaited_;  ///< evicted, and not yet cleaned up
  double awaited_since_ = 0;
  double awaited_gone_ = 0;
};

/// The policy's view of a modelled pod. working_set: MiB.
[[nodiscard]] Pod as_pod(const ModelPod& pod, std::size_t index, double working_set);

}  // namespace eviction::agent::simulate
