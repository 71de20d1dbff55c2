// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/http_server.h"
#include "agent/listen_socket.h"
#include "agent/plan.h"
#include "agent/server_files.h"
#include "agent/status_file.h"
#include "config/agent_config.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// Shows what the daemon knows to Prometheus: over HTTP where [metrics] says, and in a file for
/// node_exporter. Nothing that goes wrong here ends the daemon: it is a problem to be shown, and is
/// tried again.
class Exporter {
 public:
  /// plan and status are rendered when they are asked for, at most once after each walk; all three
  /// have to outlive it. textfile: absent for none.
  Exporter(systemd::EventLoop& loop,
           const Plan& plan,
           const Status& status,
           std::optional<std::string> textfile);

  /// Removes the text file, if it ever wrote it.
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  Exporter(Exporter&&) = delete;
  Exporter& operator=(Exporter&&) = delete;

  /// Serves by this configuration from now on; reads its files again.
  void configure(const config::AgentConfig& config);

  /// To be called after each walk, when plan and status are what it found.
  void walked();

  /// What keeps the metrics from being seen now.
  [[nodiscard]] std::vector<Error> problems() const;

  /// Where they are served.
  [[nodiscard]] std::vector<config::ListenAddress> addresses() const;

  /// How soon a port or a file that could not be had is tried again.
  static constexpr std::chrono::seconds kRetry{30};

 private:
  void take_files();
  void start_server(const ServerFiles& files);
  void open_sockets();
  void retry_later();
  [[nodiscard]] std::vector<HttpRoute> routes();
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const HttpReply& metrics_reply();
  [[nodiscard]] HttpReply ready_reply() const;

  systemd::EventLoop& loop_;
  const Plan& plan_;
  const Status& status_;
  std::optional<std::string> textfile_;

  config::AgentConfig config_;
  ServerFiles files_;  ///< of the server that runs
  std::unique_ptr<HttpServer> server_;
  std::vector<std::unique_ptr<ListenSocket>> sockets_;
  systemd::EventSource retry_;

  std::optional<Error> files_problem_;
  std::vector<Error> socket_problems_;
  std::optional<Error> textfile_problem_;
  bool textfile_written_ = false;  ///< since it began: what is there is its own

  HttpReply reply_;  ///< since the last walk; empty: not rendered yet
  std::optional<std::chrono::steady_clock::time_point> walked_at_;
};

}  // namespace eviction::agent
