// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "agent/check.h"

namespace eviction::agent {

/// The parts of check() share these; nobody else needs them.
using Findings = std::vector<Finding>;

inline constexpr const char* kNothingToDo = "nothing needs doing";

/// remedy: never empty, since this is for what is not in order.
void add(Findings& findings,
         const std::string& name,
         Severity severity,
         const std::string& what,
         const std::string& remedy);
void add_ok(Findings& findings, const std::string& name, const std::string& what);

/// An error without its remedy.
[[nodiscard]] std::string fact_of(Error error);

/// All that is to be said of the kubelet: its version, settings, target and thresholds.
void check_kubelet(const Plan& plan, Findings& findings);

}  // namespace eviction::agent
