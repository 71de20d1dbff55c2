// SPDX-License-Identifier: Apache-2.0
//
// What a client may do to the server of the metrics, and what it gets for it.
#include "agent/http_server.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/served.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

class HttpServerTest : public tests::Served {
 protected:
  void SetUp() override {
    configure();
    walk();
  }

  /// Others are served, and soon.
  void expect_alive() {
    const auto begin = Clock::now();
    EXPECT_EQ(get("/metrics").status, 200);
    EXPECT_LT(Clock::now() - begin, seconds{2});
  }

  std::string exchange(const std::string& request) {
    const Descriptor client = connect();
    say(client, request);
    return hear(client);
  }
};

TEST_F(HttpServerTest, TakesGetAndHeadOnly) {
  EXPECT_THAT(exchange("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 200 "), testing::EndsWith("\r\n\r\n")));
  EXPECT_THAT(exchange("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")));
  EXPECT_THAT(exchange("GET /metrics?a=b HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1."));
}

TEST_F(HttpServerTest, RefusesGarbage) {
  for (const std::string& garbage : {std::string{"\r\n\r\n\r\n\r\n"},
                                     std::string{"GET\r\n\r\n"},
                                     std::string(3000, '\0'),
                                     std::string(3000, '\xff') + "\r\n\r\n",
                                     std::string{"GET / HTTP/9.9\r\n\r\n"},
                                     std::string{"GET / HTTP/1.1\r\n: :\r\n \r\n\r\n"}}) {
    const Descriptor client = connect();
    say(client, garbage);
    ::shutdown(client.get(), SHUT_WR);
    const std::string heard = hear(client);
    EXPECT_TRUE(heard.empty() || heard.starts_with("HTTP/1.")) << heard;
  }
  expect_alive();
}

TEST_F(HttpServerTest, RefusesAHugeHeader) {
  const std::string heard =
      exchange("GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + std::string(200'000, 'a') + "\r\n\r\n");
  EXPECT_TRUE(heard.empty() || heard.starts_with("HTTP/1.1 431") ||
              heard.starts_with("HTTP/1.1 413"))
      << heard.substr(0, 100);
  const std::string many = exchange("GET /" + std::string(100'000, 'b') + " HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(many.empty() || many.starts_with("HTTP/1.1 4")) << many.substr(0, 100);
  expect_alive();
}

TEST_F(HttpServerTest, ServesManyAtOnceAndMoreLater) {
  constexpr int kClients = 200;
  std::vector<Descriptor> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(connect());
  }
  for (const Descriptor& client : clients) {
    say(client, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  int served = 0;
  for (const Descriptor& client : clients) {
    served += hear(client).starts_with("HTTP/1.1 200 ") ? 1 : 0;
  }
  EXPECT_GE(served, 16);
  expect_alive();
}

TEST_F(HttpServerTest, EndsASlowClient) {
  const Descriptor silent = connect();
  const Descriptor slow = connect();
  const auto begin = Clock::now();
  say(slow, "GET /metrics HTTP/1.1\r\nX: ");
  std::array<char, 16> nothing{};
  // A byte each half second, which would keep any limit of idle time from running out.
  const timeval patience{.tv_sec = 0, .tv_usec = 500'000};
  ::setsockopt(slow.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  while (::recv(slow.get(), nothing.data(), nothing.size(), 0) < 0 &&
         (errno == EAGAIN || errno == EINTR) && Clock::now() - begin < seconds{30}) {
    say(slow, "a");
  }
  const auto lasted = Clock::now() - begin;
  EXPECT_GE(lasted, HttpServer::kLongest - seconds{1});
  EXPECT_LE(lasted, HttpServer::kLongest + seconds{5});
  EXPECT_EQ(hear(silent), "");
  expect_alive();
}

TEST_F(HttpServerTest, EndsAtOnceWithOpenConnections) {
  const Descriptor silent = connect();
  const Descriptor half = connect();
  say(half, "GET /metrics HT");
  expect_alive();
  const auto begin = Clock::now();
  on_loop([this] { exporter_.reset(); });
  EXPECT_LT(Clock::now() - begin, seconds{1});
  EXPECT_EQ(hear(silent), "");
  EXPECT_EQ(hear(half), "");
}

TEST_F(HttpServerTest, SurvivesTlsOnAPlainPort) {
  const tests::Authority authority{"a"};
  Tls tls;
  tls.authority = authority.pem();
  EXPECT_EQ(get("/metrics", tls).status, 0);
  expect_alive();
}

class HttpsServerTest : public HttpServerTest {
 protected:
  void SetUp() override {
    const tests::Identity identity = authority_.issue({"node", "IP:127.0.0.1"});
    tree_.file("tls.crt", identity.certificate).file("tls.key", identity.key);
    config_.metrics_tls_certificate = tree_.path("tls.crt");
    config_.metrics_tls_key = tree_.path("tls.key");
    HttpServerTest::SetUp();
  }

  tests::TemporaryTree tree_;
  tests::Authority authority_{"metrics"};
};

TEST_F(HttpsServerTest, SurvivesPlainTextAndSilenceOnATlsPort) {
  const std::string heard = exchange("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(heard, testing::Not(HasSubstr("eviction_agent")));
  std::vector<Descriptor> silent;
  for (int i = 0; i < 10; ++i) {
    silent.push_back(connect());
  }
  Tls tls;
  tls.authority = authority_.pem();
  EXPECT_EQ(get("/metrics", tls).status, 200);
  const auto begin = Clock::now();
  on_loop([this] { exporter_.reset(); });
  EXPECT_LT(Clock::now() - begin, seconds{1});
}

}  // namespace
}  // namespace eviction::agent
