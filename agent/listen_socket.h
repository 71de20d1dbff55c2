// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>

#include "cgroup/descriptor.h"
#include "cgroup/result.h"
#include "config/listen_address.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// A connection somebody made, and from where. The descriptor is the callee's to close.
struct Accepted {
  int fd = -1;
  sockaddr_storage peer{};
  socklen_t peer_size = 0;
};

/// A TCP socket that listens until it is destroyed.
class ListenSocket {
 public:
  /// loop has to outlive it. Errors: kDenied, kIo (the port is taken, the address is none of this
  /// machine's), with the address in what.
  [[nodiscard]] static Result<std::unique_ptr<ListenSocket>> open(
      systemd::EventLoop& loop,
      const config::ListenAddress& address,
      std::function<void(const Accepted&)> on_connection);

  ~ListenSocket();
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;
  ListenSocket(ListenSocket&&) = delete;
  ListenSocket& operator=(ListenSocket&&) = delete;

  /// As asked for.
  [[nodiscard]] const config::ListenAddress& address() const { return address_; }

  /// As it is: with the port that the system chose.
  [[nodiscard]] config::ListenAddress bound() const;

 private:
  ListenSocket(systemd::EventLoop& loop,
               Descriptor socket,
               config::ListenAddress address,
               std::function<void(const Accepted&)> on_connection);

  [[nodiscard]] Result<void> wait();
  void accept_some();
  void pause();

  systemd::EventLoop& loop_;
  Descriptor socket_;  ///< before its sources: it has to outlive them
  config::ListenAddress address_;
  std::function<void(const Accepted&)> on_connection_;
  systemd::EventSource source_;
  systemd::EventSource pause_;
};

}  // namespace eviction::agent
