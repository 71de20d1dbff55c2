// SPDX-License-Identifier: Apache-2.0
#include "cgroup/oom_kill.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "cgroup/key_value.h"

namespace eviction::cgroup {

namespace {

constexpr std::string_view kSummary = "oom-kill:constraint=";
/// A task's name. Source: linux v6.1 include/linux/sched.h TASK_COMM_LEN, less its NUL.
constexpr std::size_t kLongestTask = 15;
/// Two cgroup paths of PATH_MAX bytes do not fit; the kernel's own records end at 1 KiB each.
constexpr std::size_t kLongestLine = 8192;

struct ConstraintName {
  std::string_view name;
  OomConstraint constraint;
};

constexpr std::array kConstraints{
    ConstraintName{"CONSTRAINT_NONE", OomConstraint::kNone},
    ConstraintName{"CONSTRAINT_CPUSET", OomConstraint::kCpuset},
    ConstraintName{"CONSTRAINT_MEMORY_POLICY", OomConstraint::kMemoryPolicy},
    ConstraintName{"CONSTRAINT_MEMCG", OomConstraint::kMemcg}};

/// "0-1,4" or, where any node will do, "(null)".
bool is_node_list(std::string_view text) {
  return text == "(null)" || std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || c == '-' || c == ',';
         });
}

bool is_path(std::string_view text) {
  return text.starts_with('/') && text.find_first_of('\n') == std::string_view::npos;
}

tl::unexpected<Error> no_summary(std::string_view line) {
  return tl::unexpected{malformed(0, "no complete OOM summary in " + quote(line))};
}

/// Takes what stands before the mark, and the mark. Absent: the mark is not there, or twice, which
/// the name of a cgroup can bring about.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view mark) {
  const std::size_t found = rest.find(mark);
  if (found == std::string_view::npos || rest.find(mark, found + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view before = rest.substr(0, found);
  rest.remove_prefix(found + mark.size());
  return before;
}

/// Takes "MARK" and the digits behind it off the end. Absent: it does not end so.
std::optional<std::uint64_t> take_number(std::string_view& rest,
                                         std::string_view mark,
                                         std::uint64_t most) {
  const std::size_t found = rest.rfind(mark);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = parse_digits(rest.substr(found + mark.size()), most);
  rest = rest.substr(0, found);
  return number;
}

/// Takes ",uid=NUMBER" off the end. From 2^31 on it is negative there.
/// Source: linux v6.1 mm/oom_kill.c dump_oom_summary(), "uid=%d".
std::optional<unsigned> take_uid(std::string_view& rest) {
  constexpr std::string_view kUid = ",uid=";
  const std::size_t found = rest.rfind(kUid);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view text = rest.substr(found + kUid.size());
  rest = rest.substr(0, found);
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  const auto number = parse_digits(text, std::numeric_limits<unsigned>::max());
  if (!number) {
    return std::nullopt;
  }
  const auto uid = static_cast<unsigned>(*number);
  return negative ? 0U - uid : uid;
}

/// Takes ",task=NAME" off the end: the name may hold anything, so the longest that is one.
std::optional<std::string> take_task(std::string_view& rest) {
  constexpr std::string_view kTask = ",task=";
  const std::size_t longest = kLongestTask + kTask.size();
  const std::size_t from = rest.size() > longest ? rest.size() - longest : 0;
  const std::size_t found = rest.find(kTask, from);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  std::string task{rest.substr(found + kTask.size())};
  rest = rest.substr(0, found);
  return task;
}

/// ",oom_memcg=PATH,task_memcg=PATH" or ",global_oom,task_memcg=PATH", without its first comma.
bool take_cgroups(std::string_view rest, OomKill& kill) {
  constexpr std::string_view kGlobal = "global_oom";
  constexpr std::string_view kLimited = "oom_memcg=";
  constexpr std::string_view kVictim = ",task_memcg=";
  const bool limited = kill.constraint == OomConstraint::kMemcg;
  if (rest == kGlobal) {
    return !limited;  // a kernel without memory cgroups names no victim's
  }
  const auto before = take_until(rest, kVictim);
  if (!before || !is_path(rest)) {
    return false;
  }
  kill.task_memcg = rest;
  if (*before == kGlobal) {
    return !limited;
  }
  kill.oom_memcg = before->substr(std::min(before->size(), kLimited.size()));
  return before->starts_with(kLimited) && is_path(kill.oom_memcg);
}

bool take_constraint(std::string_view name, OomKill& kill) {
  const auto* const found = std::ranges::find(kConstraints, name, &ConstraintName::name);
  if (found == kConstraints.end()) {
    return false;
  }
  kill.constraint = found->constraint;
  return true;
}

/// The NUMA nodes end at the first comma that no number follows.
std::string_view take_node_list(std::string_view& rest) {
  std::size_t end = rest.find(',');
  while (end != std::string_view::npos && end + 1 < rest.size() && rest[end + 1] >= '0' &&
         rest[end + 1] <= '9') {
    end = rest.find(',', end + 1);
  }
  const std::string_view list = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), list.size() + 1));
  return list;
}

}  // namespace

Result<OomKill> parse_oom_kill(std::string_view line) {
  if (!line.starts_with(kSummary)) {
    return tl::unexpected{Error{.kind = ErrorKind::kAbsent, .path = {}, .what = "no OOM summary"}};
  }
  OomKill kill;
  std::string_view rest = line.substr(kSummary.size());
  const auto uid = take_uid(rest);
  const auto pid = take_number(rest, ",pid=", std::numeric_limits<int>::max());
  auto task = take_task(rest);
  const auto constraint = take_until(rest, ",nodemask=");
  if (!uid || !pid || !task || !constraint || !take_constraint(*constraint, kill)) {
    return no_summary(line);
  }
  const auto nodes = take_until(rest, ",cpuset=");
  const auto cpuset = take_until(rest, ",mems_allowed=");
  if (!nodes || !is_node_list(*nodes) || !cpuset) {
    return no_summary(line);
  }
  kill.nodemask = *nodes;
  kill.mems_allowed = take_node_list(rest);
  if (!is_node_list(kill.mems_allowed) || !take_cgroups(rest, kill)) {
    return no_summary(line);
  }
  kill.task = std::move(*task);
  kill.pid = static_cast<int>(*pid);
  kill.uid = *uid;
  return kill;
}

std::optional<MemcgUsage> parse_memcg_usage(std::string_view line) {
  constexpr std::string_view kBegin = "memory: usage ";
  constexpr std::uint64_t kMostKibibytes = std::numeric_limits<std::int64_t>::max() >> 10;
  /// What a cgroup without a limit shows is near the largest number of pages.
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 52;
  if (!line.starts_with(kBegin)) {
    return std::nullopt;
  }
  std::string_view rest = line.substr(kBegin.size());
  const auto usage_text = take_until(rest, "kB, limit ");
  const auto limit_text = take_until(rest, "kB, failcnt ");
  const auto usage = usage_text ? parse_digits(*usage_text, kMostKibibytes) : std::nullopt;
  const auto limit = limit_text ? parse_digits(*limit_text, kMostKibibytes) : std::nullopt;
  if (!usage || !limit) {
    return std::nullopt;
  }
  MemcgUsage parsed{.usage = Bytes{static_cast<std::int64_t>(*usage << 10)}, .limit = {}};
  if (*limit < kNoLimit) {
    parsed.limit = Bytes{static_cast<std::int64_t>(*limit << 10)};
  }
  return parsed;
}

std::optional<OomEvent> OomLog::add(const KmsgRecord& record) {
  // Who writes to /dev/kmsg is of another facility. Source: linux v6.1 kernel/printk/printk.c
  // devkmsg_write().
  constexpr unsigned kLevels = 8;
  if (record.priority >= kLevels) {
    return std::nullopt;
  }
  const std::string_view text = record.text;
  if (text.starts_with("oom-kill:")) {
    line_ = text;
    sequence_ = record.sequence;
    since_boot_ = record.since_boot;
    return complete();
  }
  if (record.fragment) {
    if (line_.empty() || line_.size() + text.size() > kLongestLine) {
      return std::nullopt;
    }
    line_ += text;
    return complete();
  }
  if (text.find(" invoked oom-killer: ") != std::string_view::npos) {
    usage_.reset();
  } else if (const auto usage = parse_memcg_usage(text)) {
    usage_ = usage;
  }
  return std::nullopt;
}

std::optional<OomEvent> OomLog::complete() {
  auto kill = parse_oom_kill(line_);
  if (!kill) {
    return std::nullopt;
  }
  OomEvent event{.sequence = sequence_, .since_boot = since_boot_, .kill = {}, .usage = {}};
  event.kill = std::move(*kill);
  if (!event.kill.oom_memcg.empty()) {
    event.usage = usage_;
  }
  forget();
  return event;
}

void OomLog::forget() {
  line_.clear();
  usage_.reset();
}

}  // namespace eviction::cgroup
