// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// The counters of /proc/vmstat that tell reclaim and OOM kills. Events since boot, pages where the
/// kernel counts pages. Source: linux v6.1 mm/vmstat.c vmstat_text[].
struct Vmstat {
  std::optional<std::uint64_t> oom_kill;    ///< includes kills inside a cgroup's limit
  std::optional<std::uint64_t> allocstall;  ///< sum over the zones
  std::optional<std::uint64_t> pgscan_direct;
  std::optional<std::uint64_t> pgscan_kswapd;
  std::optional<std::uint64_t> workingset_refault_anon;  ///< Linux 5.9
  std::optional<std::uint64_t>
      workingset_refault_file;  ///< Linux 5.9; before it one counter for both
  std::optional<std::uint64_t> pswpin;
  std::optional<std::uint64_t> pswpout;
};

/// Unknown keys are skipped. Errors: kMalformed with the line.
[[nodiscard]] Result<Vmstat> parse_vmstat(std::string_view text);
[[nodiscard]] Result<Vmstat> read_vmstat(const Directory& proc, Buffer& buffer);

/// Those of a v2 cgroup, with all below it, from its memory.stat: refaults (Linux 5.9), and pages
/// scanned (Linux 6.0) since it was made; the others are absent.
/// Source: linux v6.1 mm/memcontrol.c memcg_vm_event_stat[], memory_stats[].
[[nodiscard]] Result<Vmstat> read_reclaim(const Directory& cgroup, Buffer& buffer);

}  // namespace eviction::cgroup
