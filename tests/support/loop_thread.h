// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "cgroup/descriptor.h"
#include "systemd/event_loop.h"

namespace eviction::tests {

/// An event loop in a thread of its own, for tests that are its clients. What lives on the loop is
/// made, used and destroyed by call().
class LoopThread {
 public:
  LoopThread() : wake_{::eventfd(0, EFD_CLOEXEC)} {
    thread_ = std::thread{[this] { run(); }};
  }

  ~LoopThread() {
    call([this] { loop_->exit(0); });
    thread_.join();
  }

  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  LoopThread(LoopThread&&) = delete;
  LoopThread& operator=(LoopThread&&) = delete;

  /// Runs it in the loop's thread, and waits for its end.
  void call(std::function<void()> task) {
    std::promise<void> done;
    task_ = [&task, &done] {
      task();
      done.set_value();
    };
    const std::uint64_t one = 1;
    must(::write(wake_.get(), &one, sizeof one) == sizeof one);
    done.get_future().wait();
  }

  /// For call() only.
  [[nodiscard]] systemd::EventLoop& loop() { return *loop_; }

 private:
  static void must(bool holds) {
    if (!holds) {
      std::abort();
    }
  }

  void run() {
    auto made = systemd::EventLoop::create();
    must(made.has_value());
    loop_.emplace(std::move(*made));
    auto source = loop_->on_io(wake_.get(), EPOLLIN, [this](std::uint32_t /*events*/) {
      std::uint64_t count = 0;
      must(::read(wake_.get(), &count, sizeof count) == sizeof count);
      std::exchange(task_, {})();
    });
    must(source.has_value());
    must(loop_->run().has_value());
  }

  Descriptor wake_;
  std::function<void()> task_;  ///< handed over by wake_
  std::optional<systemd::EventLoop> loop_;
  std::thread thread_;
};

}  // namespace eviction::tests
