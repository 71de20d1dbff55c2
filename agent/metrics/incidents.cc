// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics/parts.h"

namespace eviction::agent::metrics {

namespace {

template <class Key>
std::uint64_t count_of(const std::map<Key, std::uint64_t>& counts, Key key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

void add_incidents(Families& families, const Status& status) {
  const IncidentCounts& counts = status.incidents;
  families.counter("oom_kills_total",
                   "OOM kills by whose limit was reached; node: the whole node was out of memory, "
                   "cpuset and memory-policy: the NUMA nodes it was bound to were.");
  for (const IncidentCause cause : kOomCauses) {
    families.add(count_of(counts.oom_kills, cause), {{"cause", to_text(cause)}});
  }
  families.counter("kubelet_evictions_total",
                   "Pods that the kubelet evicted for memory, by class.");
  for (const WorkloadClass workload : kWorkloadClasses) {
    families.add(count_of(counts.evictions, workload), {{"class", to_text(workload)}});
  }
  families.add(counts.evictions_unclassed, {{"class", "unknown"}});
  const IncidentSources& sources = status.incident_sources;
  families.gauge("incident_source",
                 "1 if this source can be asked now. oom_kills_total goes by the kernel log or "
                 "memory.events, kubelet_evictions_total by the API server alone.");
  families.add(sources.kernel_log, {{"source", kFromKernelLog}});
  families.add(sources.counters, {{"source", kFromCounters}});
  families.add(sources.api_server, {{"source", kFromApiServer}});
}

}  // namespace eviction::agent::metrics
