// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/support/environment_variable.h"

namespace eviction::tests {

/// The service manager's end of NOTIFY_SOCKET, which is set as long as this lives.
class NotifySocket {
 public:
  NotifySocket() : fd_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    // The kernel finds a free abstract name for an address without any, see unix(7).
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(fd_, generic, sizeof address.sun_family) != 0 ||
        ::getsockname(fd_, generic, &size) != 0) {
      std::abort();
    }
    const std::string name{&address.sun_path[1], size - sizeof address.sun_family - 1};
    variable_.emplace("NOTIFY_SOCKET", '@' + name);
  }

  ~NotifySocket() { ::close(fd_); }

  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  NotifySocket(NotifySocket&&) = delete;
  NotifySocket& operator=(NotifySocket&&) = delete;

  /// The next message; empty when there is none.
  [[nodiscard]] std::string receive() const {
    std::array<char, 8192> message{};
    const ssize_t size = ::recv(fd_, message.data(), message.size(), MSG_DONTWAIT);
    return size < 0 ? "" : std::string{message.data(), static_cast<std::size_t>(size)};
  }

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::optional<EnvironmentVariable> variable_;
};

}  // namespace eviction::tests
