// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/kubelet_settings.h"

namespace eviction::config {

/// The kubelet's flags that bear on eviction, as argv has them.
struct KubeletFlags {
  std::string config;      ///< --config; empty when not given
  std::string config_dir;  ///< --config-dir; empty when not given
  bool has_config_dir = false;
  /// Name without dashes and value, in order.
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> errors;
};

/// Other flags are skipped without being understood, and so is a value that follows one.
/// Source: github.com/spf13/pflag parseLongArg(); component-base cli/flag WordSepNormalizeFunc().
[[nodiscard]] KubeletFlags parse_kubelet_flags(const std::vector<std::string>& arguments);

/// Puts the flags over settings. The first occurrence of a map or list flag empties what files
/// made, later ones add to it. Returns the errors.
/// Source: component-base v1.36 cli/flag LangleSeparatedMapStringString, MapStringString;
/// kubelet v1.36 pkg/util/flag ReservedMemoryVar.
[[nodiscard]] std::vector<std::string> apply_kubelet_flags(const KubeletFlags& flags,
                                                           KubeletSettings& settings);

}  // namespace eviction::config
