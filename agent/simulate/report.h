// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/simulate/run.h"
#include "cgroup/result.h"

namespace eviction::agent::simulate {

/// Outcomes of several policies on the same scenarios, and what counts how much.
struct Report {
  std::vector<Outcome> outcomes;  ///< by scenario; each has the same policies in the same order
  HarmWeights weights;
  std::optional<Error> problem = {};  ///< why a recording was not taken to its end
};

/// One policy over all scenarios.
struct Total {
  std::string policy = {};
  double harm = 0;
  /// With one weight halved and with it doubled, in the order of HarmWeights.
  std::array<double, 2 * kHarmWeights.size()> harm_otherwise = {};
  double withheld_gib_hours = 0;
  int oom_kills = 0;
  int vm_power_cuts = 0;
  int needless_evictions = 0;
  int evictions = 0;
  int needless_spells = 0;
  int restarts = 0;
  /// Scenarios in which another policy has less harm and withholds less.
  int off_front = 0;
};

/// In the order of the policies.
[[nodiscard]] std::vector<Total> totals(const Report& report);

/// Of one scenario a line for each outcome. Of several: the totals, what they are with other
/// weights, and for each scenario the harm and the memory withheld of each policy.
[[nodiscard]] std::string to_table(const Report& report, bool colour);
[[nodiscard]] nlohmann::ordered_json to_json(const Report& report);

/// One self-contained page: table, trade-off of harm against memory withheld, and for the first
/// scenario a plot over time of each policy.
[[nodiscard]] std::string to_html(const Report& report);

}  // namespace eviction::agent::simulate
