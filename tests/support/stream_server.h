// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace eviction::tests {

/// A Unix socket bound to a path of any length.
class UnixSocket {
 public:
  explicit UnixSocket(const std::string& path)
      : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const std::size_t slash = path.rfind('/');
    const int folder = ::open(path.substr(0, slash + 1).c_str(), O_PATH | O_CLOEXEC);
    const std::string near =
        "/proc/self/fd/" + std::to_string(folder) + '/' + path.substr(slash + 1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    near.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      std::abort();
    }
    ::close(folder);
  }

  ~UnixSocket() { ::close(fd_); }

  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;
  UnixSocket(UnixSocket&&) = delete;
  UnixSocket& operator=(UnixSocket&&) = delete;

  /// Without it connections are refused.
  void listen() const { ::listen(fd_, 8); }

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

/// Answers connections to a socket in a thread of its own, one after the other, and then leaves
/// each to the client to end.
class StreamServer {
 public:
  struct Options {
    int socket = -1;                                   ///< bound
    std::function<bool(std::string_view)> is_request;  ///< whether that much is a whole one
    std::vector<std::string> answers;                  ///< one a connection, the last for all
    bool hang = false;  ///< the connection is left open after the answer
  };

  explicit StreamServer(Options options) : options_{std::move(options)} {
    ::listen(options_.socket, 8);
    thread_ = std::thread{[this] { serve(); }};
  }

  ~StreamServer() {
    ::shutdown(options_.socket, SHUT_RDWR);
    thread_.join();
  }

  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;
  StreamServer(StreamServer&&) = delete;
  StreamServer& operator=(StreamServer&&) = delete;

  /// What the clients have sent until they were answered.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock{mutex_};
    return requests_;
  }

 private:
  void serve() {
    for (std::size_t count = 0;; ++count) {
      const int fd = ::accept4(options_.socket, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      converse(fd, options_.answers[std::min(count, options_.answers.size() - 1)]);
      ::close(fd);
    }
  }

  void converse(int fd, const std::string& answer) {
    std::string request;
    std::array<char, 4096> part{};
    const auto read = [&] {
      const ssize_t size = ::recv(fd, part.data(), part.size(), 0);
      request.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      return size > 0;
    };
    while (!options_.is_request(request)) {
      if (!read()) {
        return;
      }
    }
    {
      const std::lock_guard lock{mutex_};
      requests_.push_back(request);
    }
    const bool sent = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) >= 0;
    if (sent && !options_.hang) {
      ::shutdown(fd, SHUT_WR);
    }
    while (sent && read()) {
    }
  }

  Options options_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace eviction::tests
