// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/kmsg.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// What kept the allocation from memory that the node may still have.
/// Source: linux v6.1 mm/oom_kill.c oom_constraint_text[].
enum class OomConstraint { kNone, kCpuset, kMemoryPolicy, kMemcg };

/// The kernel's one-line summary of an OOM kill (Linux 5.0 and later).
/// Source: linux v6.1 mm/oom_kill.c dump_oom_summary(), mm/memcontrol.c
/// mem_cgroup_print_oom_context(), kernel/cgroup/cpuset.c cpuset_print_current_mems_allowed().
struct OomKill {
  OomConstraint constraint = OomConstraint::kNone;
  std::string nodemask;      ///< "0-1,4"; "(null)": any node
  std::string mems_allowed;  ///< NUMA nodes of the task that asked for memory, not of the victim
  std::string oom_memcg;     ///< the cgroup whose limit was reached; empty: none, the whole node
  std::string task_memcg;    ///< of the victim; empty: the kernel names none
  std::string task;          ///< any bytes, 15 at most
  int pid = 0;
  unsigned uid = 0;
};

/// Errors: kAbsent when the line is no such summary; kMalformed also when names of cgroups make it
/// ambiguous, and when it is incomplete.
[[nodiscard]] Result<OomKill> parse_oom_kill(std::string_view line);

/// What a cgroup held, and might hold, when its limit was reached.
struct MemcgUsage {
  Bytes usage;
  std::optional<Bytes> limit;  ///< absent: none
};

/// "memory: usage 524288kB, limit 524288kB, failcnt 0", which stands before the summary. Absent:
/// the line is none. Source: linux v6.1 mm/memcontrol.c mem_cgroup_print_oom_meminfo().
[[nodiscard]] std::optional<MemcgUsage> parse_memcg_usage(std::string_view line);

/// One OOM kill as the kernel's log tells it. With memory.oom.group several processes die of it.
struct OomEvent {
  std::uint64_t sequence = 0;  ///< of the record
  std::chrono::microseconds since_boot{};
  OomKill kill;
  std::optional<MemcgUsage> usage;  ///< of oom_memcg; absent: not told
};

/// Finds the kills in the records of the kernel's log, in their order. Of more than ten kills in
/// five seconds the kernel logs no summary (mm/oom_kill.c oom_rs): those are not found here.
class OomLog {
 public:
  /// Absent: no kill is complete with this record.
  [[nodiscard]] std::optional<OomEvent> add(const KmsgRecord& record);

  /// Records were lost: what had begun is not to be completed by what comes.
  void forget();

 private:
  [[nodiscard]] std::optional<OomEvent> complete();

  std::string line_;  ///< an incomplete summary, from its beginning; empty: none
  std::uint64_t sequence_ = 0;
  std::chrono::microseconds since_boot_{};
  std::optional<MemcgUsage> usage_;
};

}  // namespace eviction::cgroup
