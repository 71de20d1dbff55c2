// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/result.h"

namespace eviction::agent {

/// Whom a TLS server has to be vouched for by, and who asks it. All in PEM.
struct Tls {
  std::string authority;  ///< nobody else's certificates are taken, whatever the system trusts
  /// False only for an authority that is of this one server: any name is then its own.
  bool check_name = true;
  std::string certificate;  ///< of the client; empty without one
  std::string key;
};

/// One request: a GET over HTTP/1.1, or a POST of body over HTTP/2 when http2 is set.
struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  std::chrono::milliseconds timeout{};
  std::size_t limit = 0;  ///< of the answer's body in bytes
  Tls tls;                ///< for https; unused otherwise
  std::string socket;     ///< a Unix socket to connect to; empty: where the URL says
  bool http2 = false;     ///< from the first byte on, without TLS
  std::string body;       ///< POSTed with http2
};

struct HttpAnswer {
  long status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case; trailers as well
  std::string body;
};

/// What went wrong, for a caller that knows what to do about it.
enum class HttpProblem {
  kNoHost,
  kNoConnection,
  kNoAnswer,           ///< none in time, or not the whole of it
  kServerCertificate,  ///< refused
  kNoSession,          ///< no TLS
  kAuthority,          ///< no certificate in it
  kClientCertificate,  ///< or its key: of no use
  kTooLong,
  kOther,
};

struct HttpFailure {
  HttpProblem problem = HttpProblem::kOther;
  Error error;  ///< without a remedy, but where libcurl is missing
};

/// The server's answer, whatever its status. A redirect is not followed and no proxy is used.
/// Blocks for the timeout at most, connecting and the name service included. Errors: kDenied (the
/// server's certificate refused), kMalformed (PEM of no use), kTooLarge, kIo.
[[nodiscard]] tl::expected<HttpAnswer, HttpFailure> send(const HttpRequest& request);

/// A bearer token as its file has it, without the white space at its end. Absent when no header can
/// carry it: empty, or with bytes that no token has.
[[nodiscard]] std::optional<std::string> parse_token(std::string_view text);

}  // namespace eviction::agent
