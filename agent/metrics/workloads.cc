// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <map>

#include "agent/metrics/parts.h"

namespace eviction::agent::metrics {

namespace {

constexpr std::string_view kUnknown = "unknown";

struct RequestSum {
  std::uint64_t pods = 0;
  Bytes bytes;
};

void add_requests(Families& families, const std::vector<Pod>& pods) {
  constexpr std::array kSources{RequestSource::kApi,
                                RequestSource::kKubelet,
                                RequestSource::kCheckpoint,
                                RequestSource::kEstimate};
  std::map<RequestSource, RequestSum> sums;
  std::uint64_t unknown = 0;
  for (const Pod& pod : pods) {
    if (pod.request) {
      RequestSum& sum = sums[pod.request->source];
      ++sum.pods;
      sum.bytes += pod.request->high;
    } else {
      ++unknown;
    }
  }
  families.gauge("request_pods", "Pods by the source that told their memory request.");
  for (const RequestSource source : kSources) {
    families.add(sums[source].pods, {{"source", to_text(source)}});
  }
  families.add(unknown, {{"source", kUnknown}});
  families.gauge("request_bytes",
                 "Memory requests by the source that told them; estimates by their upper end.");
  for (const RequestSource source : kSources) {
    families.add(sums[source].bytes, {{"source", to_text(source)}});
  }
}

/// Of pods that the API server tells of. A kubelet that can grant a resize does so within seconds
/// of its next look at the pod.
void add_resizes(Families& families, const std::vector<Pod>& pods, std::chrono::sys_seconds now) {
  constexpr std::chrono::minutes kOverdue{10};
  std::uint64_t under_way = 0;
  std::uint64_t overdue = 0;
  bool told = false;
  for (const Pod& pod : pods) {
    told = told || (pod.request && pod.request->source == RequestSource::kApi);
    if (pod.resize) {
      const bool late = pod.resize->since && now - *pod.resize->since > kOverdue;
      ++(late ? overdue : under_way);
    }
  }
  families.gauge("request_resizes",
                 "Pods whose memory is being resized; the larger of both requests counts. overdue: "
                 "for more than 10 minutes.");
  if (told) {
    families.add(under_way, {{"state", "under-way"}});
    families.add(overdue, {{"state", "overdue"}});
  }
}

}  // namespace

void add_workloads(Families& families, const Plan& plan, std::chrono::sys_seconds now) {
  if (!plan.observation.pods_known) {
    return;
  }
  families.gauge("workload_pods", "Pods by class.");
  for (const auto& [workload, sum] : plan.workloads) {
    families.add(std::uint64_t{sum.pods}, {{"class", to_text(workload)}});
  }
  families.gauge("workload_vms", "VMs; one that migrates may have two pods here for a moment.");
  if (const auto vms = plan.workloads.find(WorkloadClass::kVm); vms != plan.workloads.end()) {
    families.add(std::uint64_t{vms->second.vms});
  }
  families.gauge("workload_working_set_bytes", "Working set of all pods of a class.");
  for (const auto& [workload, sum] : plan.workloads) {
    families.add(sum.working_set, {{"class", to_text(workload)}});
  }
  families.gauge("workload_request_bytes", "Memory requests of all pods of a class.");
  for (const auto& [workload, sum] : plan.workloads) {
    families.add(sum.request, {{"class", to_text(workload)}});
  }
  families.gauge("workload_limit_headroom_bytes",
                 "What all pods of a class may still take until their limits; none if one has no "
                 "limit.");
  for (const auto& [workload, sum] : plan.workloads) {
    families.add(sum.headroom, {{"class", to_text(workload)}});
  }
  add_requests(families, plan.observation.pods);
  add_resizes(families, plan.observation.pods, now);
}

}  // namespace eviction::agent::metrics
