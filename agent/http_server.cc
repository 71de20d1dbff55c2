// SPDX-License-Identifier: Apache-2.0
#include "agent/http_server.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <openssl/crypto.h>
#include <spdlog/spdlog.h>

namespace eviction::agent {

namespace {

constexpr unsigned kMostConnections = 64;
constexpr unsigned kMostOfOneAddress = 16;
constexpr std::size_t kRequestMemory = std::size_t{8} << 10;
/// Older versions of TLS are broken. Source: RFC 8996.
constexpr const char* kTlsVersions = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

using MhdText = Owned<char, &MHD_free>;

MHD_Result queue(MHD_Connection* connection, const HttpReply& reply) {
  return MHD_queue_response(connection, reply.status, reply.response.get());
}

void add_header(const HttpReply& reply, const char* name, const char* value) {
  // Ignored because it fails without memory only, and the status says it all.
  static_cast<void>(MHD_add_response_header(reply.response.get(), name, value));
}

/// Overwritten when it is let go.
class Password {
 public:
  explicit Password(char* text) : text_{text} {}

  ~Password() { OPENSSL_cleanse(text_.get(), view().size()); }

  Password(const Password&) = delete;
  Password& operator=(const Password&) = delete;
  Password(Password&&) = delete;
  Password& operator=(Password&&) = delete;

  [[nodiscard]] std::string_view view() const { return text_ ? text_.get() : ""; }

 private:
  MhdText text_;
};

/// tls has to outlive the start of the daemon.
std::vector<MHD_OptionItem> tls_options(ServerTls& tls) {
  static std::string versions{kTlsVersions};
  std::vector<MHD_OptionItem> options{
      {MHD_OPTION_HTTPS_MEM_CERT, 0, tls.certificate.data()},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, tls.key.data()},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, versions.data()},
  };
  if (!tls.client_authority.empty()) {
    options.push_back({MHD_OPTION_HTTPS_MEM_TRUST, 0, tls.client_authority.data()});
  }
  return options;
}

/// The bytes of the client's address; empty when it has none.
std::string peer_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* const info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) {
    return {};
  }
  std::string peer;
  if (info->client_addr->sa_family == AF_INET) {
    const in_addr& four = reinterpret_cast<const sockaddr_in*>(info->client_addr)->sin_addr;
    peer.assign(reinterpret_cast<const char*>(&four), sizeof four);
  } else if (info->client_addr->sa_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(info->client_addr)->sin6_addr;
    peer.assign(reinterpret_cast<const char*>(&six), sizeof six);
  }
  return peer;
}

std::chrono::milliseconds steady_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

HttpReply make_reply(unsigned status, std::string_view text, const char* content_type) {
  std::string copy{text};
  HttpReply reply{status,
                  {MHD_create_response_from_buffer(copy.size(), copy.data(), MHD_RESPMEM_MUST_COPY),
                   &MHD_destroy_response}};
  add_header(reply, "Content-Type", content_type);
  // A client of a minute's interval would only hold a descriptor until it is taken away.
  add_header(reply, "Connection", "close");
  return reply;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(systemd::EventLoop& loop, Settings settings) {
  if (settings.tls) {
    if (const Result<void> usable = check(*settings.tls); !usable) {
      return tl::unexpected{usable.error()};
    }
  }
  std::unique_ptr<HttpServer> server{new HttpServer{loop, std::move(settings)}};
  if (const Result<void> begun = server->begin(); !begun) {
    return tl::unexpected{begun.error()};
  }
  return server;
}

HttpServer::HttpServer(systemd::EventLoop& loop, Settings settings)
    : loop_{loop}, settings_{std::move(settings)} {}

HttpServer::~HttpServer() {
  ready_ = {};
  daemon_.reset();  // tells of each connection that it closes
}

/// What the library calls; self is the server.
struct HttpServer::Callbacks {
  static inline const MHD_AccessHandlerCallback kOnRequest = [](void* self,
                                                                MHD_Connection* connection,
                                                                const char* path,
                                                                const char* method,
                                                                const char* /*version*/,
                                                                const char* /*body*/,
                                                                std::size_t* /*body_size*/,
                                                                void** /*request*/) {
    return static_cast<HttpServer*>(self)->answer(connection, path, method);
  };
  static inline const MHD_NotifyConnectionCallback kOnConnection =
      [](void* self, MHD_Connection* connection, void** /*context*/, auto code) {
        static_cast<HttpServer*>(self)->notify(connection, code == MHD_CONNECTION_NOTIFY_STARTED);
      };
  static inline const MHD_LogCallback kOnMessage =
      [](void* self, const char* format, va_list arguments) {
        std::array<char, 256> text{};
        static_cast<void>(std::vsnprintf(text.data(), text.size(), format, arguments));
        static_cast<HttpServer*>(self)->complaint_ = text.data();
        spdlog::debug("metrics: {}", text.data());
      };
};

Result<void> HttpServer::begin() {
  unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
  std::vector<MHD_OptionItem> options;
  if (settings_.tls) {
    flags |= MHD_USE_TLS;
    options = tls_options(*settings_.tls);
  }
  options.push_back({MHD_OPTION_END, 0, nullptr});
  daemon_.reset(MHD_start_daemon(flags,
                                 0,
                                 nullptr,
                                 nullptr,
                                 Callbacks::kOnRequest,
                                 this,
                                 MHD_OPTION_EXTERNAL_LOGGER,
                                 Callbacks::kOnMessage,
                                 this,
                                 MHD_OPTION_NOTIFY_CONNECTION,
                                 Callbacks::kOnConnection,
                                 this,
                                 MHD_OPTION_CONNECTION_LIMIT,
                                 kMostConnections,
                                 MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                 kMostOfOneAddress,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 kRequestMemory,
                                 MHD_OPTION_ARRAY,
                                 options.data(),
                                 MHD_OPTION_END));
  if (!daemon_) {
    return tl::unexpected{Error{.kind = ErrorKind::kIo,
                                .path = {},
                                .what = "cannot serve metrics: " + complaint_,
                                .remedy = {}}};
  }
  return attach();
}

Result<void> HttpServer::attach() {
  const MHD_DaemonInfo* const info = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD);
  auto ready = loop_.on_io(info->epoll_fd, EPOLLIN, [this](std::uint32_t /*events*/) { pump(); });
  auto again = loop_.after({}, [this] { pump(); });
  auto overdue = loop_.after(kLongest, [this] { end_overdue(); });
  if (!ready || !again || !overdue) {
    return tl::unexpected{(!ready ? ready : !again ? again : overdue).error()};
  }
  ready_ = std::move(*ready);
  again_ = std::move(*again);
  overdue_ = std::move(*overdue);
  return {};
}

void HttpServer::adopt(const Accepted& accepted) {
  // It closes the descriptor where it does not take it, and says why to kOnMessage.
  static_cast<void>(MHD_add_connection(daemon_.get(),
                                       accepted.fd,
                                       reinterpret_cast<const sockaddr*>(&accepted.peer),
                                       accepted.peer_size));
  pump();
}

void HttpServer::pump() {
  static_cast<void>(MHD_run(daemon_.get()));
  MHD_UNSIGNED_LONG_LONG wait = 0;
  if (MHD_get_timeout(daemon_.get(), &wait) == MHD_YES) {
    // Ignored because the next event on any connection pumps as well.
    static_cast<void>(again_.again(std::chrono::milliseconds{wait}));
  }
}

void HttpServer::end_overdue() {
  const Clock::time_point now = Clock::now();
  while (!connections_.empty() && connections_.front().end <= now) {
    Connection overdue = connections_.front();
    ::shutdown(overdue.fd, SHUT_RDWR);  // the library sees its end, and closes it
    overdue.end = now + kLongest;
    connections_.pop_front();
    connections_.push_back(overdue);
  }
  await_overdue();
  pump();
}

void HttpServer::await_overdue() {
  if (!connections_.empty()) {
    const auto left = connections_.front().end - Clock::now();
    static_cast<void>(overdue_.again(std::chrono::duration_cast<std::chrono::microseconds>(left)));
  }
}

void HttpServer::notify(MHD_Connection* connection, bool started) {
  if (!started) {
    std::erase_if(connections_,
                  [connection](const Connection& known) { return known.connection == connection; });
    return;
  }
  const MHD_ConnectionInfo* const info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) {
    return;
  }
  connections_.push_back({connection, info->connect_fd, Clock::now() + kLongest});
  if (connections_.size() == 1) {
    await_overdue();
  }
}

MHD_Result HttpServer::answer(MHD_Connection* connection,
                              std::string_view path,
                              std::string_view method) {
  if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
    const HttpReply reply = make_reply(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    add_header(reply, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return queue(connection, reply);
  }
  const auto route = std::ranges::find(settings_.routes, path, &HttpRoute::path);
  if (route == settings_.routes.end()) {
    return queue(connection, make_reply(MHD_HTTP_NOT_FOUND, "there is nothing here\n"));
  }
  if (!route->open) {
    if (const std::optional<MHD_Result> refused = refuse(connection)) {
      return *refused;
    }
  }
  return queue(connection, route->reply());
}

std::optional<MHD_Result> HttpServer::refuse(MHD_Connection* connection) {
  if (settings_.tls && !settings_.tls->client_authority.empty()) {
    const MHD_ConnectionInfo* const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == nullptr || !has_client_certificate(info->tls_session)) {
      return queue(connection,
                   make_reply(MHD_HTTP_FORBIDDEN, "this needs a valid client certificate\n"));
    }
  }
  if (!settings_.users) {
    return std::nullopt;
  }
  char* raw = nullptr;
  const MhdText user{MHD_basic_auth_get_username_password(connection, &raw)};
  const Password password{raw};
  const auto said =
      user ? settings_.users->ask(peer_of(connection), user.get(), password.view(), steady_now())
           : BasicAuth::Answer::kNo;
  switch (said) {
    case BasicAuth::Answer::kYes:
      break;
    case BasicAuth::Answer::kNo:
      return MHD_queue_basic_auth_fail_response(
          connection,
          "eviction-agent",
          make_reply(MHD_HTTP_UNAUTHORIZED, "this needs user and password\n").response.get());
    case BasicAuth::Answer::kLater: {
      const HttpReply reply =
          make_reply(MHD_HTTP_SERVICE_UNAVAILABLE, "too many passwords are tried\n");
      add_header(reply, MHD_HTTP_HEADER_RETRY_AFTER, "1");
      return queue(connection, reply);
    }
  }
  return std::nullopt;
}

}  // namespace eviction::agent
