// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "cgroup/descriptor.h"
#include "cgroup/directory.h"
#include "cgroup/oom_kill.h"
#include "cgroup/result.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// ROOTFS/dev/kmsg, from the oldest record that the kernel still has. Errors: kAbsent, kDenied
/// (CAP_SYSLOG is needed), kIo; with the remedy.
[[nodiscard]] Result<Descriptor> open_kmsg(const cgroup::Directory& root);

/// Now, on the clock of its records: CLOCK_MONOTONIC.
[[nodiscard]] std::chrono::microseconds kmsg_now();

/// Follows the kernel's log for OOM kills. However much the kernel logs, it wakes the loop no more
/// often than every kPause.
class KmsgReader {
 public:
  /// file: gives one record a read, as /dev/kmsg does. call: for each kill. loop has to outlive it.
  KmsgReader(systemd::EventLoop& loop,
             Descriptor file,
             std::function<void(const cgroup::OomEvent&)> call);

  /// Reads what is there now.
  void drain();

  /// Why it reads no more. Absent: it does.
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

  static constexpr std::chrono::milliseconds kPause{250};

 private:
  void watch();
  /// False: there is no more for now.
  [[nodiscard]] bool read_one();
  void fail(Error error);

  systemd::EventLoop& loop_;
  Descriptor file_;
  std::function<void(const cgroup::OomEvent&)> call_;
  systemd::EventSource readable_;
  systemd::EventSource pause_;
  cgroup::OomLog log_;
  std::vector<char> buffer_;
  std::optional<Error> problem_;
};

}  // namespace eviction::agent
