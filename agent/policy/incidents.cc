// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/incidents.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/policy/prevention.h"
#include "cgroup/kubepods.h"

namespace eviction::agent {

namespace {

using std::chrono::sys_seconds;

/// Where a cgroup path leads to a pod and into it.
struct PodPath {
  std::string uid;        ///< of the outermost pod; empty: the path leads to none
  std::string container;  ///< what comes below the pod; empty: nothing
};

PodPath pod_path(std::string_view path) {
  PodPath found;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (const auto uid = cgroup::pod_uid(name)) {
      found.uid = *uid;
      found.container = cgroup::container_id(path.substr(0, path.find('/')));
      break;
    }
  }
  return found;
}

IncidentCause cause_of(const cgroup::OomKill& kill) {
  if (!kill.oom_memcg.empty()) {
    const PodPath limit = pod_path(kill.oom_memcg);
    if (limit.uid.empty()) {
      return kill.oom_memcg.find("kubepods") == std::string::npos ? IncidentCause::kServiceLimit
                                                                  : IncidentCause::kAncestorLimit;
    }
    return limit.container.empty() ? IncidentCause::kPodLimit : IncidentCause::kContainerLimit;
  }
  switch (kill.constraint) {
    case cgroup::OomConstraint::kCpuset:
      return IncidentCause::kCpuset;
    case cgroup::OomConstraint::kMemoryPolicy:
      return IncidentCause::kMemoryPolicy;
    case cgroup::OomConstraint::kNone:
    case cgroup::OomConstraint::kMemcg:
      return IncidentCause::kNode;
  }
  return IncidentCause::kNode;
}

/// The victim with what the last looks knew of its pod.
Victim victim_of(const std::string& uid, const Scene& scene) {
  Victim victim;
  victim.uid = uid;
  const auto found = scene.pods.find(uid);
  if (found == scene.pods.end()) {
    if (const auto name = scene.names.find(uid); name != scene.names.end()) {
      victim.name_space = name->second.name_space;
      victim.name = name->second.name;
    }
    return victim;
  }
  const Pod& pod = *found->second;
  victim.name_space = pod.name_space;
  victim.name = pod.name;
  victim.workload = pod.workload;
  victim.usage = pod.usage;
  victim.working_set = pod.working_set;
  victim.request = pod.request;
  victim.limit = pod.limit;
  return victim;
}

std::string name_of(const Victim& victim) {
  if (victim.uid.empty()) {
    return victim.cgroup.empty() ? "no pod" : "no pod, cgroup " + victim.cgroup;
  }
  return "pod " + (victim.name.empty() ? victim.uid : victim.name_space + '/' + victim.name);
}

std::string reason_of(const Incident& incident, const cgroup::OomKill& kill) {
  const std::string limit = incident.limit && incident.limit->bytes
                                ? " of " + to_human(*incident.limit->bytes)
                                : std::string{};
  switch (incident.cause) {
    case IncidentCause::kContainerLimit:
      return "its container reached its limit" + limit;
    case IncidentCause::kPodLimit:
      return "the pod reached its limit" + limit;
    case IncidentCause::kAncestorLimit:
    case IncidentCause::kServiceLimit:
      return kill.oom_memcg + " reached its limit" + limit;
    case IncidentCause::kCpuset:
      return "the NUMA nodes " + kill.mems_allowed + " of a cpuset were out of memory";
    case IncidentCause::kMemoryPolicy:
      return "the NUMA nodes " + kill.nodemask + " of a memory policy were out of memory";
    case IncidentCause::kNode:
    case IncidentCause::kNodeOrBound:
    case IncidentCause::kKubeletEviction:
    case IncidentCause::kAgent:
      return "the node was out of memory";
  }
  return {};
}

std::string counted_reason(const CountedKill& kill) {
  switch (kill.cause) {
    case IncidentCause::kContainerLimit:
      return "a container of it reached its limit";
    case IncidentCause::kPodLimit:
      return "it reached its own limit";
    case IncidentCause::kAncestorLimit:
    case IncidentCause::kServiceLimit:
      return kill.limit_cgroup + " reached its limit";
    case IncidentCause::kNode:
    case IncidentCause::kCpuset:
    case IncidentCause::kMemoryPolicy:
    case IncidentCause::kNodeOrBound:
    case IncidentCause::kKubeletEviction:
    case IncidentCause::kAgent:
      return "no limit was reached, so the node, or the NUMA nodes it is bound to, were out of "
             "memory";
  }
  return {};
}

/// Whether a counter rose. One that fell began anew with its cgroup.
bool rose(const std::optional<std::uint64_t>& before, const std::optional<std::uint64_t>& now) {
  return now && *now > (before && *before <= *now ? *before : 0);
}

/// Whose limit above the pod was reached; empty: none.
std::string ancestor_reached(const OomLook& before, const OomLook& now, cgroup::QosClass qos) {
  if (qos == cgroup::QosClass::kBurstable && rose(before.qos.burstable, now.qos.burstable)) {
    return "the burstable cgroup of " + now.kubepods_path;
  }
  if (qos == cgroup::QosClass::kBestEffort && rose(before.qos.besteffort, now.qos.besteffort)) {
    return "the besteffort cgroup of " + now.kubepods_path;
  }
  return rose(before.kubepods, now.kubepods) ? now.kubepods_path : std::string{};
}

std::string to_text(ValueChange change, const std::string& file) {
  switch (change) {
    case ValueChange::kInForce:
      return "the change of " + file + " is in force";
    case ValueChange::kPutBack:
      return "the change of " + file + " was put back";
    case ValueChange::kShrunk:
      return file + " has a smaller value for the kubelet's next start";
    case ValueChange::kWithdrawn:
      return file + " was withdrawn before the kubelet's next start";
    case ValueChange::kRestored:
      return file + " is back for the kubelet's next start";
  }
  return {};
}

}  // namespace

std::vector<MemorySample> samples_before(const std::vector<MemorySample>& samples, sys_seconds at) {
  constexpr std::chrono::minutes kSpan{1};
  constexpr std::size_t kMost = 5;
  std::vector<MemorySample> before;
  for (const MemorySample& sample : samples) {
    if (sample.at <= at && at - sample.at <= kSpan) {
      before.push_back(sample);
    }
  }
  if (before.size() > kMost) {
    before.erase(before.begin(), before.end() - static_cast<std::ptrdiff_t>(kMost));
  }
  return before;
}

Incident oom_incident(const cgroup::OomEvent& event,
                      sys_seconds at,
                      const std::string& boot_id,
                      const Scene& scene) {
  const cgroup::OomKill& kill = event.kill;
  const PodPath path = pod_path(kill.task_memcg);
  Incident incident{.at = at,
                    .kind = IncidentKind::kOomKill,
                    .cause = cause_of(kill),
                    .source = kFromKernelLog,
                    .what = {},
                    .prevention = {}};
  incident.boot_id = boot_id;
  incident.sequence = event.sequence;
  incident.before = samples_before(scene.samples, at);
  Victim victim = victim_of(path.uid, scene);
  victim.container = path.container;
  victim.cgroup = kill.task_memcg;
  victim.process = kill.task;
  victim.pid = kill.pid;
  if (!kill.oom_memcg.empty()) {
    incident.limit = ReachedLimit{.cgroup = kill.oom_memcg, .bytes = {}, .usage = {}};
    if (event.usage) {
      incident.limit->bytes = event.usage->limit;
      incident.limit->usage = event.usage->usage;
    }
  }
  incident.what = "the kernel killed " + kill.task + " (process " + std::to_string(kill.pid) +
                  ") in " + name_of(victim) + ": " + reason_of(incident, kill);
  incident.victim = std::move(victim);
  incident.prevention = prevention(incident, scene);
  return incident;
}

std::optional<OomLook> oom_look(const Observation& seen) {
  if (!seen.pods_known) {
    return std::nullopt;
  }
  OomLook look;
  look.kubepods_path = seen.kubepods_path.value_or("kubepods");
  look.kubepods = seen.kubepods ? seen.kubepods->own_oom : std::nullopt;
  look.qos = seen.qos_oom;
  for (const Pod& pod : seen.pods) {
    if (pod.oom) {
      look.pods.emplace(pod.uid, OomLook::PodCounts{.counts = *pod.oom, .qos = pod.qos});
    }
  }
  return look;
}

std::vector<CountedKill> counted_kills(const OomLook& before, const OomLook& now) {
  std::vector<CountedKill> kills;
  for (const auto& [uid, pod] : now.pods) {
    const auto found = before.pods.find(uid);
    OomCounts earlier = found == before.pods.end() ? OomCounts{} : found->second.counts;
    if (pod.counts.kills < earlier.kills) {
      earlier = OomCounts{};  // the pod's cgroup was made anew
    }
    if (pod.counts.kills == earlier.kills) {
      continue;
    }
    CountedKill kill{.uid = uid,
                     .processes = pod.counts.kills - earlier.kills,
                     .cause = IncidentCause::kNodeOrBound,
                     .limit_cgroup = ancestor_reached(before, now, pod.qos)};
    if (rose(earlier.own_limit, pod.counts.own_limit)) {
      kill.cause = IncidentCause::kPodLimit;
    } else if (pod.counts.limits > earlier.limits) {
      kill.cause = IncidentCause::kContainerLimit;
    } else if (!kill.limit_cgroup.empty()) {
      kill.cause = IncidentCause::kAncestorLimit;
    }
    kills.push_back(std::move(kill));
  }
  return kills;
}

Incident counted_incident(const CountedKill& kill, sys_seconds at, const Scene& scene) {
  Incident incident{.at = at,
                    .kind = IncidentKind::kOomKill,
                    .cause = kill.cause,
                    .source = kFromCounters,
                    .what = {},
                    .prevention = {}};
  incident.victim = victim_of(kill.uid, scene);
  if (kill.cause == IncidentCause::kAncestorLimit) {
    incident.limit = ReachedLimit{.cgroup = kill.limit_cgroup, .bytes = {}, .usage = {}};
  } else if (kill.cause == IncidentCause::kPodLimit) {
    incident.limit =
        ReachedLimit{.cgroup = "the pod's", .bytes = incident.victim->limit, .usage = {}};
  }
  incident.before = samples_before(scene.samples, at);
  incident.what = "the kernel killed " + std::to_string(kill.processes) +
                  (kill.processes == 1 ? " process in " : " processes in ") +
                  name_of(*incident.victim) + ": " + counted_reason(kill);
  incident.prevention = prevention(incident, scene);
  return incident;
}

Incident eviction_incident(const EvictedPod& pod, sys_seconds at, const Scene& scene) {
  Incident incident{.at = pod.at.value_or(at),
                    .kind = IncidentKind::kEviction,
                    .cause = IncidentCause::kKubeletEviction,
                    .source = kFromApiServer,
                    .what = {},
                    .prevention = {}};
  Victim victim = victim_of(pod.uid, scene);
  victim.name_space = pod.name_space;
  victim.name = pod.name;
  if (!victim.request) {
    victim.request = MemoryRequest{pod.request, pod.request, RequestSource::kApi};
  }
  incident.before = samples_before(scene.samples, incident.at);
  incident.what = "the kubelet evicted " + name_of(victim) + ": " + pod.message;
  incident.victim = std::move(victim);
  incident.prevention = prevention(incident, scene);
  return incident;
}

Incident guard_incident(const Guard& guard, sys_seconds at, const Scene& scene) {
  Incident incident{.at = at,
                    .kind = IncidentKind::kGuard,
                    .cause = IncidentCause::kAgent,
                    .source = kFromAgent,
                    .what = "guard " + guard.name + " refuses: " + guard.reason,
                    .prevention = {}};
  incident.before = samples_before(scene.samples, at);
  incident.guard = guard.name;
  return incident;
}

Incident transaction_incident(ValueChange change,
                              const std::string& file,
                              const std::string& reason,
                              sys_seconds at) {
  return {.at = at,
          .kind = IncidentKind::kTransaction,
          .cause = IncidentCause::kAgent,
          .source = kFromAgent,
          .what = to_text(change, file) + ": " + reason,
          .prevention = {}};
}

}  // namespace eviction::agent
