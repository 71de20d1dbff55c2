// SPDX-License-Identifier: Apache-2.0
#include "agent/server_files.h"

#include "cgroup/directory.h"

namespace eviction::agent {

namespace {

/// Empty when no file is named, and only then: an empty file must not pass for none.
Result<std::string> read_file(const cgroup::Directory& root, const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{1} << 20;
  if (path.empty()) {
    return {};
  }
  cgroup::Buffer buffer;  // of its own: no key stays behind in what other readers share
  const Result<std::string_view> text = root.read(path, buffer, kLargest);
  if (!text) {
    return tl::unexpected{text.error()};
  }
  if (text->empty()) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = path,
                                .what = "the file is empty",
                                .remedy = "write it, or take it out of [metrics]"}};
  }
  return std::string{*text};
}

}  // namespace

Result<ServerFiles> read_server_files(const config::AgentConfig& config) {
  ServerFiles files;
  const Result<cgroup::Directory> root = cgroup::Directory::open("/");
  if (!root) {
    return tl::unexpected{root.error()};
  }
  if (!config.metrics_tls_certificate.empty()) {
    auto certificate = read_file(*root, config.metrics_tls_certificate);
    auto key = read_file(*root, config.metrics_tls_key);
    auto authority = read_file(*root, config.metrics_tls_client_ca);
    for (const auto* text : {&certificate, &key, &authority}) {
      if (!*text) {
        return tl::unexpected{text->error()};
      }
    }
    files.tls = ServerTls{std::move(*certificate), std::move(*key), std::move(*authority)};
  }
  if (!config.metrics_basic_auth_file.empty()) {
    auto passwords = read_file(*root, config.metrics_basic_auth_file);
    if (!passwords) {
      return tl::unexpected{passwords.error()};
    }
    files.passwords = std::move(*passwords);
  }
  return files;
}

}  // namespace eviction::agent
