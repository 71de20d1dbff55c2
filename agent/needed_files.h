// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "agent/observation.h"
#include "cgroup/directory.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// Files of ours without which this node's kubelet would not start, and why: those whose hard
/// threshold the reserved memory of the Static memory manager counts. By path below the host's
/// root; each by itself, as if the others stayed. host: that seen was observed on.
[[nodiscard]] std::map<std::string, std::string> needed_files(const Host& host,
                                                              const Observation& seen,
                                                              config::AgentConfig config);

/// That such a file stays. path: as the operator would name it.
[[nodiscard]] Error stays(std::string path, const std::string& reason);

}  // namespace eviction::agent
