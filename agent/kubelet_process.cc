// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_process.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "agent/journal_file.h"
#include "agent/k3s.h"
#include "agent/kubelet_settings.h"
#include "agent/kubelet_target.h"
#include "agent/service_unit.h"
#include "cgroup/kubepods.h"
#include "cgroup/process.h"

namespace eviction::agent {

namespace {

struct Process {
  int pid = 0;
  cgroup::ProcessStat stat;
  Result<std::vector<std::string>> argv;
};

bool in_pod(const cgroup::Directory& proc, int pid, cgroup::Buffer& buffer) {
  const Result<std::string> path = cgroup::read_cgroup_path(proc, pid, buffer);
  return path && cgroup::pod_uid_of_path(*path).has_value();
}

/// Anyone may start a program of any name. That it is not known whose one is, is a problem only: no
/// user can keep the agent from reading that.
bool is_of_a_user(const cgroup::Directory& proc,
                  int pid,
                  std::vector<Error>& problems,
                  cgroup::Buffer& buffer) {
  Result<unsigned> uid = cgroup::read_uid(proc, pid, buffer);
  if (!uid && uid.error().kind != ErrorKind::kAbsent) {
    problems.push_back(std::move(uid.error()));
  }
  return uid && *uid != 0;
}

bool is_kubelet(const Process& process) {
  return process.stat.comm == "kubelet";
}

/// A host's k3s executes DATA/data/HASH/bin/k3s-server or k3s-agent; its container image has k3s
/// run itself, which then tells only by its title ("/bin/k3s server") from other commands of it.
/// Source: k3s v1.36 cmd/k3s/main.go stageAndRun(), pkg/proctitle.
bool is_k3s(const Process& process) {
  const std::string& comm = process.stat.comm;
  if (comm != "k3s" || !process.argv || process.argv->empty()) {
    return comm == "k3s-server" || comm == "k3s-agent";
  }
  const std::string& title = process.argv->front();
  return title.ends_with(" server") || title.ends_with(" agent");
}

bool may_hold_kubelet(std::string_view comm) {
  return comm == "kubelet" || comm == "k3s" || comm == "k3s-server" || comm == "k3s-agent";
}

/// root's processes outside any pod that may hold the node's kubelet, the oldest first.
Result<std::vector<Process>> list_processes(const cgroup::Directory& proc,
                                            std::vector<Error>& problems,
                                            cgroup::Buffer& buffer) {
  const Result<std::vector<int>> pids = cgroup::list_pids(proc);
  if (!pids) {
    return tl::unexpected(pids.error());
  }
  std::vector<Process> processes;
  for (const int pid : *pids) {
    Result<cgroup::ProcessStat> stat = cgroup::read_process_stat(proc, pid, buffer);
    if (!stat && stat.error().kind == ErrorKind::kMalformed) {
      problems.push_back(std::move(stat.error()));
      continue;
    }
    // One that ended meanwhile is not the one looked for.
    if (stat && may_hold_kubelet(stat->comm) && !in_pod(proc, pid, buffer) &&
        !is_of_a_user(proc, pid, problems, buffer)) {
      processes.push_back(Process{pid, std::move(*stat), cgroup::read_cmdline(proc, pid, buffer)});
    }
  }
  std::stable_sort(
      processes.begin(), processes.end(), [](const Process& left, const Process& right) {
        return left.stat.start < right.stat.start;
      });
  return processes;
}

Error no_kubelet() {
  return Error{
      ErrorKind::kAbsent,
      {},
      0,
      "no kubelet runs here: root has neither a process named kubelet nor k3s outside a pod",
      "start it, or run the agent where it sees the host's processes (hostPID: true)"};
}

Error ending(const cgroup::Directory& proc, int pid) {
  return Error{ErrorKind::kVanished,
               proc.path_of(std::to_string(pid) + "/cmdline"),
               0,
               "empty: the kubelet is ending",
               "look again when its supervisor has started it"};
}

Error several_kubelets(const cgroup::Directory& proc, int pid) {
  return Error{ErrorKind::kUnsupported,
               proc.path_of(std::to_string(pid)),
               0,
               "several kubelets run here outside a pod; this one, the oldest, is taken",
               "stop the others, or show the agent one node's file systems (--path.rootfs)"};
}

/// The oldest live process of those wanted, and whether there are more. Errors: when none is live.
Result<Process> choose(const cgroup::Directory& proc,
                       std::vector<Process> processes,
                       std::vector<Error>& problems) {
  const auto live = [](const Process& process) { return process.argv && !process.argv->empty(); };
  const auto oldest = std::find_if(processes.begin(), processes.end(), live);
  if (oldest == processes.end()) {
    const Process& first = processes.front();
    return tl::unexpected(first.argv ? ending(proc, first.pid) : first.argv.error());
  }
  if (std::find_if(std::next(oldest), processes.end(), live) != processes.end()) {
    problems.push_back(several_kubelets(proc, oldest->pid));
  }
  return std::move(*oldest);
}

Result<Process> find_process(const cgroup::Directory& proc,
                             std::vector<Error>& problems,
                             cgroup::Buffer& buffer) {
  auto processes = list_processes(proc, problems, buffer);
  if (!processes) {
    return tl::unexpected(std::move(processes.error()));
  }
  for (const auto is_wanted : {is_kubelet, is_k3s}) {
    std::vector<Process> wanted;
    std::copy_if(processes->begin(), processes->end(), std::back_inserter(wanted), is_wanted);
    if (!wanted.empty()) {
      return choose(proc, std::move(wanted), problems);
    }
  }
  return tl::unexpected(no_kubelet());
}

/// The version in a path such as /var/lib/rancher/rke2/data/v1.32.3-rke2r1-0123abcd/bin/kubelet.
std::optional<config::KubeletVersion> version_in_path(std::string_view path) {
  for (std::size_t at = path.find("/v"); at != std::string_view::npos;
       at = path.find("/v", at + 1)) {
    std::string_view component = path.substr(at + 1);
    component = component.substr(0, component.find('/'));
    const std::size_t dash = component.find('-');
    if (const auto version = config::parse_kubelet_version(component.substr(0, dash));
        version && version->major == 1 && version->patch) {
      return *version;
    }
  }
  return std::nullopt;
}

void find_version(Kubelet& kubelet,
                  const cgroup::Directory& proc,
                  const config::AgentConfig& config) {
  if (config.kubelet_version) {
    kubelet.version = config.kubelet_version;
    kubelet.version_source = "[kubelet] version in the agent's configuration";
    return;
  }
  const Result<std::string> exe = proc.read_link(std::to_string(kubelet.pid) + "/exe");
  if (exe) {
    kubelet.version = version_in_path(*exe);
    if (kubelet.version) {
      kubelet.version_source = "path of its executable, " + *exe;
      return;
    }
  }
  kubelet.version_source =
      "its executable's path does not tell; set [kubelet] version in the agent's configuration";
}

/// The command line that k3s or RKE2 hides, from the unit and the environment it runs in.
K3sStart read_k3s_start(const cgroup::Directory& proc,
                        const cgroup::Directory& root,
                        const Kubelet& kubelet,
                        bool is_rke2,
                        cgroup::Buffer& buffer) {
  K3sStart start;
  start.program = is_rke2 ? "rke2" : "k3s";
  const auto variable = [&](const char* name) {
    return cgroup::read_environment(proc, kubelet.pid, name, buffer).value_or("");
  };
  start.config_file = variable(is_rke2 ? "RKE2_CONFIG_FILE" : "K3S_CONFIG_FILE");
  start.data_dir = variable(is_rke2 ? "RKE2_DATA_DIR" : "K3S_DATA_DIR");
  const Result<std::string> path = cgroup::read_cgroup_path(proc, kubelet.pid, buffer);
  const auto unit = path ? service_of_path(*path) : std::nullopt;
  auto command =
      read_exec_start(root, unit.value_or(is_rke2 ? "rke2-server.service" : "k3s.service"), buffer);
  if (command) {
    start.command = std::move(*command);
    return start;
  }
  start.unknown = std::move(command.error());
  start.unknown->what += ", so the flags " + start.program + " was started with are unknown";
  start.unknown->remedy =
      "give " + start.program + " its flags in /etc/rancher/" + start.program + "/config.yaml";
  return start;
}

std::string name_of_parent(const cgroup::Directory& proc, int parent, cgroup::Buffer& buffer) {
  const Result<cgroup::ProcessStat> stat = cgroup::read_process_stat(proc, parent, buffer);
  return stat ? stat->comm : std::string{};
}

/// Fills in what a process named kubelet tells.
void read_standalone(const cgroup::Directory& proc,
                     const Process& process,
                     Kubelet& kubelet,
                     cgroup::Buffer& buffer) {
  kubelet.arguments.assign(std::next(process.argv->begin()), process.argv->end());
  kubelet.supervisor = name_of_parent(proc, process.stat.parent, buffer);
  if (cgroup::base_name(process.argv->front()).find("kubelet") == std::string_view::npos) {
    kubelet.problems.push_back(
        Error{ErrorKind::kMalformed,
              proc.path_of(std::to_string(process.pid) + "/cmdline"),
              0,
              "does not begin with the kubelet's program, so its flags may be "
              "misread",
              "start the kubelet under its own name"});
  }
}

void read_file_content(Kubelet& kubelet, const cgroup::Directory& root, cgroup::Buffer& buffer) {
  if (kubelet.file.empty()) {
    return;
  }
  if (const Result<std::string_view> content = root.read(kubelet.file, buffer)) {
    kubelet.file_content = std::string{*content};
  } else if (content.error().kind != ErrorKind::kAbsent) {
    kubelet.problems.push_back(content.error());
  }
}

/// What the journal beside the target's file says of this run of the kubelet.
void read_committed(Kubelet& kubelet,
                    const cgroup::Directory& proc,
                    const cgroup::Directory& root,
                    cgroup::Buffer& buffer) {
  const auto journal =
      kubelet.file.empty() ? Result<std::optional<Journal>>{} : read_journal(root, kubelet.file);
  if (!journal || !*journal || (**journal).phase != Phase::kCommitted) {
    return;
  }
  kubelet.committed = (**journal).after.value_or("");
  kubelet.withdrawn = (**journal).withdrawn;
  const Result<std::string> boot_id = cgroup::read_boot_id(proc, buffer);
  kubelet.proven = boot_id && (**journal).proven == KubeletRun{*boot_id, kubelet.start};
}

/// The target, what decides it, and the settings that it bears on.
void read_target(Kubelet& kubelet,
                 const cgroup::Directory& proc,
                 const cgroup::Directory& root,
                 config::TargetChoice choice,
                 cgroup::Buffer& buffer) {
  const bool is_rke2 = !kubelet.embedded && choice != config::TargetChoice::kK3sArgs;
  const K3sStart start = read_k3s_start(proc, root, kubelet, is_rke2, buffer);
  K3sConfig config = read_k3s_config(root, start, {}, buffer);
  K3sKubelet k3s;
  if (kubelet.embedded) {
    k3s = compose_k3s(root, config);
    if (start.unknown) {
      kubelet.problems.push_back(*start.unknown);
    }
    kubelet.arguments = k3s.arguments;
    // Source: k3s v1.36 pkg/agent/config/config.go (KubeConfigKubelet).
    kubelet.arguments.push_back("--kubeconfig=" + k3s.data_dir + "/agent/kubelet.kubeconfig");
  }
  choose_target(kubelet, root, choice, config.folder, k3s);
  read_committed(kubelet, proc, root, buffer);
  load_settings(kubelet, start, proc, root, buffer);
  // Others are not restarted together with k3s or RKE2.
  if (kubelet.embedded || takes_arguments(kubelet.target)) {
    std::ranges::move(config.problems, std::back_inserter(kubelet.problems));
    std::ranges::transform(config.errors,
                           std::back_inserter(kubelet.loaded.errors),
                           [](const Error& error) { return to_text(error); });
  }
}

}  // namespace

Result<Kubelet> find_kubelet(const cgroup::Directory& proc,
                             const cgroup::Directory& root,
                             const config::AgentConfig& config,
                             cgroup::Buffer& buffer) {
  Kubelet kubelet;
  const Result<Process> process = find_process(proc, kubelet.problems, buffer);
  if (!process) {
    Error error = process.error();
    for (const Error& problem : kubelet.problems) {
      error.what += "; " + to_text(problem);
    }
    return tl::unexpected(std::move(error));
  }
  kubelet.pid = process->pid;
  kubelet.start = process->stat.start;
  if (is_kubelet(*process)) {
    read_standalone(proc, *process, kubelet, buffer);
  } else {
    kubelet.embedded = true;
    kubelet.supervisor = "k3s";
  }
  find_version(kubelet, proc, config);
  read_target(kubelet, proc, root, config.target, buffer);
  read_file_content(kubelet, root, buffer);
  return kubelet;
}

void learn_version(Kubelet& kubelet,
                   const config::AgentConfig& told,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer) {
  if (auto again = find_kubelet(proc, root, told, buffer); again && again->pid == kubelet.pid) {
    kubelet = std::move(*again);
    kubelet.version_source = "its Node object";
  }
}

}  // namespace eviction::agent
