// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "agent/observation.h"
#include "cgroup/directory.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// Files of ours without which this node's kubelet would not start, and why: those whose hard
/// threshold the reserved memory of the Static memory manager counts. By path below root; each by
/// itself, as if the others stayed.
[[nodiscard]] std::map<std::string, std::string> needed_files(const Observation& seen,
                                                              const config::AgentConfig& config,
                                                              const cgroup::Directory& root);

/// That such a file stays. path: as the operator would name it.
[[nodiscard]] Error stays(std::string path, const std::string& reason);

}  // namespace eviction::agent
