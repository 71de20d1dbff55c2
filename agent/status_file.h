// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/counters.h"
#include "agent/incident.h"
#include "agent/plan.h"
#include "agent/policy/decide.h"
#include "agent/policy/forecast.h"
#include "agent/policy/transaction.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What is older says nothing of now: no reason to call the agent ready.
inline constexpr std::chrono::seconds kOldestLook{60};

/// What the daemon tells of itself.
struct Status {
  int pid = 0;
  std::chrono::sys_seconds at;  ///< when it was written
  config::Mode mode = config::Mode::kStage;
  Decision decision;
  std::optional<Journal> transaction;  ///< the one under way
  std::string transaction_reason;      ///< why it waits, or how the last one ended
  Record record;
  std::optional<Proof> in_force;  ///< whether the kubelet uses our file; absent: none, or not known
  std::optional<bool> staged;     ///< a value is kept beside its file; absent: not looked
  Deeds deeds;
  Counters counters;
  IncidentCounts incidents;
  IncidentSources incident_sources;
  Forecast forecast;
  bool warning = false;               ///< the early one
  std::string warning_reason;         ///< why it is on, or what speaks against it
  std::vector<std::string> problems;  ///< of configuration, state and the last act
};

/// "forecast" of the status.
[[nodiscard]] nlohmann::ordered_json to_json(const Forecast& forecast);

/// The contract of "status -o json", with the plan's under "plan".
[[nodiscard]] nlohmann::ordered_json to_json(const Status& status, const Plan& plan);

/// Writes /run/eviction-agent/status.json. Errors: those of writing.
[[nodiscard]] Result<void> save_status(const cgroup::Directory& root,
                                       const Status& status,
                                       const Plan& plan);

/// What a running daemon wrote. Errors: kAbsent when none runs, or it wrote nothing within
/// kOldestLook; kMalformed; those of reading.
[[nodiscard]] Result<nlohmann::ordered_json> load_status(const cgroup::Directory& root);

/// The lines that a person reads.
[[nodiscard]] std::string status_table(const nlohmann::ordered_json& status);

}  // namespace eviction::agent
