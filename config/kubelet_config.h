// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/directory.h"
#include "config/kubelet_settings.h"
#include "config/kubelet_version.h"

namespace eviction::config {

/// By path: files as if they held something else; without a content, as if they were not there.
using FilesInstead = std::map<std::string, std::optional<std::string>>;

/// How a kubelet was started.
struct KubeletInvocation {
  KubeletVersion version;
  std::vector<std::string> arguments;    ///< argv without argv[0]
  bool config_dropin_dir_alpha = false;  ///< KUBELET_CONFIG_DROPIN_DIR_ALPHA is in its environment
  FilesInstead instead = {};             ///< of the drop-ins
};

/// What the kubelet makes of its flags and files.
struct LoadedSettings {
  KubeletSettings settings;
  std::vector<std::string> errors;    ///< each of them keeps this kubelet from starting
  std::vector<std::string> warnings;  ///< accepted, but most likely not what was meant
};

/// Merges built-in defaults, --config, --config-dir and flags in the order and with the rules of
/// the kubelet's version. Paths of the invocation are looked up below root; missing or unreadable
/// files become errors that name them. Never fails as a whole: what could be read is in settings.
/// Source: kubelet v1.24 to v1.36 cmd/kubelet/app/server.go (mergeKubeletConfigurations,
/// kubeletConfigFlagPrecedence, loadConfigFile), pkg/kubelet/apis/config/v1beta1/defaults.go.
[[nodiscard]] LoadedSettings load_kubelet_settings(const KubeletInvocation& invocation,
                                                   const cgroup::Directory& root);

/// The value a flag has in argv ("--name=value" or "--name value"; the last one wins).
/// Absent when the flag is not there.
[[nodiscard]] std::optional<std::string> flag_value(const std::vector<std::string>& arguments,
                                                    const std::string& name);

}  // namespace eviction::config
