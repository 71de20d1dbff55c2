// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <iterator>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/incident_json.h"
#include "agent/state_file.h"
#include "cgroup/descriptor.h"
#include "cgroup/key_value.h"
#include "cgroup/write_all.h"
#include "config/atomic_file.h"
#include "config/utc_time.h"

namespace eviction::agent {

namespace {

std::string log_name() {
  return std::string{kIncidentFile};
}

std::string older_name() {
  return log_name() + std::string{kOlderSuffix};
}

tl::unexpected<Error> failure(const cgroup::Directory& folder, int code) {
  const bool denied = code == EACCES || code == EPERM || code == EROFS;
  return tl::unexpected{Error{.kind = denied ? ErrorKind::kDenied : ErrorKind::kIo,
                              .path = folder.path_of(kIncidentFile),
                              .what = std::generic_category().message(code)}};
}

/// The log, to be added to, and how much it holds.
struct OpenLog {
  Descriptor file;
  std::size_t size = 0;
};

Result<OpenLog> open_log(const cgroup::Directory& folder) {
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  OpenLog log{
      .file = Descriptor{::openat(folder.fd(), log_name().c_str(), kFlags, S_IRUSR | S_IWUSR)},
      .size = 0};
  struct stat status = {};
  if (log.file.get() < 0 || ::fstat(log.file.get(), &status) != 0) {
    return failure(folder, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = folder.path_of(kIncidentFile),
                                .what = "it is no regular file",
                                .remedy = "remove it"}};
  }
  log.size = static_cast<std::size_t>(status.st_size);
  return log;
}

bool ends_in_a_line(const OpenLog& log) {
  char last = '\n';
  return log.size == 0 ||
         (::pread(log.file.get(), &last, 1, static_cast<off_t>(log.size) - 1) == 1 && last == '\n');
}

/// Appends the text to the log, or to a new one where it would become too long.
Result<void> append(const cgroup::Directory& folder, std::string text) {
  auto log = open_log(folder);
  if (log && log->size != 0 && log->size + text.size() > kIncidentFileLimit) {
    if (Result<void> moved = config::rename_durably(folder, log_name(), older_name()); !moved) {
      return moved;
    }
    log = open_log(folder);
  }
  if (!log) {
    return tl::unexpected{log.error()};
  }
  if (!ends_in_a_line(*log)) {
    text.insert(0, 1, '\n');
  }
  int code = write_all(log->file.get(), text);
  if (code == 0 && ::fdatasync(log->file.get()) != 0) {
    code = errno;
  }
  if (code != 0) {
    // Its caller tries again: half of it would be there twice.
    static_cast<void>(::ftruncate(log->file.get(), static_cast<off_t>(log->size)));
    return failure(folder, code);
  }
  return {};
}

}  // namespace

Result<void> append_incidents(const cgroup::Directory& root, std::vector<std::string>& lines) {
  constexpr std::size_t kChunk = std::size_t{64} << 10;
  const Result<cgroup::Directory> folder = config::make_folder(root, std::string{kStateFolder});
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  while (!lines.empty()) {
    std::string text;
    auto next = lines.begin();
    while (next != lines.end() && text.size() < kChunk) {
      text += *next++;
    }
    if (Result<void> kept = append(*folder, std::move(text)); !kept) {
      return kept;
    }
    lines.erase(lines.begin(), next);
  }
  return {};
}

Result<std::size_t> visit_incidents(const cgroup::Directory& root,
                                    const std::function<void(nlohmann::ordered_json)>& call) {
  cgroup::Buffer buffer;
  std::size_t unreadable = 0;
  for (const std::string& name : {older_name(), log_name()}) {
    const auto text = root.read(std::string{kStateFolder} + '/' + name, buffer);
    if (!text && text.error().kind != ErrorKind::kAbsent) {
      return tl::unexpected{as_root(text.error())};
    }
    for (cgroup::Lines lines{text.value_or(std::string_view{})}; lines.next();) {
      if (auto incident = parse_incident(lines.line())) {
        call(std::move(*incident));
      } else if (!lines.line().empty()) {
        ++unreadable;
      }
    }
  }
  return unreadable;
}

Result<LoadedIncidents> load_incidents(const cgroup::Directory& root,
                                       std::chrono::sys_seconds since) {
  std::deque<nlohmann::ordered_json> last;
  const auto unreadable = visit_incidents(root, [&](nlohmann::ordered_json incident) {
    if (config::parse_utc(incident.at("time").get<std::string>()) >= since) {
      last.push_back(std::move(incident));
    }
    if (last.size() > kMostIncidents) {
      last.pop_front();
    }
  });
  if (!unreadable) {
    return tl::unexpected{unreadable.error()};
  }
  return LoadedIncidents{
      .incidents = {std::make_move_iterator(last.begin()), std::make_move_iterator(last.end())},
      .unreadable = *unreadable};
}

}  // namespace eviction::agent
