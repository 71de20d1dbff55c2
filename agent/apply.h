// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/observation.h"
#include "agent/plan.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// How an act by hand ended.
enum class ActOutcome { kDone, kFailed, kRefused };

struct ActReport {
  ActOutcome outcome = ActOutcome::kFailed;
  std::string text;  ///< what was done, or why not
};

/// Takes one line of progress.
using Progress = std::function<void(const std::string&)>;

/// "eviction-agent apply": one transaction with the plan's value, by the guards of the daemon's
/// enforce mode. Blocks until it is committed or put back. dry_run: says what would be done.
[[nodiscard]] ActReport apply(const Host& host,
                              const config::AgentConfig& config,
                              bool dry_run,
                              const Progress& progress);

/// "eviction-agent rollback": removes every file of ours, and the agent's record. Failed where a
/// file stays, as the kubelet would not start without it.
[[nodiscard]] ActReport roll_back(const Host& host, const config::AgentConfig& config);

}  // namespace eviction::agent
