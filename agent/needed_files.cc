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

std::map<std::string, std::string> needed_files(const Host& host,
                                                const Observation& seen,
                                                config::AgentConfig config) {
  std::map<std::string, std::string> files;
  if (!seen.kubelet) {
    return files;
  }
  add_target(files, seen, config);
  if (outdated_file(*host.root, *seen.kubelet)) {
    // The kubelet runs with its arguments, as if that were the target.
    config.target =
        seen.kubelet->embedded ? config::TargetChoice::kK3sArgs : config::TargetChoice::kRke2Args;
    cgroup::Buffer buffer;
    if (const auto before = find_kubelet(*host.proc, *host.root, config, buffer)) {
      Observation by_arguments = seen;
      by_arguments.kubelet = *before;
      add_target(files, by_arguments, config);
    }
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
