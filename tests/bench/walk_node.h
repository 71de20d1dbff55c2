// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace eviction::bench {

/// A constructed node on tmpfs, so that a measurement shows the program and not a disk. Each pod is
/// a pod cgroup, a sandbox and a container: 250 pods are 750 cgroups. Removed at the end.
class WalkNode {
 public:
  explicit WalkNode(int pods);
  ~WalkNode();
  WalkNode(const WalkNode&) = delete;
  WalkNode& operator=(const WalkNode&) = delete;
  WalkNode(WalkNode&&) = delete;
  WalkNode& operator=(WalkNode&&) = delete;

  /// Holds proc, sys, etc and var.
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

  /// The files a full walk cannot do without, each once: the node's own, each pod's numbers and
  /// each container's processes.
  [[nodiscard]] std::vector<std::string> files() const;

 private:
  std::filesystem::path root_;
};

}  // namespace eviction::bench
