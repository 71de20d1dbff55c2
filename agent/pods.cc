// SPDX-License-Identifier: Apache-2.0
#include "agent/pods.h"

#include <algorithm>
#include <utility>

#include "cgroup/process.h"

namespace eviction::agent {

namespace {

constexpr std::string_view kPodLogs = "/var/log/pods";
/// What container runtimes give every sandbox.
/// Source: containerd v1.7 pkg/cri/sbserver/podsandbox defaultSandboxOOMAdj, kubernetes#47938.
constexpr int kSandboxScore = -998;
/// Guaranteed pods and, whatever their QoS class, node-critical ones.
/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go.
constexpr int kCriticalScore = -997;

/// A static pod's UID is a hash in 32 hex digits.
/// Source: kubelet v1.36 pkg/kubelet/config/common.go applyDefaults().
bool is_static_uid(std::string_view uid) {
  return uid.find('-') == std::string_view::npos;
}

/// NAMESPACE_NAME_UID; no part has an underscore itself.
/// Source: kubelet v1.36 pkg/kubelet/kuberuntime/helpers.go BuildPodLogsDirectory().
void add_name(const std::string& folder, std::map<std::string, PodName>& names) {
  const std::size_t first = folder.find('_');
  const std::size_t last = folder.rfind('_');
  if (first == std::string::npos || first == 0 || last <= first + 1 ||
      folder.find('_', first + 1) != last) {
    return;
  }
  if (const auto uid = cgroup::pod_uid("pod" + folder.substr(last + 1))) {
    names[*uid] = PodName{folder.substr(0, first), folder.substr(first + 1, last - first - 1)};
  }
}

/// A container's score is that of its first process: children may raise their own.
std::optional<int> container_score(const cgroup::Directory& proc,
                                   const cgroup::ContainerCgroup& container,
                                   cgroup::Buffer& buffer) {
  std::vector<int> pids = container.pids;
  std::sort(pids.begin(), pids.end());
  for (const int pid : pids) {
    if (const Result<int> score = cgroup::read_oom_score_adj(proc, pid, buffer)) {
      return *score;
    }
  }
  return std::nullopt;
}

std::optional<std::string> container_vm(const cgroup::Directory& proc,
                                        const cgroup::ContainerCgroup& container,
                                        cgroup::Buffer& buffer) {
  for (const int pid : container.pids) {
    const auto argv = cgroup::read_cmdline(proc, pid, buffer);
    if (auto vm = argv ? vm_uid(*argv) : std::nullopt) {
      return vm;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::map<std::string, PodName>> read_pod_names(const cgroup::Directory& root) {
  const Result<cgroup::Directory> folder = root.open_below(kPodLogs);
  if (!folder) {
    return tl::unexpected(folder.error());
  }
  const auto entries = folder->list();
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  std::map<std::string, PodName> names;
  for (const cgroup::Directory::Entry& entry : *entries) {
    if (entry.directory) {
      add_name(entry.name, names);
    }
  }
  return names;
}

std::optional<std::string> vm_uid(const std::vector<std::string>& argv) {
  const std::string_view program =
      argv.empty() ? std::string_view{} : cgroup::base_name(argv.front());
  if (program != "virt-launcher" && program != "virt-launcher-monitor") {
    return std::nullopt;
  }
  constexpr std::string_view kFlag = "--uid";
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string_view argument = argv[i];
    if (argument == kFlag && i + 1 < argv.size()) {
      return argv[i + 1];
    }
    if (argument.starts_with(kFlag) && argument.substr(kFlag.size()).starts_with('=')) {
      return std::string{argument.substr(kFlag.size() + 1)};
    }
  }
  return std::string{};
}

PodProcesses read_pod_processes(const cgroup::Directory& proc,
                                const cgroup::PodCgroup& pod,
                                cgroup::Buffer& buffer) {
  PodProcesses processes;
  for (const cgroup::ContainerCgroup& container : pod.containers) {
    if (container.pids.empty()) {
      continue;
    }
    const std::optional<int> score = container_score(proc, container, buffer);
    if (score == kSandboxScore) {
      continue;
    }
    if (score) {
      processes.oom_score_adj.push_back(*score);
    }
    if (!processes.vm) {
      processes.vm = container_vm(proc, container, buffer);
    }
  }
  return processes;
}

WorkloadClass classify(const cgroup::PodCgroup& pod, const PodProcesses& processes, bool hotplug) {
  if (processes.vm) {
    return WorkloadClass::kVm;
  }
  const bool critical_score =
      std::find(processes.oom_score_adj.begin(), processes.oom_score_adj.end(), kCriticalScore) !=
      processes.oom_score_adj.end();
  if (is_static_uid(pod.uid) || (critical_score && pod.qos != cgroup::QosClass::kGuaranteed)) {
    return WorkloadClass::kSystem;
  }
  return hotplug ? WorkloadClass::kVmAuxiliary : WorkloadClass::kContainer;
}

bool has_hotplug_container(const cgroup::Directory& root,
                           const std::string& kubelet_root_dir,
                           const std::string& uid) {
  return root.open_below(kubelet_root_dir + "/pods/" + uid + "/containers/hotplug-disk")
      .has_value();
}

}  // namespace eviction::agent
