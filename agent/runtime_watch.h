// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agent/kubelet_process.h"
#include "agent/question.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// Asks the container runtime of a kubelet whether it answers, without waiting for it.
class RuntimeWatch {
 public:
  /// answered: called with the first answer, and with each that a restart waits for. root has to
  /// hold a directory, and outlive it as loop does.
  RuntimeWatch(systemd::EventLoop& loop,
               const Result<cgroup::Directory>& root,
               std::function<void()> answered);

  /// Why it does not answer; empty when it does. quiet: no restart of the kubelet is in sight, so
  /// the answer may be up to a minute old. Absent: it has not been asked to the end yet.
  [[nodiscard]] std::optional<std::string> silence(const Kubelet& kubelet, bool quiet);

  /// Whether the last answer is young enough to restart the kubelet on. If not, it is asked anew.
  [[nodiscard]] bool is_fresh(const Kubelet& kubelet);

 private:
  void on_answer();
  std::optional<Result<std::string>> ask(const Kubelet& kubelet, std::chrono::milliseconds every);

  const Result<cgroup::Directory>& root_;
  std::function<void()> answered_;
  bool awaited_ = true;
  Question question_;
};

}  // namespace eviction::agent
