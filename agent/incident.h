// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/workload.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

enum class IncidentKind {
  kOomKill,      ///< the kernel killed
  kEviction,     ///< the kubelet evicted a pod for memory
  kTransaction,  ///< a change of the kubelet's value: see ValueChange
  kGuard,        ///< a guard began to refuse
};

/// "oom-kill", "eviction", "transaction", "guard".
[[nodiscard]] std::string_view to_text(IncidentKind kind);

/// Whose doing it was.
enum class IncidentCause {
  kContainerLimit,
  kPodLimit,
  kAncestorLimit,  ///< of kubepods or a QoS class
  kServiceLimit,   ///< of a cgroup outside kubepods: a service, or a container of no pod
  kNode,           ///< the node was out of memory
  kCpuset,         ///< the NUMA nodes that a cpuset allows were
  kMemoryPolicy,   ///< the NUMA nodes that a memory policy names were
  kNodeOrBound,    ///< no limit was reached, so one of the last three: the kernel's log is not read
  kKubeletEviction,
  kAgent,
};

/// "container-limit", "pod-limit", "ancestor-limit", "service-limit", "node", "cpuset",
/// "memory-policy", "node-or-bound", "kubelet-eviction", "agent".
[[nodiscard]] std::string_view to_text(IncidentCause cause);

/// Those of OOM kills.
inline constexpr std::array kOomCauses{IncidentCause::kContainerLimit,
                                       IncidentCause::kPodLimit,
                                       IncidentCause::kAncestorLimit,
                                       IncidentCause::kServiceLimit,
                                       IncidentCause::kNode,
                                       IncidentCause::kCpuset,
                                       IncidentCause::kMemoryPolicy,
                                       IncidentCause::kNodeOrBound};

inline constexpr const char* kFromKernelLog = "kernel log";
inline constexpr const char* kFromCounters = "memory.events";
inline constexpr const char* kFromApiServer = "API server";
inline constexpr const char* kFromAgent = "agent";

/// The node's memory at one of the cheap looks.
struct MemorySample {
  std::chrono::sys_seconds at;
  std::optional<Bytes> kubelet_available;
  std::optional<Bytes> mem_available;

  bool operator==(const MemorySample&) const = default;
};

/// Who was killed or evicted. Identity is the pod's UID; empty texts and absent values: not known.
struct Victim {
  std::string uid;  ///< empty: a process of no pod
  std::string name_space;
  std::string name;
  std::optional<WorkloadClass> workload;
  std::string container;  ///< the runtime's ID
  std::string process;    ///< any bytes
  std::optional<int> pid;
  std::string cgroup;
  std::optional<Bytes> usage;            ///< of the pod at the last full look before
  std::optional<Bytes> working_set;      ///< likewise: what the kubelet ranks by
  std::optional<MemoryRequest> request;  ///< of the pod, as allocated
  std::optional<Bytes> limit;            ///< of the pod, as its cgroup had it
};

/// The cgroup limit that was reached.
struct ReachedLimit {
  std::string cgroup;
  std::optional<Bytes> bytes;  ///< absent: not told
  std::optional<Bytes> usage;  ///< likewise
};

/// One record: what happened to whom, why, and what would have prevented it.
struct Incident {
  std::chrono::sys_seconds at;
  IncidentKind kind = IncidentKind::kOomKill;
  IncidentCause cause = IncidentCause::kAgent;
  std::string source;      ///< who told: one of kFrom...
  std::string what;        ///< in words
  std::string prevention;  ///< what would have prevented it, in words; empty: nothing to say
  std::optional<Victim> victim = {};
  std::optional<ReachedLimit> limit = {};
  std::vector<MemorySample> before = {};  ///< the node's memory just before, oldest first
  std::string guard = {};                 ///< of kGuard: its name
  std::string boot_id = {};               ///< of a record of the kernel's log
  std::optional<std::uint64_t> sequence = {};
};

/// Who can tell the agent of kills now, and of evictions: the API server alone.
struct IncidentSources {
  bool kernel_log = false;
  bool counters = false;
  bool api_server = false;
};

/// What the agent counted since it started.
struct IncidentCounts {
  std::map<IncidentCause, std::uint64_t> oom_kills;
  std::map<WorkloadClass, std::uint64_t> evictions;
  std::uint64_t evictions_unclassed = 0;  ///< of pods that the agent never saw run
};

}  // namespace eviction::agent
