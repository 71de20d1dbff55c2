// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/memory_account.h"

#include <algorithm>
#include <cmath>

namespace eviction::agent {

namespace {

using cgroup::CgroupMode;

Bytes or_zero(std::optional<Bytes> value) {
  return value.value_or(Bytes{});
}

/// The node's page counts, from the cgroup root where it tells and else from /proc/meminfo, whose
/// lines are the same counters. Source: linux v6.1 mm/memcontrol.c memory_stat_format() of the
/// root, fs/proc/meminfo.c.
struct PageCounts {
  Bytes anon;
  Bytes file;
  Bytes inactive_file;
  Bytes active_file;
};

PageCounts page_counts(const Observation& seen) {
  const cgroup::Meminfo& meminfo = *seen.meminfo;
  PageCounts counts{
      or_zero(meminfo.anon_pages),
      or_zero(meminfo.cached) + or_zero(meminfo.buffers) + or_zero(meminfo.swap_cached),
      or_zero(meminfo.inactive_file),
      or_zero(meminfo.active_file)};
  if (seen.cgroup_mode == CgroupMode::kV2 && seen.root_stat) {
    counts.anon = seen.root_stat->anon.value_or(counts.anon);
    counts.file = seen.root_stat->file.value_or(counts.file);
    counts.inactive_file = seen.root_stat->inactive_file.value_or(counts.inactive_file);
    counts.active_file = seen.root_stat->active_file.value_or(counts.active_file);
  }
  return counts;
}

KubeletFormula formula_of(const Observation& seen) {
  if (!seen.kubelet || seen.cgroup_mode == CgroupMode::kNone) {
    return KubeletFormula::kNone;
  }
  if (seen.cgroup_mode != CgroupMode::kV2) {
    return KubeletFormula::kV1;
  }
  // runc 1.1.9 brought anon + file; kubelets of 1.27 and 1.28 vendor it.
  constexpr int kFirstAnonFileMinor = 27;
  const auto& version = seen.kubelet->version;
  return version && !version->at_least(kFirstAnonFileMinor) ? KubeletFormula::kTotalFree
                                                            : KubeletFormula::kAnonFile;
}

Bytes available(KubeletFormula formula, const Observation& seen, const PageCounts& counts) {
  const cgroup::Meminfo& meminfo = *seen.meminfo;
  Bytes usage = counts.anon + counts.file;
  if (formula == KubeletFormula::kTotalFree) {
    usage = meminfo.mem_total - meminfo.mem_free;
  } else if (formula == KubeletFormula::kV1 && seen.root_usage) {
    usage = *seen.root_usage;
  }
  const Bytes inactive_file =
      formula == KubeletFormula::kV1 && seen.root_stat && seen.root_stat->inactive_file
          ? *seen.root_stat->inactive_file
          : counts.inactive_file;
  return meminfo.mem_total - std::max(usage - inactive_file, Bytes{});
}

/// Pages times the page size; the counters are below 2^52, so this does not overflow on any
/// machine.
Bytes pages(std::int64_t count, Bytes page_size) {
  return scale(page_size, count, 1);
}

Bytes half_up_to(Bytes amount, Bytes bound) {
  return std::min(scale(amount, 1, 2), bound);
}

/// In the ratio of those there are to what they map, and at most an entry of 8 bytes for each page
/// and, of a guest's memory, one more. The old formula counts page tables as used.
Bytes page_tables_to_come(const cgroup::Meminfo& meminfo, KubeletFormula formula) {
  constexpr double kMost = 2 * 8.0 / 4096;
  const Bytes mapped = or_zero(meminfo.anon_pages) + or_zero(meminfo.shmem);
  if (formula == KubeletFormula::kTotalFree || mapped <= Bytes{}) {
    return {};
  }
  const Bytes tables = or_zero(meminfo.page_tables) + or_zero(meminfo.sec_page_tables);
  const double ratio = static_cast<double>(tables.value()) / static_cast<double>(mapped.value());
  const auto available = static_cast<double>(or_zero(meminfo.mem_available).value());
  return Bytes{std::llround(std::min(ratio, kMost) * available)};
}

}  // namespace

std::string_view to_text(KubeletFormula formula) {
  switch (formula) {
    case KubeletFormula::kAnonFile:
      return "anon+file";
    case KubeletFormula::kTotalFree:
      return "total-free";
    case KubeletFormula::kV1:
      return "v1";
    case KubeletFormula::kNone:
      return "none";
  }
  return "none";
}

MemoryAccount account(const Observation& observation) {
  MemoryAccount memory;
  memory.formula = formula_of(observation);
  memory.hugepages = cgroup::total_size(observation.hugepages);
  if (!observation.meminfo) {
    return memory;
  }
  const cgroup::Meminfo& meminfo = *observation.meminfo;
  const PageCounts counts = page_counts(observation);
  const Bytes reclaimable_slab =
      or_zero(meminfo.kreclaimable ? meminfo.kreclaimable : meminfo.s_reclaimable);
  const Bytes cache = counts.active_file + counts.inactive_file;

  memory.capacity = meminfo.mem_total;
  memory.kubelet_available = available(memory.formula, observation, counts);
  memory.mem_available = meminfo.mem_available;
  if (memory.mem_available) {
    memory.gap = *memory.kubelet_available - *memory.mem_available;
  }
  memory.kernel =
      *memory.kubelet_available - meminfo.mem_free - reclaimable_slab - counts.inactive_file;
  memory.page_tables_to_come = page_tables_to_come(meminfo, memory.formula);
  memory.active_file = counts.active_file;
  if (observation.zoneinfo) {
    const Bytes page_size = observation.zoneinfo->page_size(meminfo.mem_total);
    const Bytes low = pages(observation.zoneinfo->low_watermark_pages(), page_size);
    memory.reserve = pages(observation.zoneinfo->reserve_pages(), page_size);
    memory.cache_floor = half_up_to(cache, low) + half_up_to(reclaimable_slab, low);
  } else if (memory.gap) {
    // Without zoneinfo the sum R + w still follows from the identity; it is kept in one term.
    memory.reserve = std::max(*memory.gap - *memory.kernel + *memory.active_file, Bytes{});
    memory.cache_floor = Bytes{};
  }
  if (const auto in_pods =
          observation.kubepods ? observation.kubepods->unreclaimable() : std::nullopt) {
    const Bytes everywhere = meminfo.mem_total - meminfo.mem_free - cache - reclaimable_slab;
    memory.outside_kubepods = std::max(everywhere - *in_pods, Bytes{});
  }
  if (observation.kubepods && observation.kubepods->max && observation.kubepods->max->bytes) {
    memory.reserved = std::max(meminfo.mem_total - *observation.kubepods->max->bytes, Bytes{});
  }
  return memory;
}

std::optional<Bytes> left_to_kubelet(const MemoryAccount& memory) {
  if (!memory.kubelet_available || !memory.kernel || !memory.reserve) {
    return std::nullopt;
  }
  return *memory.kubelet_available - *memory.kernel - *memory.reserve - memory.page_tables_to_come;
}

}  // namespace eviction::agent
