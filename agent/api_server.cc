// SPDX-License-Identifier: Apache-2.0
#include "agent/api_server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "agent/http.h"
#include "cgroup/owned.h"
#include "config/kubelet_config.h"

namespace eviction::agent {
namespace {

using config::Kubeconfig;

/// A node's own pods come from the server's memory: what takes longer is not worth waiting for.
constexpr std::chrono::seconds kTimeout{5};

using Bio = Owned<BIO, &BIO_free_all>;
using Certificate = Owned<X509, &X509_free>;

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

/// What a kubeconfig names, read.
struct Credentials {
  Tls tls;
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
  if (token->empty() && kubeconfig.token_file.empty()) {
    return token;
  }
  std::optional<std::string> plain = parse_token(*token);
  if (!plain) {
    return error(ErrorKind::kMalformed,
                 kubeconfig.token_file,
                 "the kubeconfig's token is empty or has characters that no token has",
                 "the kubelet cannot use it either: write it anew");
  }
  return std::move(*plain);
}

Result<Credentials> load_credentials(const Kubeconfig& kubeconfig, const cgroup::Directory& root) {
  Credentials loaded;
  const std::array<std::pair<const config::Pem*, std::string*>, 3> parts{
      {{&kubeconfig.authority, &loaded.tls.authority},
       {&kubeconfig.certificate, &loaded.tls.certificate},
       {&kubeconfig.key, &loaded.tls.key}}};
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

constexpr const char* kCheckServer =
    "check that the API server runs and can be reached from this node";

/// What an operator does about it.
const char* remedy_for(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kServerCertificate:
      return "compare it with the kubeconfig's certificate authority and server, and with the "
             "clock";
    case HttpProblem::kNoSession:
      return "check that the kubeconfig's server is an API server with a certificate of its "
             "authority";
    case HttpProblem::kAuthority:
      return "the kubelet cannot use this kubeconfig either: write it anew";
    case HttpProblem::kClientCertificate:
      return "compare the kubeconfig's client certificate and key, and their dates, with what the "
             "kubelet uses";
    case HttpProblem::kTooLong:
      return "check that the kubeconfig's server is an API server";
    case HttpProblem::kNoHost:
    case HttpProblem::kNoConnection:
    case HttpProblem::kNoAnswer:
    case HttpProblem::kOther:
      return kCheckServer;
  }
  return kCheckServer;
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
                 what + ": a node may read itself and its own pods, these credentials may not",
                 "check the API server's --authorization-mode=Node and the kubeconfig");
  }
  return error(ErrorKind::kIo, url, what, kCheckServer);
}

/// NAME of a certificate of the user system:node:NAME. Absent for any other.
std::optional<std::string> node_of(const std::string& pem) {
  constexpr std::string_view kUser = "system:node:";
  const Bio text{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  const Certificate certificate{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)};
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

/// Where the node's kubelet is known, and as what.
struct NodeIdentity {
  Kubeconfig kubeconfig;
  std::string node;
};

Result<NodeIdentity> read_identity(const cgroup::Directory& root,
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
  Result<Kubeconfig> kubeconfig = read_kubeconfig(root, path, buffer);
  if (!kubeconfig) {
    return tl::unexpected{std::move(kubeconfig.error())};
  }
  Result<std::string> node = node_name(*kubeconfig, root, kubelet_arguments, root.path_of(path));
  if (!node) {
    return tl::unexpected{std::move(node.error())};
  }
  return NodeIdentity{std::move(*kubeconfig), std::move(*node)};
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
  HttpRequest request{.url = kubeconfig.server + path_and_query,
                      .headers = {"Accept: application/json"},
                      .timeout = timeout,
                      .limit = kAnswerLimit,
                      .tls = std::move(credentials->tls),
                      .socket = {},
                      .body = {}};
  if (!credentials->token.empty()) {
    request.headers.push_back("Authorization: Bearer " + credentials->token);
  }
  auto answer = send(request);
  if (!answer) {
    Error& error = answer.error().error;
    if (error.remedy.empty()) {
      error.remedy = remedy_for(answer.error().problem);
    }
    return tl::unexpected{std::move(error)};
  }
  if (answer->status != 200) {
    return status_error(answer->status, request.url);
  }
  return std::move(answer->body);
}

Result<PodList> read_own_pods(const cgroup::Directory& root,
                              const std::vector<std::string>& kubelet_arguments,
                              cgroup::Buffer& buffer) {
  const Result<NodeIdentity> self = read_identity(root, kubelet_arguments, buffer);
  if (!self) {
    return tl::unexpected{self.error()};
  }
  // Version 0: what the server has in memory, without a look into etcd, as the kubelet itself asks.
  const std::string query =
      "/api/v1/pods?fieldSelector=spec.nodeName%3D" + self->node + "&resourceVersion=0";
  const Result<std::string> answer = get(self->kubeconfig, root, query, kTimeout);
  if (!answer) {
    return tl::unexpected{answer.error()};
  }
  Result<PodList> pods = parse_pod_list(*answer);
  if (!pods) {
    pods.error().path = self->kubeconfig.server + query;
  }
  return pods;
}

Result<std::string> read_own_node(const cgroup::Directory& root,
                                  const std::vector<std::string>& kubelet_arguments,
                                  cgroup::Buffer& buffer) {
  const Result<NodeIdentity> self = read_identity(root, kubelet_arguments, buffer);
  if (!self) {
    return tl::unexpected{self.error()};
  }
  return get(self->kubeconfig, root, "/api/v1/nodes/" + self->node, kTimeout);
}

}  // namespace eviction::agent
