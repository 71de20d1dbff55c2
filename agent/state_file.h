// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/own_file.h"
#include "agent/policy/decide.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Where the agent keeps its record, in kStateFolder.
inline constexpr std::string_view kStateFile = "state.json";

/// JSON with a version.
[[nodiscard]] std::string render_record(const Record& record);
/// Errors: kMalformed, also for another version and for numbers that no record can have.
[[nodiscard]] Result<Record> parse_record(std::string_view text, const std::string& path);

/// A record, and what was wrong with its file.
struct LoadedRecord {
  Record record;
  /// A file that cannot be read; one that cannot be understood is renamed to state.json.corrupt,
  /// and reported as long as that is there. Then the record is a new one.
  std::optional<Error> problem;
  bool unread = false;  ///< the file stands, and what the agent did before is not known
};

/// The record; a new one where there is none. Changes nothing. Errors: of reading it, kMalformed.
[[nodiscard]] Result<Record> peek_record(const cgroup::Directory& root);
[[nodiscard]] LoadedRecord load_record(const cgroup::Directory& root);
[[nodiscard]] Result<void> save_record(const cgroup::Directory& root, const Record& record);

/// Removes the record, what was learned of growth, the recording, those that were set aside, the
/// incidents, and their folder, if nothing else is in it and it is no mount. Where a daemon runs,
/// what it learned and records stays, and the folder, which it could not make again. Each problem
/// has a remedy.
[[nodiscard]] Removed remove_state(const cgroup::Directory& root, bool daemon_runs);

}  // namespace eviction::agent
