// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_process.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "agent/journal_file.h"
#include "agent/k3s.h"
#include "agent/service_unit.h"
#include "cgroup/kubepods.h"
#include "cgroup/process.h"

namespace eviction::agent {

namespace {

using config::TargetChoice;

constexpr std::string_view kDropInName = "60-eviction-agent.conf";
/// Sorts after Harvester's 99-max-pods.yaml, whose plain "kubelet-arg:" wipes what sorts before it.
constexpr std::string_view kArgsName = "99-z50-eviction-agent.yaml";
constexpr std::string_view kRke2ConfigFolder = "/etc/rancher/rke2/config.yaml.d";
constexpr std::string_view kK3sConfigFolder = "/etc/rancher/k3s/config.yaml.d";
constexpr std::string_view kRke2Marker = "/rancher/rke2/";
constexpr std::string_view kDropInFolder = "/agent/etc/kubelet.conf.d";

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

/// --config-dir without a slash at its end; empty when the kubelet has none.
std::string config_dir_of(const Kubelet& kubelet) {
  std::string folder = config::flag_value(kubelet.arguments, "config-dir").value_or("");
  while (folder.size() > 1 && folder.back() == '/') {
    folder.pop_back();
  }
  return folder;
}

void set_target(Kubelet& kubelet, Target target, const std::string& folder, std::string reason) {
  kubelet.target = target;
  kubelet.target_reason = std::move(reason);
  kubelet.file.clear();
  if (target != Target::kNone) {
    kubelet.file = folder + '/' + std::string{is_drop_in(target) ? kDropInName : kArgsName};
  }
}

/// args_folder: where k3s or RKE2 reads its config.yaml.d files.
void find_target(Kubelet& kubelet, const std::string& args_folder) {
  const std::string folder = config_dir_of(kubelet);
  if (kubelet.embedded || kubelet.supervisor == "rke2") {
    kubelet.arguments_file = args_folder + '/' + std::string{kArgsName};
  }
  if (kubelet.embedded) {
    return folder.empty()
               ? set_target(kubelet,
                            Target::kK3sArgs,
                            args_folder,
                            "k3s without a kubelet drop-in directory (1.31 or older)")
               : set_target(
                     kubelet, Target::kK3sDropin, folder, "k3s with a kubelet drop-in directory");
  }
  if (!folder.empty()) {
    const bool rke2 =
        kubelet.supervisor == "rke2" ||
        (folder.find(kRke2Marker) != std::string::npos && folder.ends_with(kDropInFolder));
    return set_target(kubelet,
                      rke2 ? Target::kRke2Dropin : Target::kKubeletDropin,
                      folder,
                      (rke2 ? "RKE2 with --config-dir=" : "a kubelet with --config-dir=") + folder);
  }
  if (kubelet.supervisor == "rke2") {
    return set_target(kubelet,
                      Target::kRke2Args,
                      args_folder,
                      "RKE2 that passes no --config-dir (1.31 or older)");
  }
  set_target(kubelet,
             Target::kNone,
             {},
             "this kubelet reads no drop-in directory: start it with --config-dir=DIRECTORY "
             "(kubelet 1.30 or later) to let the agent set a value");
}

Target target_of(TargetChoice choice) {
  switch (choice) {
    case TargetChoice::kRke2Dropin:
      return Target::kRke2Dropin;
    case TargetChoice::kK3sDropin:
      return Target::kK3sDropin;
    case TargetChoice::kKubeletDropin:
      return Target::kKubeletDropin;
    case TargetChoice::kRke2Args:
      return Target::kRke2Args;
    case TargetChoice::kK3sArgs:
      return Target::kK3sArgs;
    case TargetChoice::kAuto:
    case TargetChoice::kNone:
      return Target::kNone;
  }
  return Target::kNone;
}

/// The operator's choice over what was found.
void override_target(Kubelet& kubelet, TargetChoice choice, const std::string& args_folder) {
  const Target target = target_of(choice);
  std::string reason = "[kubelet] target in the agent's configuration";
  std::string folder = args_folder;
  if (is_drop_in(target)) {
    folder = config_dir_of(kubelet);
    if (folder.empty()) {
      reason += " is " + std::string{to_text(target)} + ", but the kubelet has no --config-dir";
      return set_target(kubelet, Target::kNone, {}, std::move(reason));
    }
  } else if (target == Target::kRke2Args) {
    folder = kRke2ConfigFolder;
  } else if (!kubelet.embedded) {
    folder = kK3sConfigFolder;
  }
  set_target(kubelet, target, folder, std::move(reason));
}

void load_settings(Kubelet& kubelet,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer) {
  config::KubeletInvocation invocation;
  invocation.version =
      kubelet.version.value_or(config::KubeletVersion{1, config::kNewestMinor, std::nullopt, {}});
  invocation.arguments = kubelet.arguments;
  invocation.config_dropin_dir_alpha =
      cgroup::read_environment(proc, kubelet.pid, "KUBELET_CONFIG_DROPIN_DIR_ALPHA", buffer)
          .has_value();
  kubelet.loaded = config::load_kubelet_settings(invocation, root);
  if (const auto folder = config::flag_value(kubelet.arguments, "root-dir")) {
    kubelet.root_dir = *folder;
  }
}

/// The command line that k3s hides, from the unit it runs in.
K3sStart read_k3s_start(const cgroup::Directory& proc,
                        const cgroup::Directory& root,
                        Kubelet& kubelet,
                        cgroup::Buffer& buffer) {
  K3sStart start;
  start.config_file =
      cgroup::read_environment(proc, kubelet.pid, "K3S_CONFIG_FILE", buffer).value_or("");
  const Result<std::string> path = cgroup::read_cgroup_path(proc, kubelet.pid, buffer);
  const auto unit = path ? service_of_path(*path) : std::nullopt;
  auto command = read_exec_start(root, unit.value_or("k3s.service"), buffer);
  if (command) {
    start.command = std::move(*command);
    return start;
  }
  Error error = std::move(command.error());
  error.what += ", so the flags k3s was started with are unknown";
  error.remedy = "give k3s its flags in /etc/rancher/k3s/config.yaml";
  kubelet.problems.push_back(std::move(error));
  return start;
}

/// Fills in what differs for a kubelet inside k3s. Where k3s' config.yaml.d files are.
std::string read_embedded(const cgroup::Directory& proc,
                          const cgroup::Directory& root,
                          Kubelet& kubelet,
                          cgroup::Buffer& buffer) {
  kubelet.embedded = true;
  kubelet.supervisor = "k3s";
  const K3sStart start = read_k3s_start(proc, root, kubelet, buffer);
  K3sKubelet k3s = read_k3s(root, start, buffer);
  kubelet.arguments = std::move(k3s.arguments);
  // Source: k3s v1.36 pkg/agent/config/config.go (KubeConfigKubelet).
  kubelet.arguments.push_back("--kubeconfig=" + k3s.data_dir + "/agent/kubelet.kubeconfig");
  std::move(k3s.problems.begin(), k3s.problems.end(), std::back_inserter(kubelet.problems));
  return k3s.config_folder;
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

}  // namespace

std::string_view to_text(Target target) {
  switch (target) {
    case Target::kRke2Dropin:
      return "rke2-dropin";
    case Target::kK3sDropin:
      return "k3s-dropin";
    case Target::kKubeletDropin:
      return "kubelet-dropin";
    case Target::kRke2Args:
      return "rke2-args";
    case Target::kK3sArgs:
      return "k3s-args";
    case Target::kNone:
      return "none";
  }
  return "none";
}

bool is_drop_in(Target target) {
  return target == Target::kRke2Dropin || target == Target::kK3sDropin ||
         target == Target::kKubeletDropin;
}

std::optional<std::string> agent_folder(const Kubelet& kubelet) {
  constexpr std::string_view kBelowAgent = "/etc/kubelet.conf.d";
  constexpr std::string_view kKubeconfig = "/agent/kubelet.kubeconfig";
  const std::string drop_ins = config_dir_of(kubelet);
  if (drop_ins.ends_with(kDropInFolder)) {
    return drop_ins.substr(0, drop_ins.size() - kBelowAgent.size());
  }
  const std::string file = config::flag_value(kubelet.arguments, "kubeconfig").value_or("");
  if (kubelet.supervisor == "rke2" && file.ends_with(kKubeconfig)) {
    return file.substr(0, file.rfind('/'));
  }
  return std::nullopt;
}

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
  std::string args_folder{kRke2ConfigFolder};
  if (is_kubelet(*process)) {
    read_standalone(proc, *process, kubelet, buffer);
  } else {
    args_folder = read_embedded(proc, root, kubelet, buffer);
  }
  find_version(kubelet, proc, config);
  find_target(kubelet, args_folder);
  if (config.target != TargetChoice::kAuto) {
    override_target(kubelet, config.target, args_folder);
  }
  if (kubelet.target == Target::kRke2Args || kubelet.target == Target::kK3sArgs) {
    std::vector<Error> told_already;  // k3s' files were read
    kubelet.overridden = overriding_files(
        root, kubelet.file, kubelet.embedded ? told_already : kubelet.problems, buffer);
  }
  read_committed(kubelet, proc, root, buffer);
  load_settings(kubelet, proc, root, buffer);
  read_file_content(kubelet, root, buffer);
  return kubelet;
}

void learn_version(Kubelet& kubelet,
                   const config::KubeletVersion& version,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer) {
  kubelet.version = version;
  kubelet.version_source = "its Node object";
  load_settings(kubelet, proc, root, buffer);
}

}  // namespace eviction::agent
