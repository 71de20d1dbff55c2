// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::config {

/// PEM that a kubeconfig holds, or else the file that has it. Both are empty when it gives none.
struct Pem {
  std::string text;
  std::string file;  ///< a path on the node
};

/// What the current context of a kubeconfig says of the API server and of who asks.
struct Kubeconfig {
  std::string server;      ///< "https://HOST[:PORT][/PATH]" without a '/' at its end
  Pem authority;           ///< who signed the server's certificate; never both empty
  Pem certificate;         ///< of the client; both empty without one
  Pem key;                 ///< both empty without a certificate, and only then
  std::string token;       ///< empty without one
  std::string token_file;  ///< a path on the node, goes before token; empty without one
};

/// Reads a kubeconfig (YAML or JSON). path is the file's on the node: relative names in the file
/// start from its folder. A result has a certificate with its key, a token or a token file.
/// Errors: kMalformed; kUnsupported for what the kubelet can do and the agent refuses: a server
/// that is not to be verified or not named by https, a proxy, another server name, an exec or
/// auth-provider plugin, impersonation, no credentials.
/// Source: client-go v1.36 tools/clientcmd/api/v1/types.go, conversion.go.
[[nodiscard]] Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& path);

}  // namespace eviction::config
