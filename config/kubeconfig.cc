// SPDX-License-Identifier: Apache-2.0
#include "config/kubeconfig.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <yaml-cpp/yaml.h>

namespace eviction::config {
namespace {

constexpr std::string_view kScheme = "https://";

/// One kubeconfig being read. Errors of yaml-cpp leave it as exceptions.
class Reader {
 public:
  explicit Reader(std::string path) : path_{std::move(path)} {}

  [[nodiscard]] Result<Kubeconfig> read(const YAML::Node& document) const;

 private:
  [[nodiscard]] tl::unexpected<Error> refuse(ErrorKind kind,
                                             const YAML::Node& where,
                                             std::string what,
                                             std::string remedy) const;
  [[nodiscard]] Result<YAML::Node> find(const YAML::Node& list,
                                        const char* key,
                                        const std::string& name) const;
  [[nodiscard]] Result<std::string> read_server(const YAML::Node& cluster) const;
  [[nodiscard]] Result<Pem> read_pem(const YAML::Node& map, const std::string& key) const;
  [[nodiscard]] Result<Kubeconfig> read_user(const YAML::Node& user, Kubeconfig kubeconfig) const;
  [[nodiscard]] std::string absolute(std::string file) const;

  std::string path_;
};

/// Empty when the key is absent or null. Throws when it holds no scalar.
std::string scalar(const YAML::Node& map, const std::string& key) {
  const YAML::Node value = map[key];
  return value.IsDefined() && !value.IsNull() ? value.as<std::string>() : std::string{};
}

bool is_set(const YAML::Node& map, const char* key) {
  const YAML::Node value = map[key];
  return value.IsDefined() && !value.IsNull() && !(value.IsScalar() && value.Scalar().empty());
}

/// Standard base64 with its padding; line breaks are skipped, as Go does.
std::optional<std::string> decode_base64(std::string text) {
  text.erase(
      std::remove_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }),
      text.end());
  const std::size_t digits = std::min(text.find('='), text.size());
  const std::size_t padding = text.size() - digits;
  // EVP_DecodeBlock() reads '=' anywhere as a zero, and skips spaces at both ends.
  if (text.size() % 4 != 0 || padding > 2 ||
      text.find_first_not_of('=', digits) != std::string::npos ||
      text.find_first_of(" \t") != std::string::npos) {
    return std::nullopt;
  }
  std::string decoded(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length != static_cast<int>(decoded.size())) {
    return std::nullopt;
  }
  decoded.resize(decoded.size() - padding);
  return decoded;
}

tl::unexpected<Error> Reader::refuse(ErrorKind kind,
                                     const YAML::Node& where,
                                     std::string what,
                                     std::string remedy) const {
  const int line = where.IsDefined() ? where.Mark().line + 1 : 0;
  return tl::unexpected{Error{.kind = kind,
                              .path = path_,
                              .line = static_cast<std::size_t>(std::max(line, 0)),
                              .what = std::move(what),
                              .remedy = std::move(remedy)}};
}

/// What key holds in the one entry of the list with this name.
Result<YAML::Node> Reader::find(const YAML::Node& list,
                                const char* key,
                                const std::string& name) const {
  std::vector<YAML::Node> found;
  for (const YAML::Node& entry : list) {
    if (scalar(entry, "name") == name) {
      found.push_back(entry[key]);
    }
  }
  if (found.size() != 1 || !found.front().IsMap()) {
    return refuse(
        ErrorKind::kMalformed,
        list,
        std::string{found.size() > 1 ? "more than one " : "no "} + key + " named \"" + name + '"',
        "the kubelet cannot use the file either: write it anew");
  }
  return found.front();
}

Result<std::string> Reader::read_server(const YAML::Node& cluster) const {
  if (is_set(cluster, "insecure-skip-tls-verify") &&
      cluster["insecure-skip-tls-verify"].as<bool>()) {
    return refuse(ErrorKind::kUnsupported,
                  cluster["insecure-skip-tls-verify"],
                  "insecure-skip-tls-verify: the server would not be verified",
                  "name the cluster's certificate authority instead");
  }
  for (const char* key : {"proxy-url", "tls-server-name"}) {
    if (is_set(cluster, key)) {
      return refuse(ErrorKind::kUnsupported,
                    cluster[key],
                    std::string{key} + " is not supported by the agent",
                    "requests are learned from the kubelet's checkpoint or estimated");
    }
  }
  std::string server = scalar(cluster, "server");
  while (server.ends_with('/')) {
    server.pop_back();
  }
  const bool plain = std::all_of(server.begin(), server.end(), [](char c) {
    return c > ' ' && c < '\x7f' &&
           std::string_view{"@?#\\\"<>^`{|}"}.find(c) == std::string_view::npos;
  });
  if (!server.starts_with(kScheme) || server.size() == kScheme.size() || !plain) {
    const ErrorKind kind =
        server.starts_with("http://") ? ErrorKind::kUnsupported : ErrorKind::kMalformed;
    return refuse(kind,
                  cluster["server"],
                  "server \"" + server + "\" is no https address",
                  "write it like https://127.0.0.1:6443");
  }
  return server;
}

std::string Reader::absolute(std::string file) const {
  if (file.empty() || file.front() == '/') {
    return file;
  }
  return path_.substr(0, path_.rfind('/') + 1) + file;
}

/// key-data, which goes first, or the file that key names.
Result<Pem> Reader::read_pem(const YAML::Node& map, const std::string& key) const {
  const std::string data = scalar(map, key + "-data");
  if (data.empty()) {
    return Pem{{}, absolute(scalar(map, key))};
  }
  std::optional<std::string> text = decode_base64(data);
  if (!text || text->find("-----BEGIN ") == std::string::npos) {
    return refuse(ErrorKind::kMalformed,
                  map[key + "-data"],
                  key + "-data is no base64 of PEM",
                  "the kubelet cannot use the file either: write it anew");
  }
  return Pem{std::move(*text), {}};
}

Result<Kubeconfig> Reader::read_user(const YAML::Node& user, Kubeconfig kubeconfig) const {
  for (const char* key : {"exec", "auth-provider", "as"}) {
    if (is_set(user, key)) {
      return refuse(ErrorKind::kUnsupported,
                    user[key],
                    std::string{key} +
                        " is not supported: the agent runs no credential plugin and " +
                        "acts for nobody else",
                    "requests are learned from the kubelet's checkpoint or estimated");
    }
  }
  Result<Pem> certificate = read_pem(user, "client-certificate");
  Result<Pem> key = read_pem(user, "client-key");
  if (!certificate || !key) {
    return tl::unexpected(certificate ? key.error() : certificate.error());
  }
  const auto given = [](const Pem& pem) { return !pem.text.empty() || !pem.file.empty(); };
  if (given(*certificate) != given(*key)) {
    return refuse(ErrorKind::kMalformed,
                  user,
                  "of client-certificate and client-key only one is given",
                  "the kubelet cannot use the file either: write it anew");
  }
  kubeconfig.certificate = std::move(*certificate);
  kubeconfig.key = std::move(*key);
  kubeconfig.token = scalar(user, "token");
  kubeconfig.token_file = absolute(scalar(user, "tokenFile"));
  if (!given(kubeconfig.certificate) && kubeconfig.token.empty() && kubeconfig.token_file.empty()) {
    return refuse(ErrorKind::kUnsupported,
                  user,
                  "neither a client certificate nor a token",
                  "requests are learned from the kubelet's checkpoint or estimated");
  }
  return kubeconfig;
}

Result<Kubeconfig> Reader::read(const YAML::Node& document) const {
  const Result<YAML::Node> context =
      find(document["contexts"], "context", scalar(document, "current-context"));
  if (!context) {
    return tl::unexpected(context.error());
  }
  const Result<YAML::Node> cluster =
      find(document["clusters"], "cluster", scalar(*context, "cluster"));
  const Result<YAML::Node> user = find(document["users"], "user", scalar(*context, "user"));
  if (!cluster || !user) {
    return tl::unexpected(cluster ? user.error() : cluster.error());
  }
  Result<std::string> server = read_server(*cluster);
  Result<Pem> authority = read_pem(*cluster, "certificate-authority");
  if (!server || !authority) {
    return tl::unexpected(server ? authority.error() : server.error());
  }
  if (authority->text.empty() && authority->file.empty()) {
    return refuse(ErrorKind::kUnsupported,
                  *cluster,
                  "no certificate authority, so any public one could vouch for the server",
                  "name the cluster's own in certificate-authority");
  }
  return read_user(*user,
                   Kubeconfig{.server = std::move(*server),
                              .authority = std::move(*authority),
                              .certificate = {},
                              .key = {},
                              .token = {},
                              .token_file = {}});
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& path) {
  try {
    return Reader{path}.read(YAML::Load(std::string{text}));
  } catch (const YAML::Exception& exception) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kMalformed,
              .path = path,
              .line = static_cast<std::size_t>(std::max(exception.mark.line + 1, 0)),
              .what = "not a kubeconfig: " + exception.msg,
              .remedy = "the kubelet cannot use the file either: write it anew"}};
  }
}

}  // namespace eviction::config
