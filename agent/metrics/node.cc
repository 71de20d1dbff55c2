// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <string>

#include "agent/metrics/parts.h"

namespace eviction::agent::metrics {

namespace {

struct MemoryGauge {
  std::string_view name;
  std::string_view help;
  std::optional<Bytes> MemoryAccount::*bytes;
};

constexpr std::array kMemoryGauges{
    MemoryGauge{"memory_capacity_bytes", "MemTotal of the node.", &MemoryAccount::capacity},
    MemoryGauge{"memory_kubelet_available_bytes",
                "What the kubelet calls memory.available, by the formula of its version.",
                &MemoryAccount::kubelet_available},
    MemoryGauge{"memory_available_bytes",
                "What the kernel can really give: MemAvailable.",
                &MemoryAccount::mem_available},
    MemoryGauge{"memory_gap_bytes",
                "The kubelet's available memory less the kernel's; K + R + w - a.",
                &MemoryAccount::gap},
    MemoryGauge{"memory_kernel_bytes",
                "K: memory the kernel holds and the kubelet calls available.",
                &MemoryAccount::kernel},
    MemoryGauge{"memory_reserve_bytes",
                "R: pages the kernel keeps back from user allocations.",
                &MemoryAccount::reserve},
    MemoryGauge{"memory_cache_floor_bytes",
                "w: page cache and slab that reclaim leaves alone.",
                &MemoryAccount::cache_floor},
    MemoryGauge{"memory_active_file_bytes",
                "a: active page cache, which the kubelet counts as used.",
                &MemoryAccount::active_file},
    MemoryGauge{"memory_outside_kubepods_bytes",
                "S: unreclaimable memory outside kubepods.",
                &MemoryAccount::outside_kubepods},
    MemoryGauge{"memory_reserved_bytes",
                "V: capacity less the memory limit of kubepods.",
                &MemoryAccount::reserved},
};

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>{time}.count();
}

void add_pressure(Families& families,
                  std::string_view scope,
                  const std::optional<cgroup::Pressure>& pressure) {
  if (!pressure) {
    return;
  }
  families.add(seconds(pressure->some.total), {{"scope", scope}, {"kind", "some"}});
  if (pressure->full) {
    families.add(seconds(pressure->full->total), {{"scope", scope}, {"kind", "full"}});
  }
}

/// Absent when it is not known whether the kernel keeps PSI.
std::optional<bool> keeps_pressure(const Observation& seen) {
  if (seen.pressure) {
    return true;
  }
  const bool off = seen.pressure_absent && (seen.pressure_absent->kind == ErrorKind::kAbsent ||
                                            seen.pressure_absent->kind == ErrorKind::kUnsupported);
  return off ? std::optional{false} : std::nullopt;
}

void add_pressures(Families& families, const Observation& seen) {
  families.gauge("pressure_supported", "1 if the kernel keeps pressure stall information, else 0.");
  families.add(keeps_pressure(seen));
  families.counter("memory_pressure_seconds_total",
                   "Time in which some or all tasks stalled on memory: of the node, of kubepods, "
                   "and of its QoS classes.");
  add_pressure(families, "node", seen.pressure);
  add_pressure(families, "kubepods", seen.kubepods_pressure.all);
  add_pressure(families, "burstable", seen.kubepods_pressure.burstable);
  add_pressure(families, "besteffort", seen.kubepods_pressure.besteffort);
}

struct ReclaimScope {
  std::string_view name;
  const std::optional<cgroup::Vmstat>& counters;
};

void add_reclaim(Families& families, const Observation& seen) {
  const std::array scopes{ReclaimScope{"node", seen.vmstat},
                          ReclaimScope{"kubepods", seen.kubepods_reclaim.all},
                          ReclaimScope{"burstable", seen.kubepods_reclaim.burstable},
                          ReclaimScope{"besteffort", seen.kubepods_reclaim.besteffort}};
  families.counter("workingset_refaults_total",
                   "Pages read back soon after they were reclaimed: of the node, of kubepods, and "
                   "of its QoS classes.");
  for (const auto& [scope, counters] : scopes) {
    if (counters) {
      families.add(counters->workingset_refault_anon, {{"scope", scope}, {"type", "anon"}});
      families.add(counters->workingset_refault_file, {{"scope", scope}, {"type", "file"}});
    }
  }
  families.counter("reclaim_scanned_pages_total",
                   "Pages looked at by reclaim, in an allocation or by kswapd: of the node, of "
                   "kubepods, and of its QoS classes.");
  for (const auto& [scope, counters] : scopes) {
    if (counters) {
      families.add(counters->pgscan_direct, {{"scope", scope}, {"by", "direct"}});
      families.add(counters->pgscan_kswapd, {{"scope", scope}, {"by", "kswapd"}});
    }
  }
}

void add_vmstat(Families& families, const cgroup::Vmstat& vmstat) {
  families.counter("direct_reclaim_stalls_total",
                   "Allocations that had to reclaim memory themselves, since boot.");
  families.add(vmstat.allocstall);
  families.counter("swapped_pages_total", "Pages read from and written to swap, since boot.");
  families.add(vmstat.pswpin, {{"direction", "in"}});
  families.add(vmstat.pswpout, {{"direction", "out"}});
  families.counter("kernel_oom_kills_total",
                   "Processes the kernel killed for lack of memory since boot, those at a cgroup's "
                   "own limit included.");
  families.add(vmstat.oom_kill);
}

void add_info(Families& families, const Plan& plan) {
  const Observation& seen = plan.observation;
  families.gauge("node_info", "The node's kernel and cgroup version.");
  families.add(
      true, {{"kernel", seen.kernel.value_or("")}, {"cgroup", cgroup::to_text(seen.cgroup_mode)}});
  if (!seen.kubelet) {
    return;
  }
  const Kubelet& kubelet = *seen.kubelet;
  const std::string version = kubelet.version ? config::to_text(*kubelet.version) : std::string{};
  families.gauge("kubelet_info",
                 "The kubelet, how it computes memory.available, and which of its files the agent "
                 "would write.");
  families.add(true,
               {{"version", version},
                {"supervisor", kubelet.supervisor},
                {"formula", to_text(plan.memory.formula)},
                {"target", to_text(kubelet.target)}});
}

}  // namespace

void add_node(Families& families, const Plan& plan) {
  const Observation& seen = plan.observation;
  add_info(families, plan);
  for (const MemoryGauge& gauge : kMemoryGauges) {
    families.gauge(gauge.name, gauge.help);
    families.add(plan.memory.*gauge.bytes);
  }
  if (plan.memory.capacity) {
    families.gauge("memory_hugepages_bytes", "All hugepage pools, part of K.");
    families.add(plan.memory.hugepages);
  }
  families.gauge("kubepods_working_set_bytes",
                 "Working set of kubepods, as the kubelet counts it.");
  families.add(seen.kubepods ? seen.kubepods->working_set() : std::nullopt);
  add_pressures(families, seen);
  add_reclaim(families, seen);
  if (seen.vmstat) {
    add_vmstat(families, *seen.vmstat);
  }
}

}  // namespace eviction::agent::metrics
