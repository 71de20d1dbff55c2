// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/agent_config.h"
#include "config/kubelet_config.h"
#include "config/kubelet_version.h"

namespace eviction::agent {

/// How a value reaches this node's kubelet.
enum class Target { kRke2Dropin, kK3sDropin, kKubeletDropin, kRke2Args, kK3sArgs, kNone };

/// "rke2-dropin", "k3s-dropin", "kubelet-dropin", "rke2-args", "k3s-args", "none".
[[nodiscard]] std::string_view to_text(Target target);

/// Whether the target is a KubeletConfiguration drop-in (and not the supervisor's arguments).
[[nodiscard]] bool is_drop_in(Target target);

/// Whether the kubelet of this target restarts only with the whole service that contains it.
[[nodiscard]] bool is_whole_service(Target target);

/// Whether the target is a file of arguments of RKE2 or k3s.
[[nodiscard]] bool takes_arguments(Target target);

/// The kubelet that runs on this node, as its process and its files show it.
struct Kubelet {
  int pid = 0;                         ///< of the kubelet, or of k3s, which contains it
  bool embedded = false;               ///< inside k3s: it has no argv of its own
  std::vector<std::string> arguments;  ///< argv without argv[0]; embedded: as k3s composes it
  std::string supervisor;              ///< "rke2", "k3s", or the parent's name ("systemd")
  unsigned long long start = 0;        ///< clock ticks since boot
  std::optional<config::KubeletVersion> version;
  std::string version_source;  ///< how it was found, or why not
  Target target = Target::kNone;
  std::string target_reason;  ///< what decided, or what is missing
  std::string file;           ///< the target's file; empty for kNone
  /// Where a file of ours with arguments would be under RKE2 or k3s; empty for another kubelet.
  std::string arguments_file;
  /// By flag of what the target's file may say (eviction-hard, ...): the file or flag that
  /// overrides it, as it is read after it. Empty: none does.
  std::map<std::string, std::string> overridden;
  std::optional<std::string> file_content;  ///< what it holds now; absent: no such file
  /// What the target's file held when it was last put in force, by its journal. Empty: unknown.
  std::string committed;
  bool proven = false;     ///< this run was seen to use what was committed, by the journal
  bool withdrawn = false;  ///< since then the agent took the file away, by the journal
  std::string root_dir = "/var/lib/kubelet";
  config::LoadedSettings loaded;  ///< RKE2's arguments: of this run; otherwise of the next start
  config::KubeletSettings without_file;  ///< of a next start without the target's file
  std::vector<Error> problems;           ///< files of the kubelet or its supervisor not understood
};

/// DATA/agent of RKE2 or k3s, where their kubelet has drop-ins, logs and certificates. Absent for
/// another kubelet.
[[nodiscard]] std::optional<std::string> agent_folder(const Kubelet& kubelet);

/// Looks for the kubelet among the processes and loads its effective settings. A kubelet inside a
/// pod is not the node's. Errors: kAbsent when no kubelet runs here; kVanished or those of the file
/// when its command line cannot be read, without which nothing about it is known.
[[nodiscard]] Result<Kubelet> find_kubelet(const cgroup::Directory& proc,
                                           const cgroup::Directory& root,
                                           const config::AgentConfig& config,
                                           cgroup::Buffer& buffer);

/// Finds target and settings again by the version that the kubelet's Node object tells, where its
/// process shows none. told: with that version in it.
void learn_version(Kubelet& kubelet,
                   const config::AgentConfig& told,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer);

}  // namespace eviction::agent
