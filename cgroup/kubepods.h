// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/hierarchy.h"
#include "cgroup/memory.h"
#include "cgroup/pressure.h"
#include "cgroup/result.h"
#include "cgroup/vmstat.h"

namespace eviction::cgroup {

/// Kubernetes QoS class, as the pod's place in the tree shows it: Guaranteed pods sit directly
/// under kubepods. Source: kubelet v1.36 pkg/kubelet/cm/pod_container_manager_linux.go.
enum class QosClass { kGuaranteed, kBurstable, kBestEffort };

[[nodiscard]] std::string_view to_text(QosClass qos);  ///< "Guaranteed", "Burstable", "BestEffort"

/// Which cgroup driver named the tree: kubepods.slice (systemd) or kubepods (cgroupfs).
enum class CgroupDriver { kSystemd, kCgroupfs };

[[nodiscard]] std::string_view to_text(CgroupDriver driver);  ///< "systemd", "cgroupfs"

/// Memory of one cgroup at one look. Absent: the kernel has no such file, or it could not be read.
struct CgroupMemory {
  std::optional<Bytes> current;
  std::optional<MemoryLimit> max;
  std::optional<MemoryStat> stat;
  std::optional<MemoryEvents> events;  ///< of the cgroup and all below it
  /// How often its own limit killed (oom of memory.events.local). Absent: Linux before 5.2.
  std::optional<std::uint64_t> own_oom;

  /// The kubelet's working set: max(0, current - inactive_file); current where there is no
  /// inactive_file. Absent without current.
  /// Source: kubelet v1.36, cadvisor container/libcontainer/handler.go setMemoryStats().
  [[nodiscard]] std::optional<Bytes> working_set() const;

  /// What reclaim cannot take without swap: current without page cache and reclaimable slab. Where
  /// slab is in current and not told, as on v1, it is anon and shmem. Absent where one of these is.
  [[nodiscard]] std::optional<Bytes> unreclaimable() const;
};

/// One container (or the pod's sandbox) below a pod's cgroup.
struct ContainerCgroup {
  std::string name;       ///< of the cgroup, below the pod's
  std::string id;         ///< the runtime's, prefix and suffix stripped
  std::vector<int> pids;  ///< or of those below it, if it has none; 0s are dropped (no hostPID)
};

/// One pod cgroup.
struct PodCgroup {
  std::string uid;  ///< as Kubernetes writes it: with dashes, or 32 hex digits for a static pod
  QosClass qos = QosClass::kBurstable;
  std::string path;  ///< relative to the hierarchy's root
  CgroupMemory memory;
  std::vector<ContainerCgroup> containers;  ///< in name order
};

/// Memory pressure of kubepods and of the QoS classes that have a cgroup. Absent: no such cgroup,
/// or the kernel keeps no PSI for it.
struct KubepodsPressure {
  std::optional<Pressure> all;
  std::optional<Pressure> burstable;
  std::optional<Pressure> besteffort;
};

/// What reclaim has cost kubepods and its QoS classes. Absent: no such cgroup, or cgroup v1.
struct KubepodsReclaim {
  std::optional<Vmstat> all;
  std::optional<Vmstat> burstable;
  std::optional<Vmstat> besteffort;
};

/// How often the limits of the QoS classes' cgroups killed, as CgroupMemory::own_oom.
struct QosOom {
  std::optional<std::uint64_t> burstable;
  std::optional<std::uint64_t> besteffort;
};

/// The kubepods tree at one look.
struct Kubepods {
  CgroupDriver driver = CgroupDriver::kSystemd;
  std::string path;                    ///< relative to the hierarchy's root ("kubepods.slice")
  std::optional<CgroupMemory> memory;  ///< absent when kubepods itself could not be read
  KubepodsPressure pressure;
  KubepodsReclaim reclaim;
  QosOom qos_oom;
  std::vector<PodCgroup> pods;  ///< by QoS class, then in name order
  std::vector<Error> problems;  ///< files that could not be read, once each
  std::size_t vanished = 0;     ///< pods that went away during the walk
};

/// Looks for the kubepods cgroup: directly below the root, or nested (k3s in a container, a kubelet
/// with --cgroup-root), at most four levels down. Of several on the uppermost level, the one that
/// holds most memory: a change of the cgroup driver leaves an empty tree behind. Errors: kAbsent
/// with the remedy.
[[nodiscard]] Result<std::string> find_kubepods(const Hierarchy& hierarchy);

/// Reads the tree below path (from find_kubepods). A pod that vanishes is counted, not an error; an
/// unreadable file of one pod is a problem and leaves that value out. Errors: when kubepods or a
/// QoS class of it cannot be listed: its pods would be missing.
[[nodiscard]] Result<Kubepods> read_kubepods(const Hierarchy& hierarchy,
                                             const std::string& path,
                                             Buffer& buffer);

/// The pod UID in a pod cgroup's name, of either driver and any nesting prefix:
/// "kubepods-burstable-podUID_WITH_UNDERSCORES.slice", "podUID". Absent when the name is no pod's.
[[nodiscard]] std::optional<std::string> pod_uid(std::string_view cgroup_name);

/// The pod UID in a cgroup path as /proc/PID/cgroup shows it; the outermost, where a node runs
/// inside a pod. Absent when no component is a pod's.
[[nodiscard]] std::optional<std::string> pod_uid_of_path(std::string_view cgroup_path);

/// "cri-containerd-ID.scope", "crio-ID.scope", "ID" -> ID.
[[nodiscard]] std::string container_id(std::string_view cgroup_name);

}  // namespace eviction::cgroup
