// SPDX-License-Identifier: Apache-2.0
#include "cgroup/vmstat.h"

#include <algorithm>
#include <array>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

/// Before Linux 4.10 one counter, since then one for each zone type.
/// Source: linux v6.1 include/linux/vm_event_item.h FOR_ALL_ZONES().
constexpr std::array<std::string_view, 7> kAllocstallKeys{"allocstall",
                                                          "allocstall_dma",
                                                          "allocstall_dma32",
                                                          "allocstall_normal",
                                                          "allocstall_high",
                                                          "allocstall_movable",
                                                          "allocstall_device"};

}  // namespace

Result<Vmstat> parse_vmstat(std::string_view text) {
  using Count = Wanted<std::uint64_t>;
  Vmstat stat;
  std::optional<std::uint64_t> workingset_refault;
  std::array<std::optional<std::uint64_t>, kAllocstallKeys.size()> stalls;
  constexpr std::size_t kOthers = 8;
  std::array<Count, kOthers + kAllocstallKeys.size()> wanted{
      Count{"oom_kill", &stat.oom_kill},
      Count{"pgscan_direct", &stat.pgscan_direct},
      Count{"pgscan_kswapd", &stat.pgscan_kswapd},
      Count{"workingset_refault_anon", &stat.workingset_refault_anon},
      Count{"workingset_refault_file", &stat.workingset_refault_file},
      Count{"workingset_refault", &workingset_refault},
      Count{"pswpin", &stat.pswpin},
      Count{"pswpout", &stat.pswpout},
  };
  for (std::size_t zone = 0; zone < stalls.size(); ++zone) {
    wanted[kOthers + zone] = {kAllocstallKeys[zone], &stalls[zone]};
  }
  const auto parsed = parse_key_values<std::uint64_t>(text, KeyFormat::kPlain, wanted);
  if (!parsed) {
    return tl::make_unexpected(parsed.error());
  }
  if (!stat.workingset_refault_file) {
    stat.workingset_refault_file = workingset_refault;
  }
  for (const auto& stall : stalls) {
    if (!stall) {
      continue;
    }
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(stat.allocstall.value_or(0), *stall, &sum)) {
      return tl::make_unexpected(malformed(0, "the allocstall counters overflow"));
    }
    stat.allocstall = sum;
  }
  return stat;
}

Result<Vmstat> read_vmstat(const Directory& proc, Buffer& buffer) {
  return read_parsed(proc, "vmstat", buffer, parse_vmstat);
}

Result<Vmstat> read_reclaim(const Directory& cgroup, Buffer& buffer) {
  return read_parsed(cgroup, "memory.stat", buffer, parse_vmstat);
}

}  // namespace eviction::cgroup
