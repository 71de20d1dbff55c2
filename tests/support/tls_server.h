// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tests/support/certificates.h"

namespace eviction::tests {

/// A TCP socket of the loopback interface on a free port; valid() is false where the machine has no
/// such address.
class LoopbackSocket {
 public:
  explicit LoopbackSocket(int family = AF_INET)
      : fd_{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address =
        family == AF_INET6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
    socklen_t size = family == AF_INET6 ? sizeof six : sizeof four;
    valid_ = fd_ >= 0 && ::bind(fd_, address, size) == 0 && ::getsockname(fd_, address, &size) == 0;
    port_ = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
  }

  ~LoopbackSocket() { ::close(fd_); }

  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;
  LoopbackSocket(LoopbackSocket&&) = delete;
  LoopbackSocket& operator=(LoopbackSocket&&) = delete;

  /// Without it connections are refused.
  void listen() const { ::listen(fd_, 8); }

  [[nodiscard]] bool valid() const { return valid_; }

  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] int port() const { return port_; }

 private:
  int fd_;
  bool valid_ = false;
  int port_ = 0;
};

/// A TLS server in a thread of its own, that answers each request with the same bytes.
class TlsServer {
 public:
  struct Options {
    Identity identity;
    std::string answer;            ///< the whole of it, status line and headers included
    bool hang = false;             ///< after the answer, until the client leaves
    std::string client_authority;  ///< PEM; empty: clients are not asked for a certificate
    bool client_must = false;      ///< have a certificate
    int family = AF_INET;
  };

  explicit TlsServer(Options options) : options_{std::move(options)}, socket_{options_.family} {
    socket_.listen();
    thread_ = std::thread{[this] { serve(); }};
  }

  ~TlsServer() {
    ::shutdown(socket_.fd(), SHUT_RDWR);
    thread_.join();
  }

  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  TlsServer(TlsServer&&) = delete;
  TlsServer& operator=(TlsServer&&) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(socket_.port()); }

  /// Heads of the requests so far.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock{mutex_};
    return requests_;
  }

  /// The name in the last client's certificate; empty without one.
  [[nodiscard]] std::string client() const {
    const std::lock_guard lock{mutex_};
    return client_;
  }

 private:
  using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

  static Bio bio_of(const std::string& text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all};
  }

  [[nodiscard]] Context make_context() const {
    Context context{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free};
    X509* certificate =
        PEM_read_bio_X509(bio_of(options_.identity.certificate).get(), nullptr, nullptr, nullptr);
    EVP_PKEY* key =
        PEM_read_bio_PrivateKey(bio_of(options_.identity.key).get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context.get(), certificate);
    SSL_CTX_use_PrivateKey(context.get(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!options_.client_authority.empty()) {
      X509* authority =
          PEM_read_bio_X509(bio_of(options_.client_authority).get(), nullptr, nullptr, nullptr);
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority);
      X509_free(authority);
      const int must = options_.client_must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | must, nullptr);
    }
    return context;
  }

  void serve() {
    // In this thread only, so that a client that does not guard itself against SIGPIPE still fails.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const Context context = make_context();
    while (true) {
      const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      const Session session{SSL_new(context.get()), &SSL_free};
      SSL_set_fd(session.get(), fd);
      if (SSL_accept(session.get()) == 1) {
        converse(session.get());
      }
      ::close(fd);
    }
  }

  void converse(SSL* session) {
    std::string head;
    std::array<char, 4096> part{};
    const auto read = [&] {
      const int size = SSL_read(session, part.data(), static_cast<int>(part.size()));
      head.append(part.data(), static_cast<std::size_t>(std::max(size, 0)));
      return size > 0;
    };
    while (head.find("\r\n\r\n") == std::string::npos) {
      if (!read()) {
        return;
      }
    }
    remember(session, head);
    std::size_t sent = 0;
    if (options_.answer.empty() ||
        SSL_write_ex(session, options_.answer.data(), options_.answer.size(), &sent) == 1) {
      while (options_.hang && read()) {
      }
      SSL_shutdown(session);
    }
  }

  void remember(SSL* session, const std::string& head) {
    const std::lock_guard lock{mutex_};
    requests_.push_back(head);
    std::array<char, 256> name{};
    X509* const certificate = SSL_get1_peer_certificate(session);
    if (certificate != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                NID_commonName,
                                name.data(),
                                static_cast<int>(name.size()));
      X509_free(certificate);
    }
    client_ = name.data();
  }

  Options options_;
  LoopbackSocket socket_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::string client_;
  std::thread thread_;
};

}  // namespace eviction::tests
