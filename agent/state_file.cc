// SPDX-License-Identifier: Apache-2.0
#include "agent/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/growth_file.h"
#include "agent/incident_log.h"
#include "agent/own_json.h"
#include "agent/recording/kept_recording.h"
#include "config/atomic_file.h"

namespace eviction::agent {

namespace {

using nlohmann::json;
using std::chrono::seconds;
using std::chrono::sys_seconds;

/// No agent restarts a kubelet more often than [agent] restarts-per-day allows, which is at most
/// 24; more is no record of ours.
constexpr int kMostRestarts = 1000;

json to_json(const std::optional<sys_seconds>& at) {
  return at ? json(at->time_since_epoch().count()) : json(nullptr);
}

sys_seconds time_of(const json& value) {
  return sys_seconds{seconds{whole_seconds(value)}};
}

Record from_json(const json& document) {
  Record record;
  const json& restarts = document.at("restarts");
  if (!restarts.is_array() || restarts.size() > kMostRestarts) {
    throw json::other_error::create(501, "restarts is no list of times", nullptr);
  }
  std::ranges::transform(restarts, std::back_inserter(record.restarts), time_of);
  record.failures = static_cast<int>(number_within(document.at("failures"), 0, kMostRestarts));
  if (const json& last = document.at("last_failure"); !last.is_null()) {
    record.last_failure = time_of(last);
  }
  record.last_failure_reason = document.at("last_failure_reason").get<std::string>();
  record.file = document.at("file").get<std::string>();
  if (!record.file.empty() && !record.file.starts_with('/')) {
    throw json::other_error::create(501, "file is no path", nullptr);
  }
  return record;
}

Error for_the_hand(Error problem) {
  if (problem.remedy.empty()) {
    problem.remedy = "remove it by hand";
  }
  return problem;
}

std::vector<std::string> state_names(bool daemon_runs) {
  const std::string file{kStateFile};
  const std::string growth{kGrowthFile};
  const std::string recording{kRecordingFile};
  const std::string incidents{kIncidentFile};
  std::vector<std::string> names{file,
                                 file + std::string{kCorruptSuffix},
                                 growth + std::string{kCorruptSuffix},
                                 recording + std::string{kCorruptSuffix},
                                 incidents,
                                 incidents + std::string{kOlderSuffix}};
  if (!daemon_runs) {
    names.insert(names.end(), {growth, recording, recording + std::string{kOlderSuffix}});
  }
  return names;
}

/// Or an empty folder that was set aside, where that file should have been. False: absent.
Result<bool> remove_state_file(const cgroup::Directory& folder, const std::string& name) {
  if (::unlinkat(folder.fd(), name.c_str(), AT_REMOVEDIR) == 0) {
    return true;
  }
  return config::remove_durably(folder, name);
}

}  // namespace

std::string render_record(const Record& record) {
  json restarts = json::array();
  for (const sys_seconds at : record.restarts) {
    restarts.push_back(at.time_since_epoch().count());
  }
  const json document{{"version", kOwnVersion},
                      {"restarts", std::move(restarts)},
                      {"failures", record.failures},
                      {"last_failure", to_json(record.last_failure)},
                      {"last_failure_reason", record.last_failure_reason},
                      {"file", record.file}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

Result<Record> parse_record(std::string_view text, const std::string& path) {
  return parse_own_json(
      text,
      from_json,
      Error{
          .kind = ErrorKind::kMalformed, .path = path, .what = "it is no state of eviction-agent"});
}

Result<Record> peek_record(const cgroup::Directory& root) {
  return peek_own(root, std::string{kStateFile}, parse_record);
}

LoadedRecord load_record(const cgroup::Directory& root) {
  Loaded<Record> loaded = load_own(root, std::string{kStateFile}, parse_record);
  const bool unread = loaded.problem && loaded.problem->kind != ErrorKind::kMalformed;
  if (unread && loaded.problem->remedy.empty()) {
    loaded.problem->remedy = "make it readable or remove it: until then the kubelet is left alone";
  }
  return {
      .record = std::move(loaded.value), .problem = std::move(loaded.problem), .unread = unread};
}

Result<void> save_record(const cgroup::Directory& root, const Record& record) {
  return save_own(root, std::string{kStateFile}, render_record(record));
}

Removed remove_state(const cgroup::Directory& root, bool daemon_runs) {
  Removed done;
  const Result<cgroup::Directory> folder = root.open_below(kStateFolder);
  if (!folder) {
    if (folder.error().kind != ErrorKind::kAbsent) {
      done.problems.push_back(for_the_hand(folder.error()));
    }
    return done;
  }
  for (const std::string& name : state_names(daemon_runs)) {
    const Result<bool> was_there = remove_state_file(*folder, name);
    if (!was_there) {
      done.problems.push_back(for_the_hand(was_there.error()));
    } else if (*was_there) {
      done.paths.push_back(folder->path_of(name));
    }
  }
  if (daemon_runs) {
    return done;
  }
  const std::string inside{kStateFolder.substr(1)};
  const int code = ::unlinkat(root.fd(), inside.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  // A container's mount stays, below a read-only root or not.
  constexpr std::array kStays{ENOTEMPTY, ENOENT, EBUSY, EROFS};
  if (code == 0) {
    done.paths.push_back(folder->path());
  } else if (std::ranges::find(kStays, code) == kStays.end()) {
    done.problems.push_back(for_the_hand({.kind = ErrorKind::kIo,
                                          .path = folder->path(),
                                          .what = std::generic_category().message(code)}));
  }
  return done;
}

}  // namespace eviction::agent
