// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_health.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/stream_server.h"
#include "tests/support/tls_server.h"

namespace eviction::agent {
namespace {

using config::Setting;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using tests::LoopbackSocket;
using tests::StreamServer;

constexpr std::chrono::seconds kLong{60};
constexpr std::chrono::milliseconds kShort{200};

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

StreamServer::Options answering(const LoopbackSocket& socket, std::string text) {
  return {.socket = socket.fd(),
          .is_request =
              [](std::string_view sent) { return sent.find("\r\n\r\n") != std::string_view::npos; },
          .answers = {std::move(text)}};
}

Kubelet kubelet_at(const std::string& port) {
  Kubelet kubelet;
  kubelet.loaded.settings.healthz_port = Setting{port, "/c.yaml"};
  return kubelet;
}

Kubelet kubelet_at(const LoopbackSocket& socket) {
  return kubelet_at(std::to_string(socket.port()));
}

TEST(KubeletHealth, IsOk) {
  const LoopbackSocket socket;
  const StreamServer server{answering(socket, answer("200 OK", "ok"))};
  const Result<KubeletHealth> health = kubelet_health(kubelet_at(socket), kLong);
  ASSERT_TRUE(health) << to_text(health.error());
  EXPECT_TRUE(health->healthy) << health->reason;
  EXPECT_EQ(health->reason, "");
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith("GET /healthz HTTP/1.1\r\n")));
}

struct Sick {
  const char* name;
  std::string text;
  const char* reason;
};

const std::vector<Sick> kSick = {
    {"Failed", answer("500 Internal Server Error", "[-]syncloop failed"), "syncloop failed"},
    {"OtherStatus", answer("201 Created", "ok"), "status 201"},
    {"OtherBody", answer("200 OK", "fine"), "\"fine\""},
    {"LongerBody", answer("200 OK", "ok?"), "\"ok?\""},
    {"Nothing", "", "request failed"},
    {"Garbage", "SSH-2.0-OpenSSH_9.2\r\n", "request failed"},
    {"Redirect",
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
     "status 302"},
    {"CutBody", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "request failed"},
    {"TooLong", answer("200 OK", std::string((64U << 10) + 1, 'o')), "longer than 64 KiB"},
    {"TooManyHeaders",
     "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'a') + "\r\nContent-Length: 2\r\n\r\nok",
     "Failed writing header"},
};

class SickKubelets : public testing::TestWithParam<Sick> {};

TEST_P(SickKubelets, AreNotHealthyAndSayWhy) {
  const LoopbackSocket socket;
  const StreamServer server{answering(socket, GetParam().text)};
  const Result<KubeletHealth> health = kubelet_health(kubelet_at(socket), kLong);
  ASSERT_TRUE(health) << to_text(health.error());
  EXPECT_FALSE(health->healthy);
  EXPECT_THAT(health->reason, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(, SickKubelets, testing::ValuesIn(kSick), [](const auto& test) {
  return std::string{test.param.name};
});

TEST(KubeletHealth, IsNotOkWhereNobodyListens) {
  const LoopbackSocket socket;
  const Result<KubeletHealth> health = kubelet_health(kubelet_at(socket), kLong);
  ASSERT_TRUE(health);
  EXPECT_FALSE(health->healthy);
  EXPECT_THAT(health->reason, HasSubstr("Connection refused"));
}

TEST(KubeletHealth, IsNotOkWhenItComesLate) {
  const LoopbackSocket socket;
  StreamServer::Options options = answering(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  options.hang = true;
  const StreamServer server{options};
  const Result<KubeletHealth> health = kubelet_health(kubelet_at(socket), kShort);
  ASSERT_TRUE(health);
  EXPECT_FALSE(health->healthy);
  EXPECT_THAT(health->reason, HasSubstr("in time"));
}

TEST(KubeletHealth, IsAskedForAtTheKubeletsAddress) {
  for (const char* address : {"127.0.0.1", "0.0.0.0"}) {
    const LoopbackSocket socket;
    const StreamServer server{answering(socket, answer("200 OK", "ok"))};
    Kubelet kubelet = kubelet_at(socket);
    kubelet.loaded.settings.healthz_bind_address = Setting{address, "--healthz-bind-address"};
    EXPECT_TRUE(kubelet_health(kubelet, kLong)->healthy) << address;
  }
  if (!LoopbackSocket{AF_INET6}.valid()) {
    GTEST_SKIP() << "this machine has no ::1";
  }
  for (const char* address : {"::1", "::"}) {
    const LoopbackSocket socket{AF_INET6};
    const StreamServer server{answering(socket, answer("200 OK", "ok"))};
    Kubelet kubelet = kubelet_at(socket);
    kubelet.loaded.settings.healthz_bind_address = Setting{address, "--healthz-bind-address"};
    EXPECT_TRUE(kubelet_health(kubelet, kLong)->healthy) << address;
  }
}

TEST(KubeletHealth, CannotBeAskedForWhenSwitchedOff) {
  const Result<KubeletHealth> health = kubelet_health(kubelet_at("0"), kLong);
  ASSERT_FALSE(health);
  EXPECT_EQ(health.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(health.error().path, "/c.yaml");
  EXPECT_NE(health.error().remedy, "");
}

TEST(KubeletHealth, CannotBeAskedForAtWhatIsNoAddress) {
  for (const char* port : {"", "-1", "65536", "1 ", "0x50", "99999999999999999999"}) {
    EXPECT_EQ(kubelet_health(kubelet_at(port), kLong).error().kind, ErrorKind::kMalformed) << port;
  }
  for (const char* address : {"localhost", "127.0.0.1/x", "[::1]", "1.2.3", "a@b", ""}) {
    Kubelet kubelet = kubelet_at("1");
    kubelet.loaded.settings.healthz_bind_address = Setting{address, "f"};
    EXPECT_EQ(kubelet_health(kubelet, kLong).error().kind, ErrorKind::kMalformed) << address;
  }
}

}  // namespace
}  // namespace eviction::agent
