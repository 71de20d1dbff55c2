// SPDX-License-Identifier: Apache-2.0
#include "agent/observation.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "agent/pods.h"
#include "agent/requests.h"

namespace eviction::agent {

namespace {

/// The value, or nothing and the error among the problems.
template <class T>
std::optional<T> keep(Result<T> result, std::vector<Error>& problems) {
  if (result) {
    return std::move(*result);
  }
  problems.push_back(std::move(result.error()));
  return std::nullopt;
}

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find_first_of(" \n"));
}

void observe_proc(const cgroup::Directory& proc, Observation& seen, cgroup::Buffer& buffer) {
  seen.meminfo = keep(cgroup::read_meminfo(proc, buffer), seen.problems);
  seen.vmstat = keep(cgroup::read_vmstat(proc, buffer), seen.problems);
  seen.zoneinfo = keep(cgroup::read_zoneinfo(proc, buffer), seen.problems);
  if (auto pressure = cgroup::read_pressure(proc, "pressure/memory", buffer)) {
    seen.pressure = *pressure;
  } else {
    seen.pressure_absent = pressure.error();
    if (pressure.error().kind != ErrorKind::kAbsent &&
        pressure.error().kind != ErrorKind::kUnsupported) {
      seen.problems.push_back(pressure.error());
    }
  }
  if (const auto text = keep(proc.read("sys/kernel/osrelease", buffer), seen.problems)) {
    const std::string_view word = first_word(*text);
    if (!word.empty() && word.front() >= '0' && word.front() <= '9') {
      seen.kernel = std::string{word};
    } else {
      seen.problems.push_back(Error{ErrorKind::kMalformed,
                                    proc.path_of("sys/kernel/osrelease"),
                                    1,
                                    "does not begin with a kernel version",
                                    {}});
    }
  }
  if (const auto text = keep(proc.read("uptime", buffer), seen.problems)) {
    long long seconds = -1;
    const std::string_view word = first_word(*text);
    std::from_chars(word.data(), word.data() + word.size(), seconds);
    if (seconds >= 0) {
      seen.uptime = std::chrono::seconds{seconds};
    } else {
      seen.problems.push_back(Error{
          ErrorKind::kMalformed, proc.path_of("uptime"), 1, "does not begin with seconds", {}});
    }
  }
}

/// v1 keeps the root's usage in a file; on v2 it follows from memory.stat.
void observe_cgroup_root(const cgroup::Hierarchy& hierarchy,
                         Observation& seen,
                         cgroup::Buffer& buffer) {
  seen.cgroup_mode = hierarchy.mode;
  seen.root_stat = keep(cgroup::read_memory_stat(hierarchy.root, buffer), seen.problems);
  if (hierarchy.mode != cgroup::CgroupMode::kV2) {
    if (const auto usage =
            keep(cgroup::read_number(hierarchy.root, hierarchy.files().current, buffer),
                 seen.problems)) {
      seen.root_usage = Bytes{*usage};
    }
  }
}

struct PodSources {
  const cgroup::Directory* proc = nullptr;
  const cgroup::Directory* root = nullptr;
  std::map<std::string, PodName> names;
  std::map<std::string, ApiPod> api;
  std::optional<RequestMap> checkpoint;
  std::string kubelet_root_dir;
  std::optional<Bytes> capacity;
};

void take_name(Pod& pod, const PodSources& sources) {
  if (const auto name = sources.names.find(pod.uid); name != sources.names.end()) {
    pod.name_space = name->second.name_space;
    pod.name = name->second.name;
  }
}

/// What the API server knows better than the node's own files. Its answer may be a minute old: a
/// larger request that the kubelet has agreed to since then is in its checkpoint.
void take_api(Pod& pod, const ApiPod& api) {
  pod.name_space = api.name_space;
  pod.name = api.name;
  pod.priority = api.priority.value_or(0);  // the kubelet ranks a pod without one as 0
  if (!pod.request || pod.request->source != RequestSource::kCheckpoint ||
      pod.request->high <= api.request) {
    pod.request = MemoryRequest{api.request, api.request, RequestSource::kApi};
  }
  pod.resize = api.resize;
  if (is_never_evicted(api) && pod.workload == WorkloadClass::kContainer) {
    pod.workload = WorkloadClass::kSystem;
  }
}

std::optional<MemoryRequest> request_of(const Pod& pod,
                                        const PodProcesses& processes,
                                        const PodSources& sources) {
  std::optional<Bytes> checkpoint;
  if (sources.checkpoint) {
    if (const auto request = sources.checkpoint->find(pod.uid);
        request != sources.checkpoint->end()) {
      checkpoint = request->second;
    }
  }
  return local_request(
      checkpoint,
      sources.capacity
          ? estimate_request(pod.qos, pod.limit, processes.oom_score_adj, *sources.capacity)
          : std::nullopt);
}

Pod make_pod(const cgroup::PodCgroup& cgroup_pod,
             const PodProcesses& processes,
             const PodSources& sources) {
  Pod pod;
  pod.uid = cgroup_pod.uid;
  take_name(pod, sources);
  pod.qos = cgroup_pod.qos;
  pod.usage = cgroup_pod.memory.current;
  pod.working_set = cgroup_pod.memory.working_set();
  pod.unreclaimable = cgroup_pod.memory.unreclaimable();
  if (cgroup_pod.memory.max) {
    pod.limit = cgroup_pod.memory.max->bytes;
  }
  if (const auto& events = cgroup_pod.memory.events) {
    pod.oom = OomCounts{.kills = events->oom_kill.value_or(0),
                        .limits = events->oom.value_or(0),
                        .own_limit = cgroup_pod.memory.own_oom};
  }
  const bool hotplug = sources.root != nullptr && !processes.vm &&
                       has_hotplug_container(*sources.root, sources.kubelet_root_dir, pod.uid);
  pod.workload = classify(cgroup_pod, processes, hotplug);
  pod.vm_uid = processes.vm.value_or(std::string{});
  pod.request = request_of(pod, processes, sources);
  if (const auto api = sources.api.find(pod.uid); api != sources.api.end()) {
    take_api(pod, api->second);
  }
  return pod;
}

/// What a look is taken with.
struct Look {
  const Host& host;
  const config::AgentConfig& config;
  const AskApi& ask;
};

/// The node's pods by the API server's word, where the kubelet's credentials are at hand.
void take_api_view(const Look& look,
                   const std::optional<Result<ApiView>>& view,
                   Observation& seen,
                   PodSources& sources,
                   cgroup::Buffer& buffer) {
  if (!view || !*view) {
    if (view && view->error().kind != ErrorKind::kAbsent) {
      seen.problems.push_back(view->error());
    }
    return;
  }
  seen.api_answered = true;
  if ((**view).kubelet_version) {
    config::AgentConfig told = look.config;
    told.kubelet_version = (**view).kubelet_version;
    learn_version(*seen.kubelet, told, *look.host.proc, *look.host.root, buffer);
  }
  seen.evicted = (**view).pods.evicted;
  for (const ApiPod& pod : (**view).pods.live) {
    sources.api.insert_or_assign(pod.uid, pod);
  }
}

PodSources open_sources(const Look& look,
                        const std::vector<cgroup::PodCgroup>& pods,
                        Observation& seen,
                        cgroup::Buffer& buffer) {
  const Host& host = look.host;
  PodSources sources;
  sources.kubelet_root_dir = seen.kubelet ? seen.kubelet->root_dir : "/var/lib/kubelet";
  if (seen.meminfo) {
    sources.capacity = seen.meminfo->mem_total;
  }
  if (host.proc) {
    sources.proc = &*host.proc;
  }
  if (!host.root) {
    return sources;
  }
  sources.root = &*host.root;
  if (auto names = read_pod_names(*host.root)) {
    sources.names = std::move(*names);
  } else if (names.error().kind != ErrorKind::kAbsent) {
    seen.problems.push_back(names.error());
  }
  auto checkpoint = read_checkpoints(*host.root, sources.kubelet_root_dir, buffer);
  if (checkpoint) {
    sources.checkpoint = std::move(*checkpoint);
  } else if (checkpoint.error().kind != ErrorKind::kAbsent) {
    seen.problems.push_back(checkpoint.error());
  }
  if (seen.kubelet) {
    const auto view = look.ask ? look.ask(*seen.kubelet, pods)
                               : std::optional{ask_api_server(*host.root, *seen.kubelet)};
    take_api_view(look, view, seen, sources, buffer);
  }
  return sources;
}

/// A pod's processes tell a VM from a container, and estimate requests: their absence is a problem,
/// named once for the whole node where no process of any pod can be seen.
void tell_missing_processes(const cgroup::Hierarchy& hierarchy,
                            const std::vector<cgroup::PodCgroup>& pods,
                            std::vector<Error>& problems) {
  std::vector<std::string> empty;
  std::size_t seen = 0;
  for (const cgroup::PodCgroup& pod : pods) {
    for (const cgroup::ContainerCgroup& container : pod.containers) {
      if (container.pids.empty()) {
        empty.push_back(hierarchy.root.path_of(pod.path + '/' + container.name + "/cgroup.procs"));
      } else {
        ++seen;
      }
    }
  }
  const std::string what = "shows no process, so a VM cannot be told from a container";
  if (seen == 0 && empty.size() > 1) {
    problems.push_back(Error{ErrorKind::kAbsent,
                             empty.front(),
                             0,
                             what + ", as in all " + std::to_string(empty.size()) + " containers",
                             "in a container the agent needs hostPID: true"});
    return;
  }
  for (std::string& path : empty) {
    problems.push_back(
        Error{ErrorKind::kAbsent, std::move(path), 0, what, "look again: it may just be ending"});
  }
}

/// Of the last pod seen.
void read_pod_pressure(const cgroup::Hierarchy& hierarchy,
                       const std::string& path,
                       Observation& seen,
                       cgroup::Buffer& buffer) {
  const std::string_view file = hierarchy.files().pressure;
  const auto pressure = cgroup::read_pressure_if_kept(
      hierarchy.root, file.empty() ? std::string{} : path + '/' + std::string{file}, buffer);
  if (pressure) {
    seen.pods.back().pressure = *pressure;
  } else {
    seen.problems.push_back(pressure.error());
  }
}

void observe_kubepods(const Look& look,
                      const cgroup::Hierarchy& hierarchy,
                      Observation& seen,
                      cgroup::Buffer& buffer) {
  const Result<std::string> path = cgroup::find_kubepods(hierarchy);
  if (!path) {
    if (seen.kubelet) {
      seen.problems.push_back(path.error());
    }
    return;
  }
  seen.kubepods_path = *path;
  Result<cgroup::Kubepods> kubepods = cgroup::read_kubepods(hierarchy, *path, buffer);
  if (!kubepods) {
    seen.problems.push_back(kubepods.error());
    return;
  }
  seen.driver = kubepods->driver;
  seen.kubepods = std::move(kubepods->memory);
  seen.kubepods_pressure = kubepods->pressure;
  seen.kubepods_reclaim = kubepods->reclaim;
  seen.qos_oom = kubepods->qos_oom;
  std::move(
      kubepods->problems.begin(), kubepods->problems.end(), std::back_inserter(seen.problems));
  tell_missing_processes(hierarchy, kubepods->pods, seen.problems);
  const PodSources sources = open_sources(look, kubepods->pods, seen, buffer);
  for (const cgroup::PodCgroup& pod : kubepods->pods) {
    PodProcesses processes;
    if (sources.proc != nullptr) {
      processes = read_pod_processes(*sources.proc, pod, buffer);
    }
    seen.pods.push_back(make_pod(pod, processes, sources));
    if (seen.pods.back().workload == WorkloadClass::kVm) {
      read_pod_pressure(hierarchy, pod.path, seen, buffer);
    }
  }
  std::sort(seen.pods.begin(), seen.pods.end(), [](const Pod& left, const Pod& right) {
    return left.uid < right.uid;
  });
  seen.pods_known = true;
}

void observe_kubelet(const Host& host,
                     const config::AgentConfig& config,
                     Observation& seen,
                     cgroup::Buffer& buffer) {
  if (!host.proc || !host.root) {
    seen.kubelet_absent = host.proc ? host.root.error() : host.proc.error();
    return;
  }
  auto kubelet = find_kubelet(*host.proc, *host.root, config, buffer);
  if (!kubelet) {
    seen.kubelet_absent = kubelet.error();
    return;
  }
  seen.kubelet = std::move(*kubelet);
  seen.problems.insert(
      seen.problems.end(), seen.kubelet->problems.begin(), seen.kubelet->problems.end());
}

}  // namespace

Host open_host(const std::string& procfs, const std::string& sysfs, const std::string& rootfs) {
  return Host{cgroup::Directory::open(procfs),
              cgroup::Directory::open(sysfs),
              cgroup::Directory::open(rootfs)};
}

std::optional<std::chrono::seconds> kubelet_age(const Observation& seen) {
  // The kernel's USER_HZ, in which /proc counts process start times on every architecture.
  constexpr long long kTicksPerSecond = 100;
  if (!seen.kubelet || !seen.uptime) {
    return std::nullopt;
  }
  return *seen.uptime -
         std::chrono::seconds{static_cast<long long>(seen.kubelet->start) / kTicksPerSecond};
}

Observation observe(const Host& host,
                    const config::AgentConfig& config,
                    cgroup::Buffer& buffer,
                    const AskApi& ask) {
  Observation seen;
  if (host.proc) {
    observe_proc(*host.proc, seen, buffer);
  } else {
    seen.problems.push_back(host.proc.error());
  }
  if (!host.root) {
    seen.problems.push_back(host.root.error());
  }
  observe_kubelet(host, config, seen, buffer);
  if (!host.sys) {
    seen.problems.push_back(host.sys.error());
    seen.cgroup_absent = host.sys.error();
    return seen;
  }
  if (auto pools = keep(cgroup::read_hugepages(*host.sys, buffer), seen.problems)) {
    seen.hugepages = std::move(*pools);
  }
  const Result<cgroup::Hierarchy> hierarchy = cgroup::open_hierarchy(*host.sys);
  if (!hierarchy) {
    seen.cgroup_absent = hierarchy.error();
    return seen;
  }
  observe_cgroup_root(*hierarchy, seen, buffer);
  observe_kubepods({host, config, ask}, *hierarchy, seen, buffer);
  return seen;
}

}  // namespace eviction::agent
