// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_target.h"

#include <string_view>
#include <utility>

#include "config/drop_in_files.h"

namespace eviction::agent {

namespace {

using config::TargetChoice;

constexpr std::string_view kDropInName = "60-eviction-agent.conf";
/// Sorts after Harvester's 99-max-pods.yaml, whose plain "kubelet-arg:" wipes what sorts before it.
constexpr std::string_view kArgsName = "99-z50-eviction-agent.yaml";
constexpr std::string_view kRke2Marker = "/rancher/rke2/";
/// First minor versions with drop-ins that are no alpha feature, and of k3s with a directory of
/// them. In 1.28 one without evictionHard puts the built-in thresholds back.
constexpr int kDropIns = 30;
constexpr int kK3sDropIns = 32;
constexpr std::string_view kDropInFolder = "/agent/etc/kubelet.conf.d";

/// --config-dir as the kubelet walks it; empty when it has none.
std::string config_dir_of(const Kubelet& kubelet) {
  return config::normal_path(config::flag_value(kubelet.arguments, "config-dir").value_or(""));
}

void set_target(Kubelet& kubelet, Target target, const std::string& folder, std::string reason) {
  kubelet.target = target;
  kubelet.target_reason = std::move(reason);
  kubelet.file.clear();
  if (target != Target::kNone) {
    kubelet.file = folder + '/' + std::string{is_drop_in(target) ? kDropInName : kArgsName};
  }
}

/// For k3s without a drop-in directory. Its version is seldom known.
void set_k3s_args(Kubelet& kubelet, const std::string& args_folder, const K3sKubelet& k3s) {
  const bool from_132 = kubelet.version && kubelet.version->at_least(kK3sDropIns);
  if (!from_132 && k3s.has_agent) {
    return set_target(kubelet,
                      Target::kK3sArgs,
                      args_folder,
                      "k3s without a kubelet drop-in directory (1.31 or older)");
  }
  set_target(kubelet,
             Target::kNone,
             {},
             k3s.data_dir +
                 (from_132 ? "/agent/etc/kubelet.conf.d is not there, which this k3s has"
                           : "/agent is not there, which every k3s has") +
                 ": its data directory is another one; name it as data-dir in its config.yaml");
}

void find_target(Kubelet& kubelet, const std::string& args_folder, const K3sKubelet& k3s) {
  const std::string folder = config_dir_of(kubelet);
  if (kubelet.embedded) {
    return folder.empty()
               ? set_k3s_args(kubelet, args_folder, k3s)
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
  const std::string folder = is_drop_in(target) ? config_dir_of(kubelet) : args_folder;
  if (is_drop_in(target) && folder.empty()) {
    reason += " is " + std::string{to_text(target)} + ", but the kubelet has no --config-dir";
    return set_target(kubelet, Target::kNone, {}, std::move(reason));
  }
  set_target(kubelet, target, folder, std::move(reason));
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

bool is_whole_service(Target target) {
  return takes_arguments(target) || target == Target::kK3sDropin;
}

bool is_drop_in(Target target) {
  return target == Target::kRke2Dropin || target == Target::kK3sDropin ||
         target == Target::kKubeletDropin;
}

bool takes_arguments(Target target) {
  return target == Target::kRke2Args || target == Target::kK3sArgs;
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

void choose_target(Kubelet& kubelet,
                   const cgroup::Directory& root,
                   TargetChoice choice,
                   const std::string& args_folder,
                   const K3sKubelet& k3s) {
  if (kubelet.embedded || kubelet.supervisor == "rke2") {
    kubelet.arguments_file = args_folder + '/' + std::string{kArgsName};
  }
  find_target(kubelet, args_folder, k3s);
  if (choice != TargetChoice::kAuto) {
    override_target(kubelet, choice, args_folder);
  }
  std::string unread =
      config::not_walked(root, config::flag_value(kubelet.arguments, "config-dir").value_or(""));
  if (is_drop_in(kubelet.target) && !unread.empty()) {
    set_target(kubelet, Target::kNone, {}, "--config-dir=" + std::move(unread));
  }
  if (is_drop_in(kubelet.target) && kubelet.version && !kubelet.version->at_least(kDropIns)) {
    set_target(kubelet,
               Target::kNone,
               {},
               "kubelet " + config::to_text(*kubelet.version) +
                   " takes drop-ins as an alpha feature, and one may undo what its main "
                   "configuration says (1.30 or later merges them)");
  }
}

}  // namespace eviction::agent
