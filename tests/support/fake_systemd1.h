// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "systemd/event_loop.h"
#include "systemd/handle.h"

namespace eviction::tests {

/// systemd's end of a D-Bus connection without a bus daemon. It answers in the same event loop as
/// its client, and Subscribe by itself.
class FakeSystemd1 {
 public:
  struct Job {
    std::string path;
    std::string unit;
    std::string result;
    std::string sender = {};  ///< of the signal; empty as that of every other message
  };

  explicit FakeSystemd1(systemd::EventLoop& loop);

  /// The client's end, once.
  [[nodiscard]] systemd::Bus take_client() { return std::move(client_); }

  /// What is done on RestartUnit, with that call. By default nothing.
  std::function<void(sd_bus_message* call)> on_restart;
  /// Replies to Subscribe by an error of this name; empty: by success.
  std::string subscribe_error;

  static void reply_job(sd_bus_message* call, const std::string& path);
  static void reply_error(sd_bus_message* call,
                          const std::string& name,
                          const std::string& message);
  void send_job_removed(const Job& job);
  /// A signal of that name with other arguments than systemd's.
  void send_nonsense();
  void close();

  /// Calls so far: "Subscribe", "RestartUnit UNIT MODE".
  [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }

 private:
  static int on_call(sd_bus_message* call, void* userdata, sd_bus_error*) noexcept;

  systemd::Bus client_;
  systemd::Bus server_;
  std::vector<std::string> calls_;
};

}  // namespace eviction::tests
