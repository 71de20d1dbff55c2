// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cgroup/directory.h"

namespace eviction::config {

/// The files below --config-dir that the kubelet reads.
struct DropInFiles {
  std::vector<std::string> paths;  ///< in the order in which they are merged
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

/// Without "//", "/./", ".." and a slash at its end, as the kubelet and k3s make the paths below
/// it. Source: go path/filepath Clean().
[[nodiscard]] std::string normal_path(const std::string& path);

/// Why the kubelet finds nothing below this --config-dir; empty: it looks there.
[[nodiscard]] std::string not_walked(const cgroup::Directory& root, const std::string& path);

/// Files that end in .conf, in the order of the kubelet's walk: bytewise by name, each directory
/// at its own place. Symbolic links to files are read, links to directories are not followed, not
/// even the topmost one. A missing directory is an error.
/// Source: kubelet v1.36 cmd/kubelet/app/server.go mergeKubeletConfigurations(); go 1.19
/// path/filepath WalkDir().
[[nodiscard]] DropInFiles find_drop_ins(const cgroup::Directory& root, const std::string& path);

}  // namespace eviction::config
