// SPDX-License-Identifier: Apache-2.0
#include "cgroup/process.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

constexpr std::uint64_t kLargestPid = std::numeric_limits<int>::max();

std::string file_of(int pid, std::string_view name) {
  return std::to_string(pid) + '/' + std::string{name};
}

/// The text up to the next space, which is cut off the front with it.
std::string_view take_field(std::string_view& rest) {
  const std::string_view field = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(field.size() + 1, rest.size()));
  return field;
}

Error no_stat() {
  return malformed(1, "not \"PID (NAME) STATE PARENT ... START ...\"");
}

Result<int> parse_oom_score_adj(std::string_view text) {
  constexpr std::uint64_t kLargest = 1000;
  std::string_view digits = text.substr(0, text.find('\n'));
  const bool negative = digits.starts_with('-');
  digits.remove_prefix(negative ? 1 : 0);
  const auto number = parse_digits(digits, kLargest);
  if (!number || text.substr(0, text.size() - 1).find('\n') != std::string_view::npos) {
    return tl::make_unexpected(malformed(1, "no number from -1000 to 1000: " + quote(text)));
  }
  return negative ? -static_cast<int>(*number) : static_cast<int>(*number);
}

Result<unsigned> parse_uid(std::string_view text) {
  constexpr std::string_view kKey = "Uid:\t";
  constexpr std::uint64_t kLargest = std::numeric_limits<unsigned>::max();
  for (Lines lines{text}; lines.next();) {
    const std::string_view line = lines.line();
    if (!line.starts_with(kKey)) {
      continue;
    }
    const std::string_view ids = line.substr(kKey.size());
    if (const auto uid = parse_digits(ids.substr(0, ids.find('\t')), kLargest)) {
      return static_cast<unsigned>(*uid);
    }
    return tl::make_unexpected(malformed(lines.number(), "no user ID: " + quote(line)));
  }
  return tl::make_unexpected(malformed(0, "no line \"Uid:\""));
}

/// Is "memory" one of the names in "cpu,memory"?
bool has_memory(std::string_view controllers) {
  for (bool more = true; more;) {
    const std::size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "memory") {
      return true;
    }
    more = comma != std::string_view::npos;
    controllers.remove_prefix(more ? comma + 1 : controllers.size());
  }
  return false;
}

/// Lines are "ID:CONTROLLERS:PATH", the one of v2 "0::PATH".
/// Source: linux v6.1 kernel/cgroup/cgroup.c proc_cgroup_show().
Result<std::string> parse_cgroup_path(std::string_view text) {
  std::optional<std::string_view> v2;
  for (Lines lines{text}; lines.next();) {
    const std::string_view line = lines.line();
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      return tl::make_unexpected(
          malformed(lines.number(), "not \"ID:CONTROLLERS:PATH\": " + quote(line)));
    }
    const std::string_view path = line.substr(second + 1);
    if (has_memory(line.substr(first + 1, second - first - 1))) {
      return std::string{path};
    }
    if (line.starts_with("0::")) {
      v2 = path;
    }
  }
  if (!v2) {
    return tl::make_unexpected(Error{
        .kind = ErrorKind::kAbsent, .path = {}, .what = "no cgroup with the memory controller"});
  }
  return std::string{*v2};
}

}  // namespace

Result<ProcessStat> parse_process_stat(std::string_view text) {
  // Numbers of the fields, as proc(5) counts them: 3 is the one after the name.
  constexpr int kFirst = 3;
  constexpr int kParent = 4;
  constexpr int kStart = 22;
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2 ||
      !parse_digits(text.substr(0, open), kLargestPid)) {
    return tl::make_unexpected(no_stat());
  }
  ProcessStat stat{.comm = std::string{text.substr(open + 2, close - open - 2)}};
  std::string_view rest = text.substr(close + 2);
  for (int field = kFirst; field < kParent; ++field) {
    take_field(rest);
  }
  const auto parent = parse_digits(take_field(rest), kLargestPid);
  for (int field = kParent + 1; field < kStart; ++field) {
    take_field(rest);
  }
  const auto start = parse_digits(take_field(rest));
  if (!parent || !start) {
    return tl::make_unexpected(no_stat());
  }
  stat.parent = static_cast<int>(*parent);
  stat.start = *start;
  return stat;
}

Result<ProcessStat> read_process_stat(const Directory& proc, int pid, Buffer& buffer) {
  return read_parsed(proc, file_of(pid, "stat"), buffer, parse_process_stat);
}

Result<std::vector<std::string>> read_cmdline(const Directory& proc, int pid, Buffer& buffer) {
  constexpr std::size_t kLongest = std::size_t{64} << 10;
  const auto text = proc.read_head(file_of(pid, "cmdline"), buffer, kLongest);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  std::vector<std::string> arguments;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view argument = rest.substr(0, rest.find('\0'));
    arguments.emplace_back(argument);
    rest.remove_prefix(std::min(argument.size() + 1, rest.size()));
  }
  return arguments;
}

Result<unsigned> read_uid(const Directory& proc, int pid, Buffer& buffer) {
  return read_parsed(proc, file_of(pid, "status"), buffer, parse_uid);
}

Result<int> read_oom_score_adj(const Directory& proc, int pid, Buffer& buffer) {
  return read_parsed(proc, file_of(pid, "oom_score_adj"), buffer, parse_oom_score_adj);
}

Result<std::string> read_cgroup_path(const Directory& proc, int pid, Buffer& buffer) {
  return read_parsed(proc, file_of(pid, "cgroup"), buffer, parse_cgroup_path);
}

Result<std::string> read_boot_id(const Directory& proc, Buffer& buffer) {
  return proc.read("sys/kernel/random/boot_id", buffer).map([](std::string_view text) {
    return std::string{text.substr(0, text.find('\n'))};
  });
}

Result<std::string> read_environment(const Directory& proc,
                                     int pid,
                                     std::string_view name,
                                     Buffer& buffer) {
  const std::string file = file_of(pid, "environ");
  const auto text = proc.read(file, buffer);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view variable = rest.substr(0, rest.find('\0'));
    if (variable.starts_with(name) && variable.substr(name.size()).starts_with('=')) {
      return std::string{variable.substr(name.size() + 1)};
    }
    rest.remove_prefix(std::min(variable.size() + 1, rest.size()));
  }
  return tl::make_unexpected(Error{.kind = ErrorKind::kAbsent,
                                   .path = proc.path_of(file),
                                   .what = std::string{name} + " is not set"});
}

Result<std::vector<int>> list_pids(const Directory& proc) {
  const auto names = proc.list_directories();
  if (!names) {
    return tl::make_unexpected(names.error());
  }
  std::vector<int> pids;
  for (const std::string& name : *names) {
    const auto pid = parse_digits(name, kLargestPid);
    if (pid) {
      pids.push_back(static_cast<int>(*pid));
    }
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace eviction::cgroup
