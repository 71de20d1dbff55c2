// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cgroup/result.h"
#include "systemd/child_task.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// Something that is asked of others again and again, and may take them long: a child process asks,
/// the event loop runs on, and the last answer stands until there is another.
class Question {
 public:
  /// answered: called with each answer; may be empty. loop has to outlive it.
  explicit Question(systemd::EventLoop& loop,
                    std::function<void(const Result<std::string>&)> answered = {})
      : loop_{loop}, answered_{std::move(answered)} {}

  /// The last answer that is about this very subject; ask, run in a child process, finds another
  /// when the last is older than every, and when the subject is a new one. Absent: there is none
  /// yet. Errors: those of ChildTask.
  [[nodiscard]] std::optional<Result<std::string>> latest(const std::string& subject,
                                                          std::chrono::milliseconds every,
                                                          const std::function<std::string()>& ask);

  /// Whether an answer is awaited.
  [[nodiscard]] bool is_asking() const { return task_ != nullptr; }

  /// Whether there is an answer to a question that was asked within the last age.
  [[nodiscard]] bool is_younger(std::chrono::milliseconds age) const;

 private:
  void start(const std::function<std::string()>& ask);

  /// All the sources behind it together do not take longer; a service that is slower is as good as
  /// none.
  static constexpr std::chrono::seconds kLimit{10};

  systemd::EventLoop& loop_;
  std::function<void(const Result<std::string>&)> answered_;
  std::string subject_;
  std::optional<Result<std::string>> answer_;
  std::chrono::steady_clock::time_point asked_;      ///< of the task
  std::chrono::steady_clock::time_point answer_of_;  ///< when the answer was asked for
  std::unique_ptr<systemd::ChildTask> task_;
};

}  // namespace eviction::agent
