// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/incident.h"
#include "agent/observation.h"
#include "agent/pod_list.h"
#include "agent/pods.h"
#include "agent/policy/guards.h"
#include "agent/policy/sizing.h"
#include "cgroup/oom_kill.h"

namespace eviction::agent {

/// What the agent knew of the node when something happened.
struct Scene {
  /// By UID; those that ended a short while ago as well.
  std::map<std::string, const Pod*> pods;
  std::map<std::string, PodName> names;  ///< by UID, of pods that are younger
  std::vector<MemorySample> samples;     ///< oldest first

  /// Thresholds of memory.available that the kubelet has. Absent: not known.
  struct InForce {
    std::optional<Bytes> hard;
    std::optional<Bytes> soft;
  };

  std::optional<InForce> in_force;
  std::optional<Bytes> need;     ///< Sizing::need
  std::optional<Bytes> desired;  ///< Sizing::hard, else Sizing::soft
};

/// The last samples of the minute before, at most five. Pure, as all below.
[[nodiscard]] std::vector<MemorySample> samples_before(const std::vector<MemorySample>& samples,
                                                       std::chrono::sys_seconds at);

/// A kill that the kernel's log told of.
[[nodiscard]] Incident oom_incident(const cgroup::OomEvent& event,
                                    std::chrono::sys_seconds at,
                                    const std::string& boot_id,
                                    const Scene& scene);

/// The kernel's counters of one look.
struct OomLook {
  struct PodCounts {
    OomCounts counts;
    cgroup::QosClass qos = cgroup::QosClass::kBurstable;
  };

  std::map<std::string, PodCounts> pods;
  std::string kubepods_path;
  std::optional<std::uint64_t> kubepods;  ///< how often its own limit was reached
  cgroup::QosOom qos;
};

/// Absent: the pods could not be listed.
[[nodiscard]] std::optional<OomLook> oom_look(const Observation& seen);

/// A pod in which the counters rose between two looks.
struct CountedKill {
  std::string uid;
  std::uint64_t processes = 0;
  IncidentCause cause = IncidentCause::kNodeOrBound;
  std::string limit_cgroup;  ///< of kAncestorLimit: whose
};

/// The kills between two looks, one a pod. A limit was reached where its own counter rose: that of
/// the pod before that of a container in it, before that of a class or of kubepods; what is left
/// was no limit's doing. A pod that was not there before began at 0.
[[nodiscard]] std::vector<CountedKill> counted_kills(const OomLook& before, const OomLook& now);

[[nodiscard]] Incident counted_incident(const CountedKill& kill,
                                        std::chrono::sys_seconds at,
                                        const Scene& scene);

/// at: for a pod whose eviction has no time.
[[nodiscard]] Incident eviction_incident(const EvictedPod& pod,
                                         std::chrono::sys_seconds at,
                                         const Scene& scene);

/// A guard that does not let the value pass.
[[nodiscard]] Incident guard_incident(const Guard& guard,
                                      std::chrono::sys_seconds at,
                                      const Scene& scene);

/// What came of the value for the kubelet. The last three need no restart: they hold from its next
/// start.
enum class ValueChange { kInForce, kPutBack, kShrunk, kWithdrawn, kRestored };

[[nodiscard]] Incident transaction_incident(ValueChange change,
                                            const std::string& file,
                                            const std::string& reason,
                                            std::chrono::sys_seconds at);

}  // namespace eviction::agent
