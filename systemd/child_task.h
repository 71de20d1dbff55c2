// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "cgroup/descriptor.h"
#include "cgroup/result.h"
#include "systemd/event_loop.h"

namespace eviction::systemd {

/// Work that may block, done by a forked child while the event loop runs on; what it allocates goes
/// with it. Destroying it ends the child. For a process of one thread only.
class ChildTask {
 public:
  /// done is called once, with what work returned, or the error: kIo when the child died or had no
  /// answer within limit, kTooLarge above 16 MiB. It may destroy the task. Errors: kIo (no process,
  /// no pipe).
  [[nodiscard]] static Result<std::unique_ptr<ChildTask>> start(
      EventLoop& loop,
      const std::function<std::string()>& work,
      std::chrono::milliseconds limit,
      std::function<void(Result<std::string>)> done);

  ChildTask(const ChildTask&) = delete;
  ChildTask& operator=(const ChildTask&) = delete;
  ChildTask(ChildTask&&) = delete;
  ChildTask& operator=(ChildTask&&) = delete;
  ~ChildTask();

 private:
  explicit ChildTask(std::function<void(Result<std::string>)> done) : done_{std::move(done)} {}

  [[nodiscard]] Result<void> listen(EventLoop& loop, std::chrono::milliseconds limit);
  void read();
  void finish(Result<std::string> answer);
  /// Kills the child, if it runs.
  void end();
  /// For the child to end; its wait status.
  int wait();

  std::function<void(Result<std::string>)> done_;
  pid_t child_ = -1;
  Descriptor pipe_;  ///< before its source: it has to be open while that is watched
  EventSource readable_;
  EventSource too_late_;
  std::string answer_;
};

}  // namespace eviction::systemd
