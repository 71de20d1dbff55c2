// SPDX-License-Identifier: Apache-2.0
#include "systemd/event_loop.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace eviction::systemd {

namespace {

using std::chrono::microseconds;

std::uint64_t count(microseconds time) {
  return static_cast<std::uint64_t>(std::max(time, microseconds::zero()).count());
}

int on_time(sd_event_source* /*source*/, std::uint64_t /*due*/, void* call) noexcept {
  (*static_cast<std::function<void()>*>(call))();
  return 0;
}

int on_events(sd_event_source* /*source*/, int /*fd*/, std::uint32_t events, void* call) noexcept {
  (*static_cast<std::function<void(std::uint32_t)>*>(call))(events);
  return 0;
}

int on_signalled(sd_event_source* /*source*/,
                 const signalfd_siginfo* /*signal*/,
                 void* call) noexcept {
  (*static_cast<std::function<void()>*>(call))();
  return 0;
}

/// Gives the call to the new source, which deletes it when sd-event needs it no more: later than
/// the source's owner does if that is inside the call.
template <class Call>
void hand_over(sd_event_source* source, std::unique_ptr<Call> call) {
  sd_event_source_set_destroy_callback(source, [](void* userdata) noexcept {
    const std::unique_ptr<Call> last{static_cast<Call*>(userdata)};
  });
  static_cast<void>(call.release());  // it is the source's userdata
}

}  // namespace

Result<void> EventSource::again(microseconds delay) {
  int code = sd_event_source_set_time_relative(source_.get(), count(delay));
  if (code >= 0) {
    code = sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT);
  }
  if (code < 0) {
    return failure(code, "cannot set a timer again");
  }
  return {};
}

Result<EventLoop> EventLoop::create() {
  sd_event* event = nullptr;
  const int code = sd_event_new(&event);
  if (code < 0) {
    return failure(code, "cannot make an event loop", "raise the limit of open files");
  }
  return EventLoop{event};
}

Result<EventSource> EventLoop::after(microseconds delay, std::function<void()> call) {
  auto owned = std::make_unique<std::function<void()>>(std::move(call));
  sd_event_source* source = nullptr;
  const int code = sd_event_add_time_relative(
      event_.get(), &source, CLOCK_MONOTONIC, count(delay), count(kLate), &on_time, owned.get());
  if (code < 0) {
    return failure(code, "cannot set a timer");
  }
  hand_over(source, std::move(owned));
  return EventSource{source};
}

Result<EventSource> EventLoop::on_io(int fd,
                                     std::uint32_t epoll_events,
                                     std::function<void(std::uint32_t)> call) {
  auto owned = std::make_unique<std::function<void(std::uint32_t)>>(std::move(call));
  sd_event_source* source = nullptr;
  const int code =
      sd_event_add_io(event_.get(), &source, fd, epoll_events, &on_events, owned.get());
  if (code < 0) {
    return failure(code, "cannot wait for file descriptor " + std::to_string(fd));
  }
  hand_over(source, std::move(owned));
  return EventSource{source};
}

Result<EventSource> EventLoop::on_signal(int signal, std::function<void()> call) {
  const std::string what = "cannot wait for signal " + std::to_string(signal);
  sigset_t blocked;
  sigemptyset(&blocked);
  if (sigaddset(&blocked, signal) != 0) {
    return failure(-EINVAL, what);
  }
  if (const int error = pthread_sigmask(SIG_BLOCK, &blocked, nullptr); error != 0) {
    return failure(-error, what);
  }
  auto owned = std::make_unique<std::function<void()>>(std::move(call));
  sd_event_source* source = nullptr;
  const int code = sd_event_add_signal(event_.get(), &source, signal, &on_signalled, owned.get());
  if (code < 0) {
    return failure(code, what);
  }
  hand_over(source, std::move(owned));
  return EventSource{source};
}

Result<int> EventLoop::run() {
  const int code = sd_event_loop(event_.get());
  if (code < 0) {
    return failure(code, "the event loop failed");
  }
  return code;
}

void EventLoop::exit(int code) {
  // Ignored because it fails only when the loop has ended already.
  static_cast<void>(sd_event_exit(event_.get(), code));
}

Result<void> EventLoop::enable_watchdog() {
  const int code = sd_event_set_watchdog(event_.get(), 1);
  if (code < 0) {
    return failure(code, "cannot serve the service manager's watchdog", "check WATCHDOG_USEC");
  }
  return {};
}

}  // namespace eviction::systemd
