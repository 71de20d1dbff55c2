// SPDX-License-Identifier: Apache-2.0
#include "agent/server_tls.h"

#include <memory>
#include <utility>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cgroup/owned.h"

namespace eviction::agent {

namespace {

using Credentials = Owned<gnutls_certificate_credentials_st, &gnutls_certificate_free_credentials>;

gnutls_datum_t datum(const std::string& text) {
  // GnuTLS does not write to it.
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),  // NOLINT(*-const-cast)
          static_cast<unsigned>(text.size())};
}

tl::unexpected<Error> unusable(const std::string& what, int code, std::string remedy) {
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = {},
                              .what = what + ": " + gnutls_strerror(code),
                              .remedy = std::move(remedy)}};
}

}  // namespace

Result<void> check(const ServerTls& tls) {
  gnutls_certificate_credentials_t raw = nullptr;
  if (const int code = gnutls_certificate_allocate_credentials(&raw); code < 0) {
    return unusable("TLS", code, {});
  }
  const Credentials credentials{raw};
  const gnutls_datum_t certificate = datum(tls.certificate);
  const gnutls_datum_t key = datum(tls.key);
  if (const int code =
          gnutls_certificate_set_x509_key_mem(raw, &certificate, &key, GNUTLS_X509_FMT_PEM);
      code < 0) {
    return unusable("[metrics] tls-certificate and tls-key cannot be used",
                    code,
                    "give a certificate and its key in PEM, the key without a password");
  }
  if (tls.client_authority.empty()) {
    return {};
  }
  const gnutls_datum_t authority = datum(tls.client_authority);
  const int count = gnutls_certificate_set_x509_trust_mem(raw, &authority, GNUTLS_X509_FMT_PEM);
  if (count <= 0) {
    return unusable("[metrics] tls-client-ca cannot be used",
                    count < 0 ? count : GNUTLS_E_NO_CERTIFICATE_FOUND,
                    "give the certificates of authorities in PEM");
  }
  return {};
}

bool has_client_certificate(void* session) {
  static std::string purpose{GNUTLS_KP_TLS_WWW_CLIENT};
  gnutls_typed_vdata_st wanted{.type = GNUTLS_DT_KEY_PURPOSE_OID,
                               .data = reinterpret_cast<unsigned char*>(purpose.data()),
                               .size = 0};
  unsigned status = 0;
  const int code =
      gnutls_certificate_verify_peers(static_cast<gnutls_session_t>(session), &wanted, 1, &status);
  return code == GNUTLS_E_SUCCESS && status == 0;
}

}  // namespace eviction::agent
