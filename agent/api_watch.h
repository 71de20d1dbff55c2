// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/api_view.h"
#include "agent/question.h"

namespace eviction::agent {

/// The API server's view of the node for a daemon: asked for once a minute, sooner when a pod has
/// come that it does not know, and never waited for.
class ApiWatch {
 public:
  /// answered: called after each answer. loop and root have to outlive it.
  ApiWatch(systemd::EventLoop& loop,
           const Result<cgroup::Directory>& root,
           std::function<void()> answered);

  /// As AskApi has it. A view stands for five minutes when later questions fail; then the error
  /// takes its place.
  [[nodiscard]] std::optional<Result<ApiView>> view(const Kubelet& kubelet,
                                                    const std::vector<cgroup::PodCgroup>& pods);

  /// Why the last question failed. Absent: it did not.
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  void take(const Result<std::string>& text);

  const Result<cgroup::Directory>& root_;
  Question question_;
  std::optional<ApiView> view_;
  std::chrono::steady_clock::time_point view_since_;
  std::set<std::string> known_;  ///< UIDs that an answer was about, or could not be
  std::set<std::string> asked_;  ///< UIDs that were there when it was asked
  std::optional<Error> problem_;
};

}  // namespace eviction::agent
