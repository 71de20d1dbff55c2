// SPDX-License-Identifier: Apache-2.0
#include "agent/exporter.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "agent/metrics.h"
#include "agent/textfile.h"

namespace eviction::agent {

namespace {

/// Source: Prometheus' text format, "text/plain; version=0.0.4".
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::string_view kFrontPage =
    "eviction-agent\n\n"
    "/metrics  what it knows, for Prometheus\n"
    "/healthz  whether it runs\n"
    "/readyz   whether it has looked at the node within the last minute\n";

bool same_server(const config::AgentConfig& one, const config::AgentConfig& other) {
  return one.metrics_tls_certificate == other.metrics_tls_certificate &&
         one.metrics_tls_key == other.metrics_tls_key &&
         one.metrics_tls_client_ca == other.metrics_tls_client_ca &&
         one.metrics_basic_auth_file == other.metrics_basic_auth_file;
}

Result<HttpServer::Settings> settings_of(const ServerFiles& files, const std::string& passwords) {
  HttpServer::Settings settings;
  settings.tls = files.tls;
  if (!files.passwords) {
    return settings;
  }
  auto entries = parse_password_file(*files.passwords, passwords);
  if (!entries) {
    return tl::unexpected{entries.error()};
  }
  auto users = BasicAuth::create(std::move(*entries));
  if (!users) {
    return tl::unexpected{users.error()};
  }
  settings.users = std::move(*users);
  return settings;
}

}  // namespace

Exporter::Exporter(systemd::EventLoop& loop,
                   const Plan& plan,
                   const Status& status,
                   std::optional<std::string> textfile)
    : loop_{loop}, plan_{plan}, status_{status}, textfile_{std::move(textfile)} {
  config_.metrics_listen.clear();
}

Exporter::~Exporter() {
  if (textfile_written_) {
    ::unlink(textfile_->c_str());  // what nobody keeps up to date is not to be scraped
  }
}

void Exporter::configure(const config::AgentConfig& config) {
  if (!same_server(config_, config)) {
    // Not even for a moment what the new configuration protects.
    sockets_.clear();
    server_.reset();
  }
  config_ = config;
  reply_ = {};
  std::erase_if(sockets_, [this](const auto& socket) {
    return std::ranges::find(config_.metrics_listen, socket->address()) ==
           config_.metrics_listen.end();
  });
  if (config_.metrics_listen.empty()) {
    server_.reset();
  }
  take_files();
  open_sockets();
}

void Exporter::take_files() {
  files_problem_.reset();
  if (config_.metrics_listen.empty()) {
    return;
  }
  const Result<ServerFiles> files = read_server_files(config_);
  if (!files) {
    files_problem_ = files.error();
  } else if (!server_ || !(*files == files_)) {
    start_server(*files);
  }
  if (files_problem_) {
    retry_later();
  }
}

void Exporter::start_server(const ServerFiles& files) {
  auto settings = settings_of(files, config_.metrics_basic_auth_file);
  if (!settings) {
    files_problem_ = settings.error();
    return;
  }
  settings->routes = routes();
  auto server = HttpServer::start(loop_, std::move(*settings));
  if (!server) {
    files_problem_ = server.error();
    return;
  }
  if (server_) {
    spdlog::info("metrics: certificate or passwords changed, and are taken up");
  }
  server_ = std::move(*server);
  files_ = files;
}

void Exporter::open_sockets() {
  socket_problems_.clear();
  if (!server_) {
    return;
  }
  for (const config::ListenAddress& address : config_.metrics_listen) {
    const bool open = std::ranges::any_of(
        sockets_, [&address](const auto& socket) { return socket->address() == address; });
    if (open) {
      continue;
    }
    auto socket = ListenSocket::open(
        loop_, address, [this](const Accepted& accepted) { server_->adopt(accepted); });
    if (!socket) {
      socket_problems_.push_back(socket.error());
      continue;
    }
    sockets_.push_back(std::move(*socket));
    spdlog::info("metrics: served on {}", to_text(sockets_.back()->bound()));
  }
  if (!socket_problems_.empty()) {
    retry_later();
  }
}

void Exporter::retry_later() {
  auto retry = loop_.after(kRetry, [this] {
    take_files();
    open_sockets();
  });
  if (retry) {
    retry_ = std::move(*retry);
  }
}

void Exporter::walked() {
  walked_at_ = std::chrono::steady_clock::now();
  reply_ = {};
  if (!config_.metrics_tls_certificate.empty() || !config_.metrics_basic_auth_file.empty()) {
    take_files();
    open_sockets();
  }
  textfile_problem_.reset();
  if (textfile_) {
    const std::string metrics = text();
    if (const Result<void> written = write_textfile(*textfile_, metrics); !written) {
      textfile_problem_ = written.error();
    } else {
      textfile_written_ = true;
    }
    if (server_) {
      reply_ = make_reply(MHD_HTTP_OK, metrics, kMetricsType);
    }
  }
}

std::vector<Error> Exporter::problems() const {
  std::vector<Error> problems = socket_problems_;
  for (const auto& problem : {files_problem_, textfile_problem_}) {
    if (problem) {
      problems.push_back(*problem);
    }
  }
  return problems;
}

std::vector<config::ListenAddress> Exporter::addresses() const {
  std::vector<config::ListenAddress> addresses;
  for (const auto& socket : sockets_) {
    addresses.push_back(socket->bound());
  }
  return addresses;
}

std::string Exporter::text() const {
  return render_metrics(plan_, status_, config_.metrics_top_pods);
}

const HttpReply& Exporter::metrics_reply() {
  if (!reply_.response) {
    reply_ = make_reply(MHD_HTTP_OK, text(), kMetricsType);
  }
  return reply_;
}

HttpReply Exporter::ready_reply() const {
  if (!walked_at_) {
    return make_reply(MHD_HTTP_SERVICE_UNAVAILABLE, "it has not looked at the node yet\n");
  }
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::steady_clock::now() - *walked_at_);
  if (age > kOldestLook) {
    return make_reply(MHD_HTTP_SERVICE_UNAVAILABLE,
                      fmt::format("it looked at the node {} s ago, more than {} s\n",
                                  age.count(),
                                  std::chrono::seconds{kOldestLook}.count()));
  }
  return make_reply(MHD_HTTP_OK, "ready\n");
}

std::vector<HttpRoute> Exporter::routes() {
  return {{"/metrics", false, [this] { return metrics_reply(); }},
          {"/healthz", true, [] { return make_reply(MHD_HTTP_OK, "ok\n"); }},
          {"/readyz", true, [this] { return ready_reply(); }},
          {"/", true, [] { return make_reply(MHD_HTTP_OK, kFrontPage); }}};
}

}  // namespace eviction::agent
