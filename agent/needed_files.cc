// SPDX-License-Identifier: Apache-2.0
#include "agent/needed_files.h"

#include <utility>

#include "agent/plan.h"
#include "agent/target_files.h"

namespace eviction::agent {

namespace {

void add_target(std::map<std::string, std::string>& files,
                const Observation& seen,
                const config::AgentConfig& config) {
  if (const auto needed = make_plan(seen, config).file_needed) {
    files.emplace(seen.kubelet->file, *needed);
  }
}

}  // namespace

std::map<std::string, std::string> needed_files(const Observation& seen,
                                                const config::AgentConfig& config,
                                                const cgroup::Directory& root) {
  std::map<std::string, std::string> files;
  if (!seen.kubelet) {
    return files;
  }
  add_target(files, seen, config);
  if (const auto outdated = outdated_file(root, *seen.kubelet)) {
    // The kubelet runs with its arguments, as if that were the target.
    Observation before = seen;
    before.kubelet->target = Target::kRke2Args;
    before.kubelet->file = *outdated;
    before.kubelet->file_content = read_file(root, *outdated).value_or(std::nullopt);
    before.kubelet->committed.clear();
    add_target(files, before, config);
  }
  return files;
}

Error stays(std::string path, const std::string& reason) {
  return {.kind = ErrorKind::kUnsupported,
          .path = std::move(path),
          .what = "it stays, as without it the kubelet would not start: " + reason,
          .remedy = "first take the agent's threshold out of the kubelet's reservedMemory"};
}

}  // namespace eviction::agent
