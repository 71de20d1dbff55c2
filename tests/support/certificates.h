// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace eviction::tests {

/// A certificate and its key in PEM.
struct Identity {
  std::string certificate;
  std::string key;
};

/// What a certificate says. Valid from begin to end, in seconds from now.
struct Subject {
  std::string common_name;
  std::string alternative_names;  ///< as openssl has it, "IP:127.0.0.1"; empty for none
  long begin = -3600;
  long end = 3600;
};

/// A certificate authority that lives as long as a test.
class Authority {
 public:
  explicit Authority(const std::string& name) : key_{make_key()} {
    certificate_ = build(Subject{name, ""}, key_.get(), nullptr);
  }

  [[nodiscard]] std::string pem() const { return pem_of(certificate_.get()); }

  [[nodiscard]] Identity issue(const Subject& subject) const {
    const Key key = make_key();
    const Certificate certificate = build(subject, key.get(), certificate_.get());
    return {pem_of(certificate.get()), pem_of(key.get(), nullptr)};
  }

  /// The same key behind a password.
  [[nodiscard]] static std::string encrypt(const std::string& key_pem, const char* password) {
    const Bio in{BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())), &BIO_free_all};
    const Key key{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
    return pem_of(key.get(), password);
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

  static void must(bool done) {
    if (!done) {
      std::abort();
    }
  }

  static Key make_key() {
    Key key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
    must(key != nullptr);
    return key;
  }

  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  /// issuer: null for an authority, which signs itself.
  Certificate build(const Subject& subject, EVP_PKEY* key, X509* issuer) const {
    Certificate certificate{X509_new(), &X509_free};
    X509* const raw = certificate.get();
    must(raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(raw), 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(raw), subject.begin) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(raw), subject.end) != nullptr &&
         X509_set_pubkey(raw, key) == 1 &&
         X509_NAME_add_entry_by_txt(
             X509_get_subject_name(raw),
             "CN",
             MBSTRING_UTF8,
             reinterpret_cast<const unsigned char*>(subject.common_name.c_str()),
             -1,
             -1,
             0) == 1 &&
         X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer)) == 1);
    if (issuer == nullptr) {
      extend(raw, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (!subject.alternative_names.empty()) {
      extend(raw, NID_subject_alt_name, subject.alternative_names);
    }
    must(X509_sign(raw, key_.get(), EVP_sha256()) != 0);
    return certificate;
  }

  static std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
  }

  static std::string pem_of(X509* certificate) {
    const Bio bio{BIO_new(BIO_s_mem()), &BIO_free_all};
    must(PEM_write_bio_X509(bio.get(), certificate) == 1);
    return text_of(bio.get());
  }

  static std::string pem_of(EVP_PKEY* key, const char* password) {
    const Bio bio{BIO_new(BIO_s_mem()), &BIO_free_all};
    must(PEM_write_bio_PKCS8PrivateKey(bio.get(),
                                       key,
                                       password == nullptr ? nullptr : EVP_aes_256_cbc(),
                                       nullptr,
                                       0,
                                       nullptr,
                                       const_cast<char*>(password)) == 1);  // NOLINT(*-const-cast)
    return text_of(bio.get());
  }

  Key key_;
  Certificate certificate_{nullptr, &X509_free};
};

}  // namespace eviction::tests
