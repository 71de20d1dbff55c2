// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/prevention.h"

#include <algorithm>

namespace eviction::agent {

namespace {

std::string known(const std::optional<Bytes>& bytes) {
  return bytes ? to_human(*bytes) : std::string{"unknown"};
}

/// What a threshold would have done about memory that the whole node lacks.
std::string threshold_advice(const Scene& scene) {
  const std::string need = scene.need ? "of " + to_human(*scene.need) : "that this node needs";
  if (!scene.in_force) {
    return "a threshold of memory.available " + need +
           " makes the kubelet evict before; what it "
           "had is not known";
  }
  const std::optional<Bytes> set = std::max(scene.in_force->hard, scene.in_force->soft);
  if (!set) {
    return "no threshold of memory.available is set: one " + need +
           " makes the kubelet evict before the kernel kills" +
           (scene.desired ? "; " + to_human(*scene.desired) + " can be set now" : "");
  }
  if (scene.need && *set < *scene.need) {
    return "the threshold that is set, " + to_human(*set) + ", is less than the " +
           to_human(*scene.need) + " that this node needs";
  }
  return "the threshold that is set, " + to_human(*set) +
         ", did not fire in time: memory fell faster than it provides for, so limit what grew, or "
         "raise it";
}

std::string limit_advice(const Incident& incident, const std::string& whose) {
  const auto bytes = incident.limit ? incident.limit->bytes : std::nullopt;
  return "a higher limit of " + whose + (bytes ? " than " + to_human(*bytes) : std::string{}) +
         ", or less use; no eviction threshold prevents this";
}

std::string ancestor_advice(const Incident& incident, const Scene& scene) {
  const std::string cgroup = incident.limit ? incident.limit->cgroup : "kubepods";
  const auto hard = scene.in_force ? scene.in_force->hard : std::nullopt;
  return "all pods in " + cgroup + " together reached what the node has for them: " +
         (hard ? "the hard threshold that is set, " + to_human(*hard) +
                     ", did not make the kubelet evict before; raise it"
               : "a hard threshold of memory.available makes the kubelet evict before (a soft one "
                 "does not)") +
         ", or have less run here";
}

std::string bound_advice(const std::string& by) {
  return "the NUMA nodes that " + by +
         " allows were out of memory, whatever the others had: no threshold helps; allow more "
         "nodes, or have less bound to these";
}

/// Source: kubelet v1.36 pkg/kubelet/eviction/helpers.go exceedMemoryRequests(), memoryUsage(): the
/// working set.
std::string eviction_advice(const Incident& incident) {
  const Victim victim = incident.victim.value_or(Victim{});
  if (!victim.request || !victim.working_set) {
    return "less memory in use on the node; a pod that uses no more than its request is evicted "
           "last";
  }
  if (*victim.working_set <= victim.request->low) {
    return "its working set, " + to_human(*victim.working_set) + ", was within its request, " +
           known(victim.request->low) +
           ": only less memory in use on the node, or a higher "
           "priority";
  }
  return "a request of at least its working set, " + to_human(*victim.working_set) +
         " instead of " + known(victim.request->low) +
         ", would have ranked it behind the pods that exceed theirs";
}

}  // namespace

std::string prevention(const Incident& incident, const Scene& scene) {
  switch (incident.cause) {
    case IncidentCause::kContainerLimit:
      return limit_advice(incident, "the container");
    case IncidentCause::kPodLimit:
      return limit_advice(incident, "the pod");
    case IncidentCause::kAncestorLimit:
      return ancestor_advice(incident, scene);
    case IncidentCause::kServiceLimit:
      return limit_advice(incident, incident.limit ? incident.limit->cgroup : "the service");
    case IncidentCause::kNode:
      return threshold_advice(scene);
    case IncidentCause::kCpuset:
      return bound_advice("its cpuset");
    case IncidentCause::kMemoryPolicy:
      return bound_advice("its memory policy");
    case IncidentCause::kNodeOrBound:
      return "if the whole node was out of memory: " + threshold_advice(scene) +
             "; if only the NUMA nodes it is bound to, no threshold helps";
    case IncidentCause::kKubeletEviction:
      return eviction_advice(incident);
    case IncidentCause::kAgent:
      return {};
  }
  return {};
}

}  // namespace eviction::agent
