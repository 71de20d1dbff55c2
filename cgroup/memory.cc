// SPDX-License-Identifier: Apache-2.0
#include "cgroup/memory.h"

#include <array>
#include <limits>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

/// Above this a limit is none.
constexpr std::int64_t kLargestLimit = std::int64_t{1} << 62;

/// On v1 the first line is "cache", and the names of v2 are there as well, but do not count the
/// cgroups below.
bool is_v1(std::string_view text) {
  return text.starts_with("cache ");
}

Result<void> parse_v1(std::string_view text, MemoryStat& stat) {
  const std::array wanted{
      Wanted<Bytes>{"total_cache", &stat.file},
      Wanted<Bytes>{"total_rss", &stat.anon},
      Wanted<Bytes>{"total_shmem", &stat.shmem},
      Wanted<Bytes>{"total_inactive_file", &stat.inactive_file},
      Wanted<Bytes>{"total_active_file", &stat.active_file},
  };
  return parse_key_values<Bytes>(text, KeyFormat::kPlain, wanted);
}

Result<void> parse_v2(std::string_view text, MemoryStat& stat) {
  const std::array wanted{
      Wanted<Bytes>{"anon", &stat.anon},
      Wanted<Bytes>{"file", &stat.file},
      Wanted<Bytes>{"shmem", &stat.shmem},
      Wanted<Bytes>{"inactive_file", &stat.inactive_file},
      Wanted<Bytes>{"active_file", &stat.active_file},
      Wanted<Bytes>{"slab_reclaimable", &stat.slab_reclaimable},
      Wanted<Bytes>{"slab_unreclaimable", &stat.slab_unreclaimable},
  };
  return parse_key_values<Bytes>(text, KeyFormat::kPlain, wanted);
}

std::string_view without_newline(std::string_view text) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

Result<MemoryStat> parse_memory_stat(std::string_view text) {
  MemoryStat stat;
  const auto parsed = is_v1(text) ? parse_v1(text, stat) : parse_v2(text, stat);
  if (!parsed) {
    return tl::make_unexpected(parsed.error());
  }
  return stat;
}

Result<MemoryStat> read_memory_stat(const Directory& cgroup, Buffer& buffer) {
  return read_short_parsed(cgroup, "memory.stat", buffer, parse_memory_stat);
}

Result<MemoryEvents> parse_memory_events(std::string_view text) {
  using Count = Wanted<std::uint64_t>;
  MemoryEvents events;
  const std::array wanted{
      Count{"low", &events.low},
      Count{"high", &events.high},
      Count{"max", &events.max},
      Count{"oom", &events.oom},
      Count{"oom_kill", &events.oom_kill},
      Count{"oom_group_kill", &events.oom_group_kill},
  };
  const auto parsed = parse_key_values<std::uint64_t>(text, KeyFormat::kPlain, wanted);
  if (!parsed) {
    return tl::make_unexpected(parsed.error());
  }
  return events;
}

Result<MemoryEvents> read_memory_events(const Directory& cgroup,
                                        std::string_view file,
                                        Buffer& buffer) {
  return read_short_parsed(cgroup, file, buffer, parse_memory_events);
}

Result<MemoryLimit> parse_memory_limit(std::string_view text) {
  if (without_newline(text) == "max") {
    return MemoryLimit{};
  }
  const Result<std::int64_t> number = parse_number(text);
  if (!number) {
    return tl::make_unexpected(number.error());
  }
  return *number > kLargestLimit ? MemoryLimit{} : MemoryLimit{Bytes{*number}};
}

Result<MemoryLimit> read_memory_limit(const Directory& cgroup,
                                      std::string_view file,
                                      Buffer& buffer) {
  return read_short_parsed(cgroup, file, buffer, parse_memory_limit);
}

Result<std::int64_t> parse_number(std::string_view text) {
  if (text.empty()) {
    return tl::make_unexpected(malformed(0, "empty"));
  }
  const auto number = parse_digits(without_newline(text), std::numeric_limits<std::int64_t>::max());
  if (!number) {
    return tl::make_unexpected(malformed(1, "no number in " + quote(text)));
  }
  return static_cast<std::int64_t>(*number);
}

Result<std::int64_t> read_number(const Directory& directory,
                                 std::string_view file,
                                 Buffer& buffer) {
  return read_short_parsed(directory, file, buffer, parse_number);
}

}  // namespace eviction::cgroup
