// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/api_view.h"
#include "agent/kubelet_process.h"
#include "agent/workload.h"
#include "cgroup/hierarchy.h"
#include "cgroup/hugepages.h"
#include "cgroup/kubepods.h"
#include "cgroup/meminfo.h"
#include "cgroup/memory.h"
#include "cgroup/pressure.h"
#include "cgroup/vmstat.h"
#include "cgroup/zoneinfo.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// The host's file systems as this process sees them.
struct Host {
  Result<cgroup::Directory> proc;
  Result<cgroup::Directory> sys;
  Result<cgroup::Directory> root;
};

/// Opens the three; a missing one is an error inside, and what it would have told stays unknown.
[[nodiscard]] Host open_host(const std::string& procfs,
                             const std::string& sysfs,
                             const std::string& rootfs);

/// Everything one look at the node found. Nothing here is decided; what could not be read is absent
/// and has its reason in problems.
struct Observation {
  std::optional<cgroup::Meminfo> meminfo;
  std::optional<cgroup::Vmstat> vmstat;
  std::optional<cgroup::Zoneinfo> zoneinfo;
  std::optional<cgroup::Pressure> pressure;  ///< /proc/pressure/memory
  std::optional<Error> pressure_absent;      ///< why there is none
  std::vector<cgroup::HugepagePool> hugepages;
  std::optional<std::string> kernel;  ///< "6.1.0-50-amd64"
  std::optional<std::chrono::seconds> uptime;

  cgroup::CgroupMode cgroup_mode = cgroup::CgroupMode::kNone;
  std::optional<Error> cgroup_absent;           ///< why cgroup_mode is kNone
  std::optional<cgroup::MemoryStat> root_stat;  ///< memory.stat of the cgroup root
  std::optional<Bytes> root_usage;              ///< v1 only: memory.usage_in_bytes of the root

  std::optional<std::string> kubepods_path;
  std::optional<cgroup::CgroupDriver> driver;
  std::optional<cgroup::CgroupMemory> kubepods;
  cgroup::KubepodsPressure kubepods_pressure;
  cgroup::KubepodsReclaim kubepods_reclaim;
  cgroup::QosOom qos_oom;
  std::vector<Pod> pods;  ///< sorted by UID
  /// Pods that the kubelet evicted for memory, as the API server tells.
  std::vector<EvictedPod> evicted;
  bool api_answered = false;  ///< the API server told of this node's pods
  bool pods_known = false;    ///< the kubepods tree could be listed

  std::optional<Kubelet> kubelet;
  std::optional<Error> kubelet_absent;

  std::vector<Error> problems;  ///< files that could not be read or understood
};

/// The kubelet's effective settings; null without a kubelet.
[[nodiscard]] inline const config::KubeletSettings* settings_of(const Observation& seen) {
  return seen.kubelet ? &seen.kubelet->loaded.settings : nullptr;
}

/// How long its kubelet runs. Absent: there is none, or no uptime.
[[nodiscard]] std::optional<std::chrono::seconds> kubelet_age(const Observation& seen);

/// One look. Never fails as a whole. Without ask the API server is asked at once, which may block.
[[nodiscard]] Observation observe(const Host& host,
                                  const config::AgentConfig& config,
                                  cgroup::Buffer& buffer,
                                  const AskApi& ask = {});

}  // namespace eviction::agent
