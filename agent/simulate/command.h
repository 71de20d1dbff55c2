// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "agent/simulate/report.h"
#include "cgroup/result.h"
#include "config/command_line.h"

namespace eviction::agent::simulate {

/// "simulate" without its output. progress: text for a person who waits, from time to time; null:
/// nobody waits. Errors: kMalformed for a wrong name, number or trace; those of reading the trace.
[[nodiscard]] Result<Report> simulate(const config::CommandLine& line,
                                      const config::AgentConfig& config,
                                      const std::function<void(const std::string&)>& progress);

}  // namespace eviction::agent::simulate
