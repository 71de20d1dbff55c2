// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// In kStateFolder, one record a line.
inline constexpr std::string_view kIncidentFile = "incidents.jsonl";
/// Appended to the name of the file of before, which was full.
inline constexpr std::string_view kOlderSuffix = ".1";
/// The two files together take no more than twice this.
inline constexpr std::size_t kIncidentFileLimit = std::size_t{512} << 10;
/// Of more incidents than this the last ones are shown.
inline constexpr std::size_t kMostIncidents = 1000;

/// Adds lines to the log and takes them off lines: those are on the disk when it returns. What an
/// interrupted write left is ended first. Errors: kDenied, kMalformed (no regular file), kIo; lines
/// then has what could not be added.
[[nodiscard]] Result<void> append_incidents(const cgroup::Directory& root,
                                            std::vector<std::string>& lines);

/// Calls with each record, in the order in which they were written. Returns how many lines are
/// none. Without a log there are no records. Errors: those of reading it.
[[nodiscard]] Result<std::size_t> visit_incidents(
    const cgroup::Directory& root, const std::function<void(nlohmann::ordered_json)>& call);

struct LoadedIncidents {
  std::vector<nlohmann::ordered_json> incidents;
  std::size_t unreadable = 0;  ///< lines that are no records
};

/// The records from since on, kMostIncidents at most. As visit_incidents().
[[nodiscard]] Result<LoadedIncidents> load_incidents(const cgroup::Directory& root,
                                                     std::chrono::sys_seconds since);

}  // namespace eviction::agent
