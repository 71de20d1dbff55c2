// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/incident.h"
#include "cgroup/result.h"
#include "systemd/journal.h"

namespace eviction::agent {

/// One record, on the disk and in "incidents -o json": stable names, as the plan's.
[[nodiscard]] nlohmann::ordered_json to_json(const Incident& incident);

/// One line of the log, as render_incident() made it. Errors: kMalformed, also for a record without
/// a time.
[[nodiscard]] std::string render_incident(const Incident& incident);
[[nodiscard]] Result<nlohmann::ordered_json> parse_incident(std::string_view line);

/// The fields that it has in the journal, besides its message.
[[nodiscard]] std::vector<systemd::JournalField> journal_fields(const Incident& incident);

/// What "incidents" prints for a person.
[[nodiscard]] std::string incidents_table(const std::vector<nlohmann::ordered_json>& incidents);

}  // namespace eviction::agent
