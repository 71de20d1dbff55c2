// SPDX-License-Identifier: Apache-2.0
#include "agent/listen_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace eviction::agent {

namespace {

constexpr int kBacklog = 64;
/// Of one turn of the loop, which has other work.
constexpr int kMostAtOnce = 16;
/// Until the next try when the process has no descriptor left.
constexpr std::chrono::milliseconds kPause{1000};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(const config::ListenAddress& address) {
  SocketAddress result;
  if (address.ipv6) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.address.c_str(), &six.sin6_addr);
    std::memcpy(&result.storage, &six, sizeof six);
    result.size = sizeof six;
  } else {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.address.c_str(), &four.sin_addr);
    std::memcpy(&result.storage, &four, sizeof four);
    result.size = sizeof four;
  }
  return result;
}

std::string remedy_for(int code) {
  switch (code) {
    case EADDRINUSE:
      return "stop the program that has the port, or choose another in [metrics] listen";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return "choose an address of this machine in [metrics] listen";
    default:
      return {};
  }
}

/// 0 or an errno.
int bind_and_listen(int fd, const config::ListenAddress& address) {
  const int yes = 1;
  // Ignored because without them the socket serves as well; only a port in TIME_WAIT, or one that
  // the other protocol has, is refused below.
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
  if (address.ipv6) {
    static_cast<void>(::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes));
  }
  const SocketAddress where = socket_address(address);
  const bool listens =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&where.storage), where.size) == 0 &&
      ::listen(fd, kBacklog) == 0;
  return listens ? 0 : errno;
}

}  // namespace

Result<std::unique_ptr<ListenSocket>> ListenSocket::open(
    systemd::EventLoop& loop,
    const config::ListenAddress& address,
    std::function<void(const Accepted&)> on_connection) {
  Descriptor socket{::socket(
      address.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
  const int code = socket.get() < 0 ? errno : bind_and_listen(socket.get(), address);
  if (code != 0) {
    return tl::unexpected{Error{.kind = code == EACCES ? ErrorKind::kDenied : ErrorKind::kIo,
                                .path = {},
                                .what = "cannot serve metrics on " + to_text(address) + ": " +
                                        std::generic_category().message(code),
                                .remedy = remedy_for(code)}};
  }
  std::unique_ptr<ListenSocket> made{
      new ListenSocket{loop, std::move(socket), address, std::move(on_connection)}};
  if (const Result<void> waits = made->wait(); !waits) {
    return tl::unexpected{waits.error()};
  }
  return made;
}

ListenSocket::ListenSocket(systemd::EventLoop& loop,
                           Descriptor socket,
                           config::ListenAddress address,
                           std::function<void(const Accepted&)> on_connection)
    : loop_{loop},
      socket_{std::move(socket)},
      address_{std::move(address)},
      on_connection_{std::move(on_connection)} {}

ListenSocket::~ListenSocket() {
  // A child process that has a copy of the descriptor would keep the port.
  ::shutdown(socket_.get(), SHUT_RDWR);
}

config::ListenAddress ListenSocket::bound() const {
  config::ListenAddress bound = address_;
  SocketAddress where;
  where.size = sizeof where.storage;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&where.storage), &where.size) == 0) {
    sockaddr_in6 six{};
    sockaddr_in four{};
    std::memcpy(&six, &where.storage, sizeof six);
    std::memcpy(&four, &where.storage, sizeof four);
    bound.port = ntohs(address_.ipv6 ? six.sin6_port : four.sin_port);
  }
  return bound;
}

Result<void> ListenSocket::wait() {
  auto source =
      loop_.on_io(socket_.get(), EPOLLIN, [this](std::uint32_t /*events*/) { accept_some(); });
  if (!source) {
    return tl::unexpected{source.error()};
  }
  source_ = std::move(*source);
  return {};
}

void ListenSocket::accept_some() {
  for (int i = 0; i < kMostAtOnce; ++i) {
    Accepted accepted;
    accepted.peer_size = sizeof accepted.peer;
    accepted.fd = ::accept4(socket_.get(),
                            reinterpret_cast<sockaddr*>(&accepted.peer),
                            &accepted.peer_size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted.fd >= 0) {
      on_connection_(accepted);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      pause();
    }
    return;
  }
}

void ListenSocket::pause() {
  auto end = loop_.after(kPause, [this] {
    if (!wait()) {
      pause();
    }
  });
  if (end) {
    pause_ = std::move(*end);
    // The connection stays in the queue, and would wake the loop at once and again.
    source_ = {};
  }
}

}  // namespace eviction::agent
