// SPDX-License-Identifier: Apache-2.0
#include "agent/api_server.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "config/kubelet_config.h"

namespace eviction::agent {
namespace {

using config::Kubeconfig;

/// A node's own pods come from the server's memory: what takes longer is not worth waiting for.
constexpr std::chrono::seconds kTimeout{5};

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <class T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

using Bio = Owned<BIO, &BIO_free_all>;
using Certificate = Owned<X509, &X509_free>;
using Curl = Owned<CURL, &curl_easy_cleanup>;
using Headers = Owned<curl_slist, &curl_slist_free_all>;

tl::unexpected<Error> error(ErrorKind kind,
                            std::string path,
                            std::string what,
                            std::string remedy) {
  return tl::unexpected{Error{.kind = kind,
                              .path = std::move(path),
                              .line = 0,
                              .what = std::move(what),
                              .remedy = std::move(remedy)}};
}

Bio open_pem(std::string_view text) {
  return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

Certificate read_certificate(BIO* pem) {
  return Certificate{PEM_read_bio_X509(pem, nullptr, nullptr, nullptr)};
}

/// What a kubeconfig names, read.
struct Credentials {
  std::string authority;
  std::string certificate;
  std::string key;
  std::string token;
};

Result<std::string> load(const config::Pem& pem, const cgroup::Directory& root) {
  constexpr std::size_t kPemLimit = std::size_t{1} << 20;
  if (pem.file.empty()) {
    return pem.text;
  }
  cgroup::Buffer buffer;  // of its own: no key stays behind in what other readers share
  return root.read(pem.file, buffer, kPemLimit).map([](std::string_view text) {
    return std::string{text};
  });
}

Result<std::string> load_token(const Kubeconfig& kubeconfig, const cgroup::Directory& root) {
  Result<std::string> token = load({kubeconfig.token, kubeconfig.token_file}, root);
  if (!token) {
    return token;
  }
  token->erase(token->find_last_not_of(" \t\r\n") + 1);
  const bool plain =
      std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!plain || (token->empty() && !kubeconfig.token_file.empty())) {
    return error(ErrorKind::kMalformed,
                 kubeconfig.token_file,
                 "the kubeconfig's token is empty or has characters that no token has",
                 "the kubelet cannot use it either: write it anew");
  }
  return token;
}

Result<Credentials> load_credentials(const Kubeconfig& kubeconfig, const cgroup::Directory& root) {
  Credentials loaded;
  const std::array<std::pair<const config::Pem*, std::string*>, 3> parts{
      {{&kubeconfig.authority, &loaded.authority},
       {&kubeconfig.certificate, &loaded.certificate},
       {&kubeconfig.key, &loaded.key}}};
  for (const auto& [pem, text] : parts) {
    Result<std::string> read = load(*pem, root);
    if (!read) {
      return tl::unexpected{std::move(read.error())};
    }
    *text = std::move(*read);
  }
  Result<std::string> token = load_token(kubeconfig, root);
  if (!token) {
    return tl::unexpected{std::move(token.error())};
  }
  loaded.token = std::move(*token);
  return loaded;
}

/// Called by libcurl before it connects. CURLOPT_CAINFO_BLOB would do, but EL 9's libcurl 7.76 does
/// not have it.
CURLcode trust_authority(CURL* /*handle*/, void* context, void* authority) {
  X509_STORE* store = SSL_CTX_get_cert_store(static_cast<SSL_CTX*>(context));
  const Bio pem = open_pem(*static_cast<const std::string*>(authority));
  bool any = false;
  while (const Certificate certificate = read_certificate(pem.get())) {
    any = X509_STORE_add_cert(store, certificate.get()) == 1 || any;
  }
  return any ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/// Called by libcurl for each part of the body. Anything but size ends the transfer.
std::size_t keep_body(char* data, std::size_t /*one*/, std::size_t size, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (size > kAnswerLimit - text.size()) {
    return 0;
  }
  text.append(data, size);
  return size;
}

/// One GET: what libcurl reads and writes while it runs.
struct Transfer {
  std::string url;
  Credentials credentials;
  std::chrono::milliseconds timeout;
  Headers headers;
  std::string body;
  std::array<char, CURL_ERROR_SIZE> detail{};
};

curl_blob blob(std::string& text) {
  return {.data = text.data(), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
}

bool add_header(Headers& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  if (longer == nullptr) {
    return false;
  }
  static_cast<void>(headers.release());  // the list now begins with what it was, or with the line
  headers.reset(longer);
  return true;
}

/// The first failure of the options, all of which matter: a libcurl that does not know one must not
/// go on without it.
CURLcode set_options(CURL* handle, Transfer& transfer) {
  CURLcode failure = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (failure == CURLE_OK) {
      failure = curl_easy_setopt(handle, option, value);
    }
  };
  set(CURLOPT_ERRORBUFFER, transfer.detail.data());
  set(CURLOPT_URL, transfer.url.c_str());
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_PROXY, "");  // whatever the environment says
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(transfer.timeout.count(), 1)));
  set(CURLOPT_WRITEFUNCTION, &keep_body);
  set(CURLOPT_WRITEDATA, &transfer.body);
  // The cluster's authority only: without these two libcurl adds what it was built with.
  const char* const none = nullptr;
  set(CURLOPT_CAINFO, none);
  set(CURLOPT_CAPATH, none);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSL_CTX_FUNCTION, &trust_authority);
  set(CURLOPT_SSL_CTX_DATA, &transfer.credentials.authority);
  if (!transfer.credentials.certificate.empty()) {
    curl_blob certificate = blob(transfer.credentials.certificate);
    curl_blob key = blob(transfer.credentials.key);
    set(CURLOPT_SSLCERT_BLOB, &certificate);
    set(CURLOPT_SSLKEY_BLOB, &key);
    set(CURLOPT_KEYPASSWD, "");  // or OpenSSL asks the terminal for that of an encrypted key
  }
  const bool has_headers =
      add_header(transfer.headers, "Accept: application/json") &&
      (transfer.credentials.token.empty() ||
       add_header(transfer.headers, "Authorization: Bearer " + transfer.credentials.token));
  set(CURLOPT_HTTPHEADER, transfer.headers.get());
  return has_headers ? failure : CURLE_OUT_OF_MEMORY;
}

/// What a failure of libcurl means to the operator.
struct Failure {
  CURLcode code;
  ErrorKind kind;
  const char* what;
  const char* remedy;
};

constexpr const char* kCheckServer =
    "check that the API server runs and can be reached from this node";
constexpr const char* kCheckClient =
    "compare the kubeconfig's client certificate and key, and their dates, with what the kubelet "
    "uses";

constexpr std::array kFailures{
    Failure{CURLE_COULDNT_RESOLVE_HOST, ErrorKind::kIo, "no such host", kCheckServer},
    Failure{CURLE_COULDNT_CONNECT, ErrorKind::kIo, "cannot connect", kCheckServer},
    Failure{CURLE_OPERATION_TIMEDOUT, ErrorKind::kIo, "no whole answer in time", kCheckServer},
    Failure{
        CURLE_PEER_FAILED_VERIFICATION,
        ErrorKind::kDenied,
        "the server's certificate is refused",
        "compare it with the kubeconfig's certificate authority and server, and with the clock"},
    Failure{
        CURLE_SSL_CONNECT_ERROR,
        ErrorKind::kIo,
        "no TLS session",
        "check that the kubeconfig's server is an API server with a certificate of its authority"},
    Failure{CURLE_SSL_CACERT_BADFILE,
            ErrorKind::kMalformed,
            "the kubeconfig's certificate authority holds no certificate",
            "the kubelet cannot use it either: write it anew"},
    Failure{CURLE_SSL_CERTPROBLEM,
            ErrorKind::kMalformed,
            "the kubeconfig's client certificate or key cannot be used",
            kCheckClient},
    Failure{CURLE_WRITE_ERROR,
            ErrorKind::kTooLarge,
            "the answer is longer than 16 MiB",
            "check that the kubeconfig's server is an API server"},
    Failure{CURLE_OK, ErrorKind::kIo, "the request failed", kCheckServer}};

tl::unexpected<Error> transfer_error(CURL* handle, CURLcode code, const Transfer& transfer) {
  const auto* const failure =
      std::find_if(kFailures.begin(), kFailures.end() - 1, [code](const Failure& candidate) {
        return candidate.code == code;
      });
  long system = 0;
  curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &system);
  const bool has_detail = transfer.detail.front() != '\0';
  std::string what = std::string{failure->what} + ": " +
                     (has_detail ? transfer.detail.data() : curl_easy_strerror(code));
  if (code == CURLE_COULDNT_CONNECT && system != 0) {
    what += " (" + std::generic_category().message(static_cast<int>(system)) + ')';
  }
  return error(failure->kind, transfer.url, std::move(what), failure->remedy);
}

tl::unexpected<Error> status_error(long status, const std::string& url) {
  const std::string what = "the API server answers with status " + std::to_string(status);
  if (status == 401) {
    return error(ErrorKind::kDenied,
                 url,
                 what + ": it does not know who asks",
                 "check that the kubelet's credentials have not expired");
  }
  if (status == 403) {
    return error(ErrorKind::kDenied,
                 url,
                 what + ": a node may read its own pods, these credentials may not",
                 "check the API server's --authorization-mode=Node and the kubeconfig");
  }
  return error(ErrorKind::kIo, url, what, kCheckServer);
}

/// NAME of a certificate of the user system:node:NAME. Absent for any other.
std::optional<std::string> node_of(const std::string& pem) {
  constexpr std::string_view kUser = "system:node:";
  const Certificate certificate = read_certificate(open_pem(pem).get());
  if (!certificate) {
    return std::nullopt;
  }
  const X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const X509_NAME_ENTRY* const entry =
      X509_NAME_get_entry(subject, X509_NAME_get_index_by_NID(subject, NID_commonName, -1));
  const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(entry);
  if (value == nullptr) {
    return std::nullopt;
  }
  const std::string_view name{reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                              static_cast<std::size_t>(ASN1_STRING_length(value))};
  if (!name.starts_with(kUser)) {
    return std::nullopt;
  }
  return std::string{name.substr(kUser.size())};
}

/// A DNS subdomain, as Kubernetes has it: nothing in it needs quoting in a URL.
bool is_node_name(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  return !name.empty() && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

Result<std::string> node_name(const Kubeconfig& kubeconfig,
                              const cgroup::Directory& root,
                              const std::vector<std::string>& kubelet_arguments,
                              const std::string& path) {
  Result<std::string> certificate = load(kubeconfig.certificate, root);
  if (!certificate) {
    return certificate;
  }
  const std::optional<std::string> name =
      certificate->empty() ? config::flag_value(kubelet_arguments, "hostname-override")
                           : node_of(*certificate);
  if (!name && !certificate->empty()) {
    return error(
        ErrorKind::kDenied,
        path,
        "its client certificate is not of a user system:node:NAME, so the agent does not use it",
        "give the kubelet the credentials of its node");
  }
  if (!name || !is_node_name(*name)) {
    return error(ErrorKind::kAbsent,
                 path,
                 "neither a client certificate nor --hostname-override tells the node's name",
                 "start the kubelet with --hostname-override=NAME");
  }
  return *name;
}

Result<Kubeconfig> read_kubeconfig(const cgroup::Directory& root,
                                   const std::string& path,
                                   cgroup::Buffer& buffer) {
  const Result<std::string_view> text = root.read(path, buffer);
  if (!text) {
    return tl::unexpected{text.error()};
  }
  Result<Kubeconfig> kubeconfig = config::parse_kubeconfig(*text, path);
  if (!kubeconfig) {
    kubeconfig.error().path = root.path_of(path);
  }
  return kubeconfig;
}

}  // namespace

Result<std::string> get(const Kubeconfig& kubeconfig,
                        const cgroup::Directory& root,
                        const std::string& path_and_query,
                        std::chrono::milliseconds timeout) {
  Result<Credentials> credentials = load_credentials(kubeconfig, root);
  if (!credentials) {
    return tl::unexpected{std::move(credentials.error())};
  }
  Transfer transfer{.url = kubeconfig.server + path_and_query,
                    .credentials = std::move(*credentials),
                    .timeout = timeout,
                    .headers = nullptr,
                    .body = {}};
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const Curl handle{ready == CURLE_OK ? curl_easy_init() : nullptr};
  CURLcode code = handle ? set_options(handle.get(), transfer) : CURLE_FAILED_INIT;
  if (code == CURLE_OK) {
    code = curl_easy_perform(handle.get());
  }
  if (code != CURLE_OK) {
    return transfer_error(handle.get(), code, transfer);
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    return status_error(status, transfer.url);
  }
  return std::move(transfer.body);
}

Result<std::vector<ApiPod>> read_own_pods(const cgroup::Directory& root,
                                          const std::vector<std::string>& kubelet_arguments,
                                          cgroup::Buffer& buffer) {
  const std::string path =
      config::flag_value(kubelet_arguments, "kubeconfig").value_or(std::string{});
  if (path.empty()) {
    return error(ErrorKind::kAbsent,
                 {},
                 "the kubelet has no --kubeconfig: no API server knows its pods",
                 "requests are learned from its checkpoint or estimated");
  }
  const Result<Kubeconfig> kubeconfig = read_kubeconfig(root, path, buffer);
  if (!kubeconfig) {
    return tl::unexpected{kubeconfig.error()};
  }
  const Result<std::string> node =
      node_name(*kubeconfig, root, kubelet_arguments, root.path_of(path));
  if (!node) {
    return tl::unexpected{node.error()};
  }
  // Version 0: what the server has in memory, without a look into etcd, as the kubelet itself asks.
  const std::string query =
      "/api/v1/pods?fieldSelector=spec.nodeName%3D" + *node + "&resourceVersion=0";
  const Result<std::string> answer = get(*kubeconfig, root, query, kTimeout);
  if (!answer) {
    return tl::unexpected{answer.error()};
  }
  Result<std::vector<ApiPod>> pods = parse_pod_list(*answer);
  if (!pods) {
    pods.error().path = kubeconfig->server + query;
  }
  return pods;
}

}  // namespace eviction::agent
