// SPDX-License-Identifier: Apache-2.0
#include "agent/container_runtime.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/http.h"
#include "cgroup/key_value.h"

namespace eviction::agent {
namespace {

constexpr const char* kRemedy = "see that the container runtime runs, and what it logs";

tl::unexpected<Error> refuse(ErrorKind kind, std::string path, std::string what) {
  return tl::unexpected{Error{.kind = kind,
                              .path = std::move(path),
                              .line = 0,
                              .what = std::move(what),
                              .remedy = kRemedy}};
}

std::string endpoint_of(const Kubelet& kubelet) {
  if (const auto& set = kubelet.loaded.settings.container_runtime_endpoint) {
    return set->value;
  }
  const bool own = kubelet.supervisor == "rke2" || kubelet.supervisor == "k3s";
  return own ? "unix:///run/k3s/containerd/containerd.sock"
             : "unix:///run/containerd/containerd.sock";
}

/// The path of "unix:///PATH", "unix:/PATH" or "/PATH"; and of "unix://unix:///PATH", as older RKE2
/// and k3s put the scheme before an endpoint that has it (source: k3s-io/k3s#2836), of which the
/// kubelet takes the path as well.
Result<std::string> socket_path(const std::string& endpoint) {
  std::string_view path = endpoint;
  for (const std::string_view scheme : {"unix://", "unix://", "unix:"}) {
    if (path.starts_with(scheme)) {
      path.remove_prefix(scheme.size());
    }
  }
  if (!path.starts_with('/')) {
    return refuse(ErrorKind::kUnsupported,
                  endpoint,
                  "the container runtime's endpoint is no Unix socket with an absolute path");
  }
  return std::string{path};
}

/// The folder of a socket and its name there. The folder stays open: a socket's address holds
/// 107 bytes, and a path through the descriptor is short.
struct Socket {
  cgroup::Directory folder;
  std::string name;
};

/// Follows links as if root were "/". What is not there in /var/run is looked for in /run: one is a
/// link to the other, and a container may have parts of /run alone. Source: FHS 3.0 section 5.13.
Result<Socket> find_socket(const cgroup::Directory& root, std::string path) {
  constexpr int kLinks = 8;
  if (path.starts_with("/var/run/") && !root.open_below(path.substr(0, path.rfind('/') + 1))) {
    path = path.substr(std::string_view{"/var"}.size());
  }
  for (int links = 0; links < kLinks; ++links) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = path.substr(0, slash + 1);
    Result<cgroup::Directory> opened = root.open_below(folder);
    if (!opened) {
      opened.error().remedy = kRemedy;
      return tl::unexpected{std::move(opened.error())};
    }
    const Result<std::string> link = root.read_link(path);
    if (!link) {  // most likely since it is none; if it is not there, connecting says so
      return Socket{std::move(*opened), path.substr(slash + 1)};
    }
    path = link->starts_with('/') ? *link : folder + *link;
  }
  return refuse(ErrorKind::kMalformed, root.path_of(path), "links that lead nowhere");
}

std::string header(const HttpAnswer& answer, const std::string& name) {
  const auto found = answer.headers.find(name);
  return found == answer.headers.end() ? std::string{} : found->second;
}

/// Calls Version of one version of the CRI.
Result<void> call_version(const Socket& socket,
                          const std::string& api,
                          std::chrono::milliseconds timeout) {
  constexpr std::size_t kLimit = std::size_t{64} << 10;
  const auto answer = send(HttpRequest{
      .url = "http://localhost/runtime." + api + ".RuntimeService/Version",
      .headers = {"Content-Type: application/grpc", "TE: trailers"},
      .timeout = timeout,
      .limit = kLimit,
      .tls = {},
      .socket = "/proc/self/fd/" + std::to_string(socket.folder.fd()) + '/' + socket.name,
      .http2 = true,
      .body = std::string(5, '\0')});  // not compressed, a message of 0 bytes
  const std::string path = socket.folder.path_of(socket.name);
  if (!answer) {
    const Error& error = answer.error().error;
    return refuse(error.kind, path, "the container runtime does not answer: " + error.what);
  }
  if (answer->status != 200 || !header(*answer, "content-type").starts_with("application/grpc")) {
    return refuse(ErrorKind::kIo,
                  path,
                  "this is no gRPC server: status " + std::to_string(answer->status) +
                      ", content type " + cgroup::quote(header(*answer, "content-type")));
  }
  const std::string status = header(*answer, "grpc-status");
  if (status != "0") {
    return refuse(ErrorKind::kIo,
                  path,
                  "the container runtime is not ready: grpc-status " + cgroup::quote(status) + ' ' +
                      cgroup::quote(header(*answer, "grpc-message")));
  }
  return {};
}

}  // namespace

Result<void> container_runtime_answers(const Kubelet& kubelet,
                                       const cgroup::Directory& root,
                                       std::chrono::milliseconds timeout) {
  const Result<Socket> socket =
      socket_path(endpoint_of(kubelet)).and_then([&root](const std::string& path) {
        return find_socket(root, path);
      });
  if (!socket) {
    return tl::unexpected{socket.error()};
  }
  // A runtime that knows only the other version may also reset the stream instead of saying so.
  const Result<void> answers = call_version(*socket, "v1", timeout);
  return answers || call_version(*socket, "v1alpha2", timeout) ? Result<void>{} : answers;
}

}  // namespace eviction::agent
