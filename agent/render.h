// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/check.h"
#include "agent/plan.h"

namespace eviction::agent {

/// The JSON contract: stable names, bytes as integers, an absent fact is null with its reason in a
/// sibling named ..._absent.
[[nodiscard]] nlohmann::ordered_json to_json(const Plan& plan);
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<Finding>& findings);

/// The same document as YAML.
[[nodiscard]] std::string to_yaml(const nlohmann::ordered_json& document);

/// For a person, 100 columns wide; colour: with ANSI escape sequences.
[[nodiscard]] std::string to_table(const Plan& plan, bool colour);
[[nodiscard]] std::string to_table(const std::vector<Finding>& findings, bool colour);

}  // namespace eviction::agent
