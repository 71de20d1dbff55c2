// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cgroup/result.h"

namespace eviction::agent {

/// PEM, not file names.
struct ServerTls {
  std::string certificate;       ///< with those between it and its authority
  std::string key;               ///< without a password
  std::string client_authority;  ///< empty: clients need no certificate

  bool operator==(const ServerTls&) const = default;
};

/// Errors: kMalformed when one of the three is not what it should be, or key and certificate do not
/// belong together; what names the part.
[[nodiscard]] Result<void> check(const ServerTls& tls);

/// Whether the peer of a GnuTLS session has shown a certificate that its authority signed for
/// clients. session: a gnutls_session_t.
[[nodiscard]] bool has_client_certificate(void* session);

}  // namespace eviction::agent
