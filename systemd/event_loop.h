// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <functional>

#include "cgroup/result.h"
#include "systemd/handle.h"

namespace eviction::systemd {

/// Something an EventLoop waits for. Its call is made until the object is destroyed, which may
/// happen inside that very call. May outlive the loop, and is then never called.
class EventSource {
 public:
  /// Waits for nothing.
  EventSource() = default;

  /// Sets a timer of EventLoop::after() anew, whether it has expired or not. Errors: kIo when this
  /// is no timer.
  [[nodiscard]] Result<void> again(std::chrono::microseconds delay);

 private:
  friend class EventLoop;

  explicit EventSource(sd_event_source* source) : source_{source} {}

  Source source_;
};

/// The thread's event loop (sd-event). What it calls must not throw: an exception would have to
/// cross libsystemd's C frames, and ends the program instead. One thread only.
class EventLoop {
 public:
  /// Errors: kIo (no file descriptors left).
  [[nodiscard]] static Result<EventLoop> create();

  /// Calls once when the delay has passed on CLOCK_MONOTONIC, at most kLate later; with a delay of
  /// 0 or less in the next turn. Errors: kIo.
  [[nodiscard]] Result<EventSource> after(std::chrono::microseconds delay,
                                          std::function<void()> call);

  /// Calls with the events that occurred, whenever there are any of those asked for (EPOLLIN,
  /// EPOLLPRI, ...). EPOLLERR and EPOLLHUP come unasked, and in each turn until the source is
  /// destroyed. The descriptor stays the caller's and must outlive the source. Errors: kDenied when
  /// it cannot be waited for (a regular file), kIo.
  [[nodiscard]] Result<EventSource> on_io(int fd,
                                          std::uint32_t epoll_events,
                                          std::function<void(std::uint32_t)> call);

  /// Calls when the process got the signal, which is blocked in this thread from here on: ask
  /// before other threads are started, they inherit it. Errors: kIo (no such signal, or one that
  /// cannot be blocked, or one that has a source).
  [[nodiscard]] Result<EventSource> on_signal(int signal, std::function<void()> call);

  /// Waits and calls until exit(), whose code it returns. Once only. Errors: kIo.
  [[nodiscard]] Result<int> run();

  /// Ends run() after the call under way; before run(), at its start. The code is 0 to 255.
  void exit(int code);

  /// Has the loop tell the service manager that it lives, as often as WatchdogSec= asks for;
  /// nothing without one. Errors: kIo when WATCHDOG_USEC is no time.
  [[nodiscard]] Result<void> enable_watchdog();

  /// For sd_bus_attach_event(); the loop keeps its reference.
  [[nodiscard]] sd_event* get() const { return event_.get(); }

  /// Timers that are due within this time of each other share one wake-up.
  static constexpr std::chrono::milliseconds kLate{10};

 private:
  explicit EventLoop(sd_event* event) : event_{event} {}

  Event event_;
};

}  // namespace eviction::systemd
