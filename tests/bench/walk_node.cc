// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/walk_node.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "tests/support/constructed_node.h"
#include "tests/support/named_nodes.h"

namespace eviction::bench {
namespace {

bool belongs_to_walk(const std::filesystem::path& file) {
  const std::string name = file.filename();
  const std::filesystem::path cgroup = file.parent_path();
  if (cgroup.extension() == ".scope") {
    return name == "cgroup.procs";
  }
  if (name == "memory.pressure") {  // of kubepods and its classes
    return cgroup.filename().string().find("-pod") == std::string::npos;
  }
  return name == "memory.current" || name == "memory.max" || name == "memory.stat" ||
         name == "memory.events";
}

}  // namespace

WalkNode::WalkNode(int pods) {
  std::string pattern = "/dev/shm/eviction-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error{errno, std::generic_category(), pattern};
  }
  root_ = pattern;
  tests::write(tests::node_with_pods(pods), root_);
}

WalkNode::~WalkNode() {
  std::error_code ignored;  // leftovers in /dev/shm go with the next boot
  std::filesystem::remove_all(root_, ignored);
}

std::vector<std::string> WalkNode::files() const {
  std::vector<std::string> files{root_ / "proc/meminfo",
                                 root_ / "proc/vmstat",
                                 root_ / "proc/zoneinfo",
                                 root_ / "proc/pressure/memory",
                                 root_ / "sys/fs/cgroup/memory.stat"};
  const std::filesystem::path kubepods = root_ / "sys/fs/cgroup/kubepods.slice";
  for (const auto& entry : std::filesystem::recursive_directory_iterator{kubepods}) {
    if (entry.is_regular_file() && belongs_to_walk(entry.path())) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace eviction::bench
