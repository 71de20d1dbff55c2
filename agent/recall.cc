// SPDX-License-Identifier: Apache-2.0
#include "agent/recall.h"

#include <functional>
#include <string>

#include "agent/growth_file.h"
#include "agent/own_file.h"
#include "agent/policy/memory_account.h"
#include "agent/recording/command.h"
#include "agent/recording/kept_recording.h"

namespace eviction::agent {

namespace {

void read_looks(const cgroup::Directory& root, const std::function<void(const Moment&)>& call) {
  static_cast<void>(read_moments(
      root.path_of(std::string{kStateFolder} + '/' + std::string{kRecordingFile}), call));
}

void recall_full(const Moment& moment, NodeHistory& history) {
  if (moment.seen != nullptr) {
    if (const auto available = account(*moment.seen).kubelet_available) {
      history.recall_full(moment.since_boot, *available);
    }
  }
}

}  // namespace

void recall_looks(const cgroup::Directory& root, NodeHistory& history) {
  read_looks(root, [&history](const Moment& moment) {
    if (moment.mem_available) {
      history.recall(moment.since_boot, *moment.mem_available);
    }
    recall_full(moment, history);
  });
}

Result<void> recall(const cgroup::Directory& root, NodeHistory& history) {
  read_looks(root, [&history](const Moment& moment) { recall_full(moment, history); });
  const Result<GrowthCheckpoint> learned = learned_growth(root);
  if (!learned) {
    return tl::unexpected{learned.error()};
  }
  history.growth().restore(*learned);
  return {};
}

}  // namespace eviction::agent
