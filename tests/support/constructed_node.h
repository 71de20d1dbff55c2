// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/bytes.h"

namespace eviction::tests {

using literals::operator""_GiB;
using literals::operator""_KiB;
using literals::operator""_MiB;

/// Memory charged to one cgroup itself, not to the cgroups below it. Whole pages of 4 KiB count,
/// what is over is dropped.
struct MemoryUse {
  Bytes anon = {};
  Bytes shmem = {};  ///< tmpfs and memfd: part of `file`, but on the anonymous LRU lists
  Bytes inactive_file = {};
  Bytes active_file = {};
  Bytes kernel = {};  ///< unreclaimable: slab, page tables, stacks

  friend MemoryUse operator+(const MemoryUse& left, const MemoryUse& right);
};

struct ConstructedContainer {
  std::string name = "main";
  Bytes request = {};
  std::optional<Bytes> limit = {};  ///< absent: "max"
  MemoryUse use = {};
  std::uint64_t limit_oom_kills = 0;   ///< kills at this container's own limit
  std::vector<std::string> argv = {};  ///< empty: by the kind of the pod
};

enum class PodKind {
  kContainer,
  kVirtualMachine,  ///< container "compute" holds virt-launcher-monitor down to qemu
  kHotplugDisk,     ///< the pod KubeVirt starts beside a VM to attach a volume
  kStatic,          ///< UID without dashes, as a manifest's hash
};

enum class Qos { kGuaranteed, kBurstable, kBestEffort };

struct ConstructedPod {
  std::string name_space = "default";
  std::string name = {};
  PodKind kind = PodKind::kContainer;
  Qos qos = Qos::kBurstable;
  std::vector<ConstructedContainer> containers = {};
  bool node_critical = false;         ///< priority class system-node-critical
  std::string uid = {};               ///< empty: made from namespace and name
  std::string vm_name = {};           ///< --name of virt-launcher
  std::string vm_uid = {};            ///< --uid of virt-launcher; empty: made from vm_name
  std::chrono::seconds started{600};  ///< after boot
};

/// A process outside pods.
struct ConstructedProcess {
  int pid = 0;
  int parent = 1;
  std::vector<std::string> argv = {};
  std::string comm = {};  ///< empty: the base name of argv[0]; cut to 15 bytes as the kernel does
  std::string executable = {};          ///< target of /proc/PID/exe; empty: argv[0]
  std::string cgroup = "system.slice";  ///< relative to the hierarchy's root
  int oom_score_adj = 0;
  std::chrono::milliseconds started{10'000};  ///< after boot
  std::map<std::string, std::string> environment = {};
};

/// Kernel memory that no cgroup is charged for.
struct KernelMemory {
  Bytes slab_reclaimable = {};
  Bytes slab_unreclaimable = {};
  Bytes page_tables = {};
  Bytes kernel_stack = {};
  Bytes percpu = {};
  Bytes other = {};  ///< in no line of meminfo: drivers' pages, ZFS ARC
};

struct ConstructedHugepages {
  Bytes page_size = {};
  std::int64_t total = 0;
  std::int64_t free = 0;
  std::int64_t reserved = 0;
};

struct ConstructedSwap {
  Bytes total = {};
  Bytes used = {};
  Bytes zswap = {};     ///< the compressed pool, in RAM
  Bytes zswapped = {};  ///< what it holds
};

enum class CgroupLayout { kV2, kV1, kHybrid, kNone };
enum class CgroupNames { kSystemd, kCgroupfs };

/// Which file of /var/lib/kubelet holds the allocated resources.
enum class CheckpointStyle {
  kNone,
  kPodStatusManager,  ///< pod_status_manager_state, kubelet 1.32 with the feature gate on
  kAllocatedPods,     ///< allocated_pods_state, kubelet 1.33 and later
};

/// A node as a test describes it. write() makes the files agree with each other as a kernel's and a
/// kubelet's do; what a test wants to be wrong it overwrites afterwards.
struct ConstructedNode {
  Bytes mem_total = {};  ///< MemTotal, which is less than the RAM: see mem_total_of()
  int numa_nodes = 1;
  std::optional<std::int64_t> min_free_kbytes = {};  ///< absent: as the kernel chooses
  Bytes watermark_boost = {};                        ///< of the last Normal zone

  KernelMemory kernel = {};
  MemoryUse outside_pods = {};  ///< split evenly over the cgroups of `processes`
  std::vector<ConstructedPod> pods = {};
  std::vector<ConstructedHugepages> hugepages = {};
  ConstructedSwap swap = {};

  bool psi = true;  ///< false: no pressure files
  double some_avg10 = 0;
  double full_avg10 = 0;
  std::map<std::string, std::uint64_t> vmstat = {};  ///< counters since boot, by the kernel's name

  CgroupLayout layout = CgroupLayout::kV2;
  CgroupNames names = CgroupNames::kSystemd;
  std::string cgroup_root = {};  ///< where kubepods is nested ("docker/ID", "kubelet.slice")
  bool kubepods = true;          ///< false: no kubelet ever made the cgroup
  bool kubepods_limited = true;  ///< memory.max = mem_total - reserved
  Bytes reserved = {};           ///< kube-reserved + system-reserved
  std::vector<ConstructedProcess> processes = {};
  std::string runtime_cgroup = "system.slice/containerd.service";  ///< of the containers' shims
  CheckpointStyle checkpoint = CheckpointStyle::kNone;
  int stale_checkpoint_entries = 0;  ///< pods that are gone but still listed, 1 GiB each

  std::string kernel_release = "6.4.0-150600.23.47-default";
  std::chrono::seconds uptime{86'400};
  std::map<std::string, std::string> files = {};  ///< more files, by path without the leading '/'
};

/// MemTotal of a machine with that much RAM: less one struct page (64 bytes) a page and 120 MiB for
/// firmware, kernel image and crash kernel. Source: 4 GiB gives the recorded 4007132 kB to 1 MiB.
[[nodiscard]] Bytes mem_total_of(Bytes ram);

/// The UID that write() gives this pod.
[[nodiscard]] std::string uid_of(const ConstructedPod& pod);

/// A Burstable pod with one container.
[[nodiscard]] ConstructedPod container_pod(std::string name, Bytes request, Bytes anon);

/// What KubeVirt adds to a guest's memory for the processes around it, times Harvester's 1.5.
/// Source: kubevirt pkg/hypervisor/kvm/hypervisorbackend.go, for one virtual CPU.
[[nodiscard]] Bytes launcher_overhead(Bytes guest);

/// A virt-launcher pod in namespace "prod". Limit: guest + overhead. Request: guest at the
/// overcommit, in percent, + overhead. Used: touched + half of the overhead.
[[nodiscard]] ConstructedPod virtual_machine_pod(std::string vm_name,
                                                 Bytes guest,
                                                 int overcommit_percent,
                                                 Bytes touched);

/// Sum of the memory requests of all pods.
[[nodiscard]] Bytes requests_of(const ConstructedNode& node);

/// Writes proc/, sys/, etc/ and var/ below root. Throws std::invalid_argument when the parts do not
/// fit in mem_total, std::system_error when a file cannot be written.
void write(const ConstructedNode& node, const std::filesystem::path& root);

}  // namespace eviction::tests
