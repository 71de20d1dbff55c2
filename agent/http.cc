// SPDX-License-Identifier: Apache-2.0
#include "agent/http.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "agent/curl_library.h"
#include "cgroup/bytes.h"
#include "cgroup/owned.h"

namespace eviction::agent {
namespace {

using Bio = Owned<BIO, &BIO_free_all>;
using Certificate = Owned<X509, &X509_free>;
using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

/// Called by libcurl before it connects. CURLOPT_CAINFO_BLOB would do, but EL 9's libcurl 7.76 does
/// not have it.
CURLcode trust_authority(CURL* /*handle*/, void* context, void* authority) {
  X509_STORE* store = SSL_CTX_get_cert_store(static_cast<SSL_CTX*>(context));
  const auto& text = *static_cast<const std::string*>(authority);
  const Bio pem{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  bool any = false;
  while (const Certificate certificate{PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)}) {
    any = X509_STORE_add_cert(store, certificate.get()) == 1 || any;
  }
  return any ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/// What libcurl reads and writes while it runs.
struct Transfer {
  const CurlLibrary& curl;
  const HttpRequest& request;
  Tls tls;
  Headers headers;
  HttpAnswer answer;
  std::size_t header_size = 0;
  std::array<char, CURL_ERROR_SIZE> detail{};
};

/// Called by libcurl for each part of the body. Anything but size ends the transfer.
std::size_t keep_body(char* data, std::size_t /*one*/, std::size_t size, void* transfer) {
  auto& kept = *static_cast<Transfer*>(transfer);
  std::string& body = kept.answer.body;
  if (size > kept.request.limit - body.size()) {
    return 0;
  }
  body.append(data, size);
  return size;
}

std::string lower_case(std::string_view text) {
  std::string lower{text};
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

/// Called by libcurl for each line of the head, and of trailers. Anything but size ends the
/// transfer.
std::size_t keep_header(char* data, std::size_t /*one*/, std::size_t size, void* transfer) {
  constexpr std::size_t kHeadersLimit = std::size_t{64} << 10;
  auto& kept = *static_cast<Transfer*>(transfer);
  kept.header_size += size;
  if (kept.header_size > kHeadersLimit) {
    return 0;
  }
  const std::string_view line{data, size};
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    constexpr std::string_view kBlank = " \t\r\n";
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(kBlank), value.size()));
    value = value.substr(0, value.find_last_not_of(kBlank) + 1);
    kept.answer.headers[lower_case(line.substr(0, colon))] = value;
  }
  return size;
}

curl_blob blob(std::string& text) {
  return {.data = text.data(), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
}

bool add_headers(Transfer& transfer) {
  for (const std::string& line : transfer.request.headers) {
    curl_slist* longer = transfer.curl.slist_append(transfer.headers.get(), line.c_str());
    if (longer == nullptr) {
      return false;
    }
    static_cast<void>(transfer.headers.release());  // longer begins with it, or is the first
    transfer.headers.reset(longer);
  }
  return true;
}

/// Sets options until one fails, all of which matter: a libcurl that does not know one must not go
/// on without it.
class Options {
 public:
  Options(const CurlLibrary& curl, CURL* handle) : curl_{curl}, handle_{handle} {}

  template <class T>
  void set(CURLoption option, T value) {
    if (failure_ == CURLE_OK) {
      failure_ = curl_.easy_setopt(handle_, option, value);
    }
  }

  [[nodiscard]] CURLcode failure() const { return failure_; }

 private:
  const CurlLibrary& curl_;
  CURL* handle_;
  CURLcode failure_ = CURLE_OK;
};

void set_tls(Options& options, Tls& tls) {
  // The authority only: without these two libcurl adds what it was built with.
  const char* const none = nullptr;
  options.set(CURLOPT_CAINFO, none);
  options.set(CURLOPT_CAPATH, none);
  options.set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  options.set(CURLOPT_SSL_VERIFYPEER, 1L);
  options.set(CURLOPT_SSL_VERIFYHOST, tls.check_name ? 2L : 0L);
  options.set(CURLOPT_SSL_CTX_FUNCTION, &trust_authority);
  options.set(CURLOPT_SSL_CTX_DATA, &tls.authority);
  if (!tls.certificate.empty()) {
    curl_blob certificate = blob(tls.certificate);
    curl_blob key = blob(tls.key);
    options.set(CURLOPT_SSLCERT_BLOB, &certificate);
    options.set(CURLOPT_SSLKEY_BLOB, &key);
    options.set(CURLOPT_KEYPASSWD, "");  // or OpenSSL asks the terminal for an encrypted key's
  }
}

CURLcode set_options(CURL* handle, Transfer& transfer) {
  const HttpRequest& request = transfer.request;
  Options options{transfer.curl, handle};
  options.set(CURLOPT_ERRORBUFFER, transfer.detail.data());
  options.set(CURLOPT_URL, request.url.c_str());
  options.set(CURLOPT_PROXY, "");  // whatever the environment says
  options.set(CURLOPT_FOLLOWLOCATION, 0L);
  options.set(CURLOPT_NOSIGNAL, 1L);
  options.set(CURLOPT_TIMEOUT_MS,
              static_cast<long>(std::max<std::int64_t>(request.timeout.count(), 1)));
  options.set(CURLOPT_WRITEFUNCTION, &keep_body);
  options.set(CURLOPT_WRITEDATA, &transfer);
  options.set(CURLOPT_HEADERFUNCTION, &keep_header);
  options.set(CURLOPT_HEADERDATA, &transfer);
  if (request.http2) {
    options.set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE});
    options.set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    options.set(CURLOPT_POSTFIELDS, request.body.data());
  } else {
    options.set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  }
  if (!request.socket.empty()) {
    options.set(CURLOPT_UNIX_SOCKET_PATH, request.socket.c_str());
  }
  if (request.url.starts_with("https:")) {
    set_tls(options, transfer.tls);
  }
  const bool has_headers = add_headers(transfer);
  options.set(CURLOPT_HTTPHEADER, transfer.headers.get());
  return has_headers ? options.failure() : CURLE_OUT_OF_MEMORY;
}

/// What a failure of libcurl means.
struct Meaning {
  CURLcode code;
  HttpProblem problem;
  ErrorKind kind;
  const char* what;
};

constexpr std::array kMeanings{
    Meaning{CURLE_COULDNT_RESOLVE_HOST, HttpProblem::kNoHost, ErrorKind::kIo, "no such host"},
    Meaning{CURLE_COULDNT_CONNECT, HttpProblem::kNoConnection, ErrorKind::kIo, "cannot connect"},
    Meaning{CURLE_OPERATION_TIMEDOUT,
            HttpProblem::kNoAnswer,
            ErrorKind::kIo,
            "no whole answer in time"},
    Meaning{CURLE_PEER_FAILED_VERIFICATION,
            HttpProblem::kServerCertificate,
            ErrorKind::kDenied,
            "the server's certificate is refused"},
    Meaning{CURLE_SSL_CONNECT_ERROR, HttpProblem::kNoSession, ErrorKind::kIo, "no TLS session"},
    Meaning{CURLE_SSL_CACERT_BADFILE,
            HttpProblem::kAuthority,
            ErrorKind::kMalformed,
            "the certificate authority holds no certificate"},
    Meaning{CURLE_SSL_CERTPROBLEM,
            HttpProblem::kClientCertificate,
            ErrorKind::kMalformed,
            "the client certificate or key cannot be used"},
    Meaning{
        CURLE_WRITE_ERROR, HttpProblem::kTooLong, ErrorKind::kTooLarge, "the answer is too long"},
    Meaning{CURLE_OK, HttpProblem::kOther, ErrorKind::kIo, "the request failed"}};

tl::unexpected<HttpFailure> failure(CURL* handle, CURLcode code, const Transfer& transfer) {
  const auto* const meaning =
      std::find_if(kMeanings.begin(), kMeanings.end() - 1, [code](const Meaning& candidate) {
        return candidate.code == code;
      });
  std::string what = meaning->what;
  if (code == CURLE_WRITE_ERROR) {
    what = "the answer is longer than " +
           to_human(Bytes{static_cast<std::int64_t>(transfer.request.limit)});
  }
  long system = 0;
  transfer.curl.easy_getinfo(handle, CURLINFO_OS_ERRNO, &system);
  if (code == CURLE_COULDNT_CONNECT && system != 0) {
    what += ": " + std::generic_category().message(static_cast<int>(system));
  } else if (code != CURLE_OPERATION_TIMEDOUT) {  // whose detail is another millisecond each time
    what +=
        std::string{": "} + (transfer.detail.front() != '\0' ? transfer.detail.data()
                                                             : transfer.curl.easy_strerror(code));
  }
  return tl::unexpected{HttpFailure{.problem = meaning->problem,
                                    .error = {.kind = meaning->kind,
                                              .path = transfer.request.url,
                                              .line = 0,
                                              .what = std::move(what)}}};
}

}  // namespace

tl::expected<HttpAnswer, HttpFailure> send(const HttpRequest& request) {
  const Result<CurlLibrary>& curl = curl_library();
  if (!curl) {
    return tl::unexpected{HttpFailure{.problem = HttpProblem::kOther, .error = curl.error()}};
  }
  const Curl handle{curl->easy_init(), curl->easy_cleanup};
  Transfer transfer{.curl = *curl,
                    .request = request,
                    .tls = request.tls,
                    .headers = {nullptr, curl->slist_free_all},
                    .answer = {},
                    .header_size = 0};
  CURLcode code = handle ? set_options(handle.get(), transfer) : CURLE_FAILED_INIT;
  if (code == CURLE_OK) {
    code = curl->easy_perform(handle.get());
  }
  if (code != CURLE_OK) {
    return failure(handle.get(), code, transfer);
  }
  curl->easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &transfer.answer.status);
  return std::move(transfer.answer);
}

std::optional<std::string> parse_token(std::string_view text) {
  const std::string_view token = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  const bool plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (token.empty() || !plain) {
    return std::nullopt;
  }
  return std::string{token};
}

}  // namespace eviction::agent
