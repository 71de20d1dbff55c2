// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/kubelet_config.h"

namespace eviction::agent {

/// How k3s, or RKE2, was started. Its process does not show it: k3s overwrites its argv with "k3s
/// server" or "k3s agent", since flags may hold secrets.
/// Source: k3s v1.36 pkg/proctitle, pkg/cli/server/server.go.
struct K3sStart {
  std::string program = "k3s";            ///< or "rke2"
  std::vector<std::string> command = {};  ///< its unit's ExecStart; empty: unknown
  std::string config_file = {};           ///< K3S_CONFIG_FILE of its environment; empty: not set
  std::string data_dir = {};              ///< K3S_DATA_DIR likewise
  std::optional<Error> unknown = {};      ///< why the command is
};

/// What of the configuration of k3s or RKE2 bears on the kubelet.
struct K3sOptions {
  std::string data_dir = {};                    ///< empty: not set
  std::string docker = {};                      ///< a boolean as it is written; empty: not set
  std::string container_runtime_endpoint = {};  ///< empty: not set
  std::vector<std::string> kubelet_args = {};
};

/// Applies one config.yaml to options. Errors: kMalformed; what stands before the fault is applied.
[[nodiscard]] Result<void> apply_k3s_config(std::string_view text, K3sOptions& options);

/// The configuration as a whole: what the next start takes from config.yaml, config.yaml.d (key:
/// replaces, key+: appends) and the command line.
/// Source: k3s v1.30 pkg/configfilearg/parser.go.
struct K3sConfig {
  std::string folder;  ///< where its config.yaml.d files are
  K3sOptions options;
  std::vector<Error> errors;    ///< of its files, with which k3s and RKE2 do not start
  std::vector<Error> problems;  ///< why flags of its command may not be seen
};

/// Without instead, as the files are now.
[[nodiscard]] K3sConfig read_k3s_config(const cgroup::Directory& root,
                                        const K3sStart& start,
                                        const config::FilesInstead& instead,
                                        cgroup::Buffer& buffer);

/// What k3s' configuration tells of the kubelet inside it, which has no argv of its own.
struct K3sKubelet {
  std::string data_dir = "/var/lib/rancher/k3s";
  bool has_agent = false;              ///< data_dir is one where k3s had a kubelet
  bool config_dir = false;             ///< k3s >= 1.32: it passes --config-dir
  std::vector<std::string> arguments;  ///< the kubelet's flags as k3s composes them
};

/// Puts the kubelet's flags together from k3s' configuration and its defaults for the kubelet. No
/// more of the defaults than what bears on eviction.
/// Source: k3s pkg/daemons/agent/agent.go (1.24 to 1.36).
[[nodiscard]] K3sKubelet compose_k3s(const cgroup::Directory& root, const K3sConfig& config);

/// The argv that RKE2 up to 1.31 would start its kubelet with: the present one, with the flags of
/// its configuration. Of what bears on eviction nothing else is kept but RKE2's own defaults.
/// Source: rke2 v1.31 pkg/podexecutor/staticpod.go, which takes k3s' arguments.
[[nodiscard]] std::vector<std::string> compose_rke2(const std::vector<std::string>& arguments,
                                                    const K3sConfig& config);

/// By the flag of our file of arguments (eviction-hard, ...): what is read behind it, a
/// config.yaml.d file or the command line, and leaves what ours says of memory not in force. A
/// plain kubelet-arg: replaces all before it, kubelet-arg+: and the command line may set a flag
/// once more.
[[nodiscard]] std::map<std::string, std::string> overriding_arguments(const cgroup::Directory& root,
                                                                      const K3sStart& start,
                                                                      const std::string& file,
                                                                      cgroup::Buffer& buffer);

/// The kubelet's argv as k3s makes it of its defaults and the operator's --kubelet-arg values:
/// NAME=V replaces the default, NAME+=V follows it, NAME-=V stands before it. Source: k3s v1.36
/// pkg/util/args.go GetArgs().
[[nodiscard]] std::vector<std::string> merge_kubelet_args(
    std::map<std::string, std::string> defaults, const std::vector<std::string>& kubelet_args);

}  // namespace eviction::agent
