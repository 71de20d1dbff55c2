// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/workload.h"
#include "cgroup/directory.h"
#include "cgroup/kubepods.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// A pod as the log folder names it: /var/log/pods/NAMESPACE_NAME_UID/CONTAINER.
struct PodName {
  std::string name_space;
  std::string name;
};

/// Names by UID. Errors: those of the folder; a pod without a folder has no name.
[[nodiscard]] Result<std::map<std::string, PodName>> read_pod_names(const cgroup::Directory& root);

/// Whether a virt-launcher command line is that of a VM, and of which: argv[0] is virt-launcher or
/// virt-launcher-monitor. A qemu process alone makes no VM: container workloads run it too.
/// Absent: not a launcher. Empty: a launcher without --uid.
/// Source: kubevirt v1.9 cmd/virt-launcher-monitor, pkg/virt-controller/services/template.go.
[[nodiscard]] std::optional<std::string> vm_uid(const std::vector<std::string>& argv);

/// What the pod's processes tell of it.
struct PodProcesses {
  std::optional<std::string> vm;   ///< as vm_uid()
  std::vector<int> oom_score_adj;  ///< one a container, the sandbox left out
};

[[nodiscard]] PodProcesses read_pod_processes(const cgroup::Directory& proc,
                                              const cgroup::PodCgroup& pod,
                                              cgroup::Buffer& buffer);

/// The class of a pod. A system-critical pod shows only by the score of node-critical ones; those
/// of lower priority, which the kubelet does not evict either, pass for containers here. hotplug:
/// it has the container that KubeVirt gives a hotplug disk's pod.
[[nodiscard]] WorkloadClass classify(const cgroup::PodCgroup& pod,
                                     const PodProcesses& processes,
                                     bool hotplug);

/// Whether the pod has KubeVirt's hotplug-disk container.
/// Source: kubevirt v1.9 pkg/virt-controller/services/template.go
/// RenderHotplugAttachmentTemplate().
[[nodiscard]] bool has_hotplug_container(const cgroup::Directory& root,
                                         const std::string& kubelet_root_dir,
                                         const std::string& uid);

}  // namespace eviction::agent
