// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// How k3s was started. Its process does not show it: k3s overwrites its argv with "k3s server" or
/// "k3s agent", since flags may hold secrets.
/// Source: k3s v1.36 pkg/proctitle, pkg/cli/server/server.go.
struct K3sStart {
  std::vector<std::string> command;  ///< its unit's ExecStart; empty: unknown
  std::string config_file;           ///< K3S_CONFIG_FILE of its environment; empty: not set
};

/// What k3s' configuration tells of the kubelet inside it, which has no argv of its own.
struct K3sKubelet {
  std::string data_dir = "/var/lib/rancher/k3s";
  std::string config_folder;           ///< where its config.yaml.d files are
  bool config_dir = false;             ///< k3s >= 1.32: it passes --config-dir
  std::vector<std::string> arguments;  ///< the kubelet's flags as k3s composes them
  std::vector<Error> problems;
};

/// Puts the kubelet's flags together from k3s' own: its command line, its config.yaml and
/// config.yaml.d (key: replaces, key+: appends), and its defaults for the kubelet. No more of the
/// defaults than what bears on eviction.
/// Source: k3s v1.30 pkg/configfilearg/parser.go; pkg/daemons/agent/agent.go (1.24 to 1.36).
[[nodiscard]] K3sKubelet read_k3s(const cgroup::Directory& root,
                                  const K3sStart& start,
                                  cgroup::Buffer& buffer);

/// What of k3s' configuration bears on the kubelet.
struct K3sOptions {
  std::string data_dir;  ///< empty: not set
  std::vector<std::string> kubelet_args;
};

/// Applies one config.yaml to options. Errors: kMalformed; what stands before the fault is applied.
[[nodiscard]] Result<void> apply_k3s_config(std::string_view text, K3sOptions& options);

/// By the flag of our file of arguments (eviction-hard, ...): the config.yaml.d file, of k3s or
/// RKE2, that is read behind it and leaves what ours says of memory not in force. A plain
/// kubelet-arg: replaces all before it, kubelet-arg+: may set a flag once more. Files that cannot
/// be understood are added to problems: k3s and RKE2 do not start with them.
[[nodiscard]] std::map<std::string, std::string> overriding_files(const cgroup::Directory& root,
                                                                  const std::string& file,
                                                                  std::vector<Error>& problems,
                                                                  cgroup::Buffer& buffer);

/// The kubelet's argv as k3s makes it of its defaults and the operator's --kubelet-arg values:
/// NAME=V replaces the default, NAME+=V follows it, NAME-=V stands before it. Source: k3s v1.36
/// pkg/util/args.go GetArgs().
[[nodiscard]] std::vector<std::string> merge_kubelet_args(
    std::map<std::string, std::string> defaults, const std::vector<std::string>& kubelet_args);

}  // namespace eviction::agent
