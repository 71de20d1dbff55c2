// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/plan.h"

namespace eviction::agent {

enum class Severity { kOk, kInfo, kWarning, kError };

/// "ok", "info", "warning", "error".
[[nodiscard]] std::string_view to_text(Severity severity);

/// One thing that was looked at.
struct Finding {
  std::string name;  ///< stable: "cgroup-version", "psi", "kubelet", ...
  Severity severity = Severity::kOk;
  std::string what;    ///< the fact, or the cause
  std::string remedy;  ///< what to do; empty when nothing is to be done
};

/// Preflight: is this node fit for the agent? One finding or more for each subject.
[[nodiscard]] std::vector<Finding> check(const Plan& plan);

/// No finding is an error.
[[nodiscard]] bool fit(const std::vector<Finding>& findings);

}  // namespace eviction::agent
