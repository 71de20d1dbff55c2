// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// The fields of /proc/PID/stat that are used. Source: linux v6.1 fs/proc/array.c do_task_stat().
struct ProcessStat {
  std::string comm;  ///< any bytes but NUL; 15 at most, a kernel worker's up to 63
  int parent = 0;
  unsigned long long start = 0;  ///< clock ticks since boot
};

/// Splits at the last ')', since comm may hold anything. Errors: kMalformed.
[[nodiscard]] Result<ProcessStat> parse_process_stat(std::string_view text);

/// One process by PID below a proc directory. A process that ended reads as kVanished or kAbsent.
[[nodiscard]] Result<ProcessStat> read_process_stat(const Directory& proc, int pid, Buffer& buffer);
/// argv; empty for a kernel thread or a zombie. Cut after 64 KiB.
[[nodiscard]] Result<std::vector<std::string>> read_cmdline(const Directory& proc,
                                                            int pid,
                                                            Buffer& buffer);
/// The real user ID, of who started it. Errors: kMalformed without one.
/// Source: linux v6.1 fs/proc/array.c task_state(): the first of four on the line "Uid:".
[[nodiscard]] Result<unsigned> read_uid(const Directory& proc, int pid, Buffer& buffer);
/// -1000 to 1000.
[[nodiscard]] Result<int> read_oom_score_adj(const Directory& proc, int pid, Buffer& buffer);
/// The path on the hierarchy that has the memory controller: the "0::" line on v2, the "memory"
/// line on v1. Errors: kAbsent when there is neither.
[[nodiscard]] Result<std::string> read_cgroup_path(const Directory& proc, int pid, Buffer& buffer);
/// Value of NAME in /proc/PID/environ. Errors: kAbsent when it is not set.
[[nodiscard]] Result<std::string> read_environment(const Directory& proc,
                                                   int pid,
                                                   std::string_view name,
                                                   Buffer& buffer);
/// Of this boot of the node. Source: linux v6.1 drivers/char/random.c, sysctl boot_id.
[[nodiscard]] Result<std::string> read_boot_id(const Directory& proc, Buffer& buffer);
/// All PIDs, ascending.
[[nodiscard]] Result<std::vector<int>> list_pids(const Directory& proc);

/// What follows the last '/' ("/usr/bin/virt-launcher" -> "virt-launcher").
[[nodiscard]] std::string_view base_name(std::string_view path);

}  // namespace eviction::cgroup
