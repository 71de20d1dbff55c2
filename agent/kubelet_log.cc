// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include "cgroup/key_value.h"

namespace eviction::agent {
namespace {

using std::chrono::microseconds;
using std::chrono::system_clock;

/// Of the lines that count, in lower case.
constexpr std::array<std::string_view, 8> kSubjects{"eviction",
                                                    "drop-in",
                                                    "config-dir",
                                                    "kubelet config",
                                                    "node allocatable",
                                                    "failed to run kubelet",
                                                    "failed to start",
                                                    "command failed"};

/// The head of a klog line. Its time has neither year nor zone.
struct Head {
  char level = 0;
  unsigned month = 0;
  unsigned day = 0;
  microseconds time{};  ///< of the day
  std::string_view message;
};

/// Absent when the line is no beginning of a message.
std::optional<Head> parse_head(std::string_view line) {
  constexpr std::string_view kPattern = "L0000 00:00:00.000000 ";
  constexpr std::string_view kLevels = "IWEF";
  if (line.size() < kPattern.size() || kLevels.find(line.front()) == std::string_view::npos) {
    return std::nullopt;
  }
  for (std::size_t at = 1; at < kPattern.size(); ++at) {
    const bool digit = line[at] >= '0' && line[at] <= '9';
    if (kPattern[at] == '0' ? !digit : line[at] != kPattern[at]) {
      return std::nullopt;
    }
  }
  const std::size_t end = line.find("] ", kPattern.size());
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = [line](std::size_t at, std::size_t size) {
    return static_cast<unsigned>(cgroup::parse_digits(line.substr(at, size)).value_or(0));
  };
  if (number(6, 2) > 23 || number(9, 2) > 59 || number(12, 2) > 60) {
    return std::nullopt;
  }
  return Head{.level = line.front(),
              .month = number(1, 2),
              .day = number(3, 2),
              .time = std::chrono::hours{number(6, 2)} + std::chrono::minutes{number(9, 2)} +
                      std::chrono::seconds{number(12, 2)} + microseconds{number(15, 6)},
              .message = line.substr(end + 2)};
}

using Instant = std::chrono::sys_time<microseconds>;

/// The time of the head in the year that brings it nearest to an instant, as if its zone were UTC.
/// Absent for a day that no calendar has.
std::optional<Instant> nearest(const Head& head, Instant instant) {
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(instant)};
  std::optional<Instant> best;
  for (const int step : {-1, 0, 1}) {
    const std::chrono::year_month_day date{today.year() + std::chrono::years{step},
                                           std::chrono::month{head.month},
                                           std::chrono::day{head.day}};
    if (!date.ok()) {
      continue;
    }
    const Instant candidate = std::chrono::sys_days{date} + head.time;
    if (!best || std::chrono::abs(candidate - instant) < std::chrono::abs(*best - instant)) {
      best = candidate;
    }
  }
  return best;
}

/// What the log's clock is ahead of UTC: the last message was written when the file was, give or
/// take less than half the quarter of an hour that time zones are multiples of.
microseconds zone_of(std::string_view text, Instant written) {
  constexpr std::chrono::minutes kStep{15};
  std::optional<Instant> last;
  for (cgroup::Lines lines{text}; lines.next();) {
    if (const auto head = parse_head(lines.line())) {
      const std::optional<Instant> time = nearest(*head, written);
      last = time ? time : last;
    }
  }
  return last ? std::chrono::round<std::chrono::duration<std::int64_t, std::ratio<900>>>(*last -
                                                                                         written)
              : microseconds{};
}

bool is_wanted(const Head& head) {
  if (head.level == 'I') {
    return false;
  }
  std::string message{head.message};
  std::transform(message.begin(), message.end(), message.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::any_of(kSubjects.begin(), kSubjects.end(), [&message](std::string_view subject) {
    return message.find(subject) != std::string::npos;
  });
}

std::string printable(std::string_view line) {
  constexpr std::size_t kLongest = 512;
  std::string text{line.substr(0, kLongest)};
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

tl::unexpected<Error> error(ErrorKind kind, std::string path, std::string what) {
  return tl::unexpected{
      Error{.kind = kind, .path = std::move(path), .line = 0, .what = std::move(what)}};
}

struct Tail {
  std::string text;  ///< from the beginning of a line on
  system_clock::time_point written;
};

/// The end of an open file. Absent, with errno set, when it cannot be read.
std::optional<Tail> read_tail(int fd) {
  constexpr off_t kTail = off_t{256} << 10;

  struct stat status {};

  if (::fstat(fd, &status) != 0) {
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return std::nullopt;
  }
  const off_t begin = std::max(status.st_size - kTail, off_t{0});
  std::string text(static_cast<std::size_t>(kTail), '\0');
  const ssize_t size = ::pread(fd, text.data(), text.size(), begin);
  if (size < 0) {
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(size));
  if (begin > 0) {
    text.erase(0, std::min(text.find('\n'), text.size()));
  }
  const auto written = std::chrono::seconds{status.st_mtim.tv_sec} +
                       std::chrono::nanoseconds{status.st_mtim.tv_nsec};
  return Tail{
      std::move(text),
      system_clock::time_point{std::chrono::duration_cast<system_clock::duration>(written)}};
}

}  // namespace

std::vector<std::string> kubelet_warnings(std::string_view text,
                                          system_clock::time_point since,
                                          system_clock::time_point written) {
  const auto end = std::chrono::floor<microseconds>(written);
  const microseconds zone = zone_of(text, end);
  std::vector<std::string> warnings;
  for (cgroup::Lines lines{text}; lines.next();) {
    const std::optional<Head> head = parse_head(lines.line());
    if (!head || !is_wanted(*head)) {
      continue;
    }
    const std::optional<Instant> time = nearest(*head, end);
    if (time && *time - zone >= std::chrono::floor<microseconds>(since)) {
      warnings.push_back(printable(lines.line()));
    }
  }
  return warnings;
}

Result<std::vector<std::string>> read_kubelet_warnings(const Kubelet& kubelet,
                                                       const cgroup::Directory& root,
                                                       system_clock::time_point since) {
  const std::optional<std::string> agent = agent_folder(kubelet);
  if (!agent) {
    return error(ErrorKind::kAbsent, {}, "only RKE2's kubelet has a log file of its own");
  }
  const Result<cgroup::Directory> folder = root.open_below(*agent + "/logs");
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const Descriptor file{::openat(
      folder->fd(), "kubelet.log", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  const std::optional<Tail> tail = file.get() < 0 ? std::nullopt : read_tail(file.get());
  const int code = errno;
  if (!tail) {
    const ErrorKind kind = code == ENOENT ? ErrorKind::kAbsent : ErrorKind::kIo;
    return error(kind, folder->path_of("kubelet.log"), std::generic_category().message(code));
  }
  return kubelet_warnings(tail->text, since, tail->written);
}

}  // namespace eviction::agent
