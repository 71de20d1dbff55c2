// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/kubepods.h"
#include "cgroup/pressure.h"

namespace eviction::agent {

/// What a pod is, for memory: a VM keeps every page it touched, a container comes and goes.
enum class WorkloadClass {
  kVm,           ///< a KubeVirt virt-launcher pod
  kVmAuxiliary,  ///< serves a VM (hotplug disk)
  kSystem,       ///< static or system-critical: the kubelet never evicts it
  kContainer,
};

inline constexpr std::array kWorkloadClasses{WorkloadClass::kVm,
                                             WorkloadClass::kVmAuxiliary,
                                             WorkloadClass::kSystem,
                                             WorkloadClass::kContainer};

/// "vm", "vm-auxiliary", "system", "container".
[[nodiscard]] std::string_view to_text(WorkloadClass workload);

/// Where a memory request was learned, best first.
enum class RequestSource { kApi, kKubelet, kCheckpoint, kEstimate };

/// "api", "kubelet", "checkpoint", "estimate".
[[nodiscard]] std::string_view to_text(RequestSource source);

/// A pod's memory request. Exact (low == high) unless it is an estimate.
struct MemoryRequest {
  Bytes low;
  Bytes high;
  RequestSource source = RequestSource::kEstimate;
};

/// A change of a running pod's memory request that its kubelet has not finished.
struct Resize {
  std::optional<std::chrono::sys_seconds> since;  ///< absent: kubelets up to 1.32 do not say

  bool operator==(const Resize&) const = default;
};

/// What the kernel counted of kills in a pod since its cgroup was made.
struct OomCounts {
  std::uint64_t kills = 0;   ///< processes that any OOM killed
  std::uint64_t limits = 0;  ///< how often its limit or that of a container in it was reached
  /// How often its own limit was. Absent: Linux before 5.2.
  std::optional<std::uint64_t> own_limit;

  bool operator==(const OomCounts&) const = default;
};

/// One live pod: it has a cgroup. Identity is the UID; names are for display.
struct Pod {
  std::string uid;
  std::string name_space;  ///< empty when no source tells
  std::string name;        ///< empty when no source tells
  WorkloadClass workload = WorkloadClass::kContainer;
  cgroup::QosClass qos = cgroup::QosClass::kBurstable;
  std::optional<Bytes> usage;                ///< memory.current
  std::optional<Bytes> working_set;          ///< usage without inactive file pages
  std::optional<Bytes> unreclaimable = {};   ///< usage without page cache and reclaimable slab
  std::optional<Resize> resize;              ///< absent: none is under way, or no API server tells
  std::optional<MemoryRequest> request;      ///< absent: no source tells, not even an estimate
  std::optional<Bytes> limit;                ///< memory.max in force; absent: none
  std::optional<int> priority;               ///< absent: only the API or the kubelet know it
  std::optional<cgroup::Pressure> pressure;  ///< of a VM's memory; absent for other classes
  std::optional<OomCounts> oom;              ///< absent: cgroup v1
  std::string vm_uid;  ///< of the VirtualMachineInstance; empty for other classes
};

/// What a pod may still take until its limit: page cache and reclaimable slab give way before that.
/// Absent: it has no limit, or its use is unknown.
[[nodiscard]] std::optional<Bytes> limit_headroom(const Pod& pod);

/// Pods of one class added up. Absent sums: a pod of the class has no such value.
struct WorkloadSum {
  std::size_t pods = 0;
  std::size_t vms = 0;  ///< distinct VMs: one that migrates may have two pods here for a moment
  Bytes working_set;
  std::optional<Bytes> request = Bytes{};   ///< upper ends
  std::optional<Bytes> headroom = Bytes{};  ///< until the limits
  std::optional<Bytes> unreclaimable = Bytes{};
};

/// Adds a pod to its class. vms is left to the caller.
void add(WorkloadSum& sum, const Pod& pod);

}  // namespace eviction::agent
