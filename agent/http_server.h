// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <microhttpd.h>

#include "agent/basic_auth.h"
#include "agent/listen_socket.h"
#include "agent/server_tls.h"
#include "cgroup/owned.h"
#include "cgroup/result.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// What is sent. Shared by all who are being sent it, however slow they are.
struct HttpReply {
  unsigned status = 200;
  std::shared_ptr<MHD_Response> response;
};

[[nodiscard]] HttpReply make_reply(unsigned status,
                                   std::string_view text,
                                   const char* content_type = "text/plain; charset=utf-8");

/// What is served under one path.
struct HttpRoute {
  std::string_view path;
  bool open = false;  ///< to clients without certificate and password
  std::function<HttpReply()> reply;
};

/// Speaks HTTP/1.1 (libmicrohttpd), GET and HEAD only, with connections that others accepted, on
/// their event loop. A client may do what it likes: it gets one request of at most 8 KiB and
/// kLongest of time, 64 clients are served at once and 16 of one address, and what comes beyond
/// that is closed.
class HttpServer {
 public:
  struct Settings {
    std::optional<ServerTls> tls;
    std::optional<BasicAuth> users;
    std::vector<HttpRoute> routes;
  };

  /// loop has to outlive it. Errors: kMalformed when certificate and key are not usable, kIo.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(systemd::EventLoop& loop,
                                                                 Settings settings);

  /// Closes all connections.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  HttpServer(HttpServer&&) = delete;
  HttpServer& operator=(HttpServer&&) = delete;

  /// Serves a connection, or closes it when there are too many.
  void adopt(const Accepted& accepted);

  /// How long a connection may last, whatever is done on it.
  static constexpr std::chrono::seconds kLongest{10};

 private:
  using Daemon = Owned<MHD_Daemon, &MHD_stop_daemon>;
  using Clock = std::chrono::steady_clock;

  struct Connection {
    MHD_Connection* connection = nullptr;
    int fd = -1;
    Clock::time_point end;
  };

  struct Callbacks;

  HttpServer(systemd::EventLoop& loop, Settings settings);

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> attach();
  void pump();
  void end_overdue();
  void await_overdue();
  MHD_Result answer(MHD_Connection* connection, std::string_view path, std::string_view method);
  /// The reply for a client that may not have this. Absent: it may.
  std::optional<MHD_Result> refuse(MHD_Connection* connection);
  void notify(MHD_Connection* connection, bool started);

  systemd::EventLoop& loop_;
  Settings settings_;
  Daemon daemon_;
  systemd::EventSource ready_;
  systemd::EventSource again_;
  systemd::EventSource overdue_;
  std::deque<Connection> connections_;  ///< in the order in which they end
  std::string complaint_;               ///< the library's last
};

}  // namespace eviction::agent
