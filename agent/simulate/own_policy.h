// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "agent/history.h"
#include "agent/policy/decide.h"
#include "agent/policy/growth_history.h"
#include "agent/simulate/kubelet.h"
#include "config/agent_config.h"

namespace eviction::agent::simulate {

/// This program on a modelled node: the observation is made up from the model, everything behind it
/// (history, plan, guards, decision) is what the daemon runs, in mode enforce.
class OwnPolicy {
 public:
  explicit OwnPolicy(config::AgentConfig config);

  /// What the node is set up with, as a file that was there before the kubelet started: the plan of
  /// the first moment. Where the pods' memory leaves no room for a value by then, that of the time
  /// before they took any.
  [[nodiscard]] Thresholds set_up(const ModelNode& node);

  /// The cheap look.
  void look(const ModelNode& node, double now);

  /// The walk and the decision. Absent: the kubelet runs on as it is.
  [[nodiscard]] std::optional<Thresholds> walk(const ModelNode& node, double now);

  /// Why the plan is what it is, of the last walk.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  [[nodiscard]] Observation observe(const ModelNode& node, double now) const;
  [[nodiscard]] Plan plan(const ModelNode& node, double now);

  config::AgentConfig config_;
  GrowthHistory growth_;
  Bytes near_;  ///< as of the last plan
  AvailableHistory available_;
  Record record_;
  std::optional<std::string> file_;  ///< what the kubelet will read at its next start
  std::optional<std::string> in_force_;
  double kubelet_start_ = -3600;
  LowerWatch lower_watch_;
  std::string reason_;
};

}  // namespace eviction::agent::simulate
