// SPDX-License-Identifier: Apache-2.0
#include "agent/value_proof.h"

#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/certificates.h"
#include "tests/support/temporary_tree.h"
#include "tests/support/tls_server.h"

namespace eviction::agent {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace): nothing but literals
using config::MemoryEviction;
using config::Setting;
using config::SettingMap;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Authority;
using tests::TlsServer;
using State = Proof::State;

constexpr std::chrono::seconds kLong{60};
constexpr const char* kFile = "/data/agent/etc/kubelet.conf.d/60-eviction-agent.conf";

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string configz(const std::string& hard) {
  return answer("200 OK",
                R"({"kubeletconfig": {"evictionHard": {"memory.available": ")" + hard +
                    R"(", "nodefs.available": "5%"}}})");
}

std::string node(const std::string& allocatable) {
  return answer("200 OK",
                R"({"kind": "Node", "status": {"capacity": {"memory": "4Gi",
                   "hugepages-2Mi": "96Mi"}, "allocatable": {"memory": ")" +
                    allocatable + R"("}}})");
}

/// Of a process that starts that much later than now, in clock ticks since boot.
unsigned long long start_in(std::chrono::seconds later) {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  const long ticks = (time.tv_sec + later.count()) * ::sysconf(_SC_CLK_TCK);
  return static_cast<unsigned long long>(ticks);
}

/// An RKE2 node whose drop-in sets a hard threshold of 700Mi, and a kubelet younger than that.
class ValueProof : public testing::Test {
 protected:
  ValueProof() {
    tree_.file(kFile + 1, "").file("data/agent/server-ca.crt", authority_.pem());
    tree_.file("token", "a.b-c\n");
    kubelet_.supervisor = "rke2";
    kubelet_.arguments = {"--config-dir=/data/agent/etc/kubelet.conf.d"};
    kubelet_.target = Target::kRke2Dropin;
    kubelet_.file = kFile;
    kubelet_.start = start_in(std::chrono::seconds{60});
    kubelet_.loaded.settings.eviction_hard = SettingMap{{"memory.available", {"700Mi", kFile}}};
    kubelet_.loaded.settings.port = Setting{"1", "f"};
  }

  [[nodiscard]] TlsServer::Options answering(std::string text) const {
    return {.identity = authority_.issue({"server", "IP:127.0.0.1"}),
            .answer = std::move(text),
            .client_authority = authority_.pem()};
  }

  void use_configz(const TlsServer& server) {
    kubelet_.loaded.settings.port = Setting{server.port(), "f"};
    token_ = tree_.path("token");
  }

  void use_api_server(const TlsServer& server) {
    const tests::Identity identity = authority_.issue({"system:node:node-1", ""});
    tree_.file("data/agent/client.crt", identity.certificate)
        .file("data/agent/client.key", identity.key)
        .file("data/agent/kubelet.kubeconfig",
              "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
              "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:" +
                  server.port() +
                  "', certificate-authority: server-ca.crt}}]\n"
                  "users: [{name: u, user: {client-certificate: client.crt, client-key: "
                  "client.key}}]\n");
    kubelet_.arguments.emplace_back("--kubeconfig=/data/agent/kubelet.kubeconfig");
  }

  [[nodiscard]] Proof prove(const MemoryEviction& wanted = {700_MiB, {}, {}}) const {
    return prove_value(kubelet_, wanted, root_, token_, kLong);
  }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
  Authority authority_{"cluster"};
  Kubelet kubelet_;
  std::string token_;
};

MATCHER_P3(Is, state, source, reason, "") {
  *result_listener << arg.source << ": " << arg.reason;
  return arg.state == state && arg.source.find(source) != std::string::npos &&
         arg.reason.find(reason) != std::string::npos;
}

TEST_F(ValueProof, IsTheKubeletsOwnWord) {
  const TlsServer server{answering(configz("734003200"))};  // 700 * 2^20
  use_configz(server);
  EXPECT_THAT(prove(), Is(State::kInForce, "/configz", "734003200"));
  EXPECT_THAT(server.requests(),
              ElementsAre(testing::AllOf(testing::StartsWith("GET /configz HTTP/1.1\r\n"),
                                         HasSubstr("\r\nAuthorization: Bearer a.b-c\r\n"))));
}

TEST_F(ValueProof, OfAnotherValueInForce) {
  const TlsServer server{answering(configz("100Mi"))};
  use_configz(server);
  EXPECT_THAT(prove(), Is(State::kOther, "/configz", "evictionHard memory.available is \"100Mi\""));
  kubelet_.start = start_in(std::chrono::seconds{-60});
  EXPECT_THAT(prove(), Is(State::kNotYet, "/configz", "100Mi"));
}

TEST_F(ValueProof, LooksAtWhatTheKubeletHasTooMuch) {
  const TlsServer server{answering(configz("700Mi"))};
  use_configz(server);
  kubelet_.loaded.settings.eviction_hard.reset();
  kubelet_.loaded.settings.eviction_soft = SettingMap{{"memory.available", {"1Gi", kFile}}};
  const Proof proof = prove({{}, 1_GiB, {}});
  EXPECT_THAT(
      proof,
      Is(State::kOther, "/configz", "evictionHard memory.available is \"700Mi\", not set is due"));
  EXPECT_THAT(proof.reason, HasSubstr("evictionSoft memory.available is not set"));
}

struct Silent {
  const char* name;
  std::string text;
  const char* reason;
};

const std::vector<Silent> kSilent = {
    {"Unauthorized", answer("401 Unauthorized", ""), "401"},
    {"Forbidden", answer("403 Forbidden", ""), "nodes/configz"},
    {"NotFound", answer("404 Not Found", ""), "404"},
    {"Malformed", answer("200 OK", "<html>"), "not JSON"},
    {"Cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "request failed"},
};

class SilentKubelets : public ValueProof, public testing::WithParamInterface<Silent> {};

TEST_P(SilentKubelets, LeaveItToTheNextSource) {
  const TlsServer server{answering(GetParam().text)};
  use_configz(server);
  const Proof proof = prove();
  EXPECT_THAT(proof, Is(State::kInForce, "files and flags", GetParam().reason));
  EXPECT_THAT(proof.reason, HasSubstr("--kubeconfig"));
}

INSTANTIATE_TEST_SUITE_P(, SilentKubelets, testing::ValuesIn(kSilent), [](const auto& test) {
  return std::string{test.param.name};
});

TEST_F(ValueProof, GivesItsTokenToTheRightServerOnly) {
  TlsServer::Options options = answering(configz("700Mi"));
  options.identity = Authority{"another"}.issue({"server", "IP:127.0.0.1"});
  const TlsServer server{options};
  use_configz(server);
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "certificate is refused"));
  options.identity = authority_.issue({"server", "IP:127.0.0.2"});
  const TlsServer named{options};
  use_configz(named);
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "certificate is refused"));
  EXPECT_THAT(server.requests(), IsEmpty());
  EXPECT_THAT(named.requests(), IsEmpty());
}

// kubeadm's kubelet vouches for itself, in its host's name.
TEST_F(ValueProof, IsTheWordOfAKubeletThatSignsForItself) {
  const Authority own{"host-ca"};
  TlsServer::Options options = answering(configz("700Mi"));
  options.identity = own.issue({"host", "DNS:host"});
  const TlsServer server{options};
  use_configz(server);
  tree_.file("var/lib/kubelet/pki/kubelet.crt", options.identity.certificate);
  kubelet_.supervisor = "systemd";
  kubelet_.arguments = {"--config-dir=/data"};
  EXPECT_THAT(prove(), Is(State::kInForce, "/configz", ""));
  tree_.file("var/lib/kubelet/pki/kubelet.crt",
             Authority{"host-ca"}.issue({"host", "DNS:host"}).certificate);
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", ""));
}

TEST_F(ValueProof, NeedsATokenThatIsOne) {
  const TlsServer server{answering(configz("100Mi"))};
  use_configz(server);
  for (const char* token : {"", " \n", "a\r\nX-Admin: yes\n", "a b"}) {
    tree_.file("token", token);
    EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "no token")) << token;
  }
  std::filesystem::remove(tree_.path("token"));
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "No such file"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

// 4096 - 700 - 96 of hugepages = 3300 MiB.
TEST_F(ValueProof, IsTheNodesAllocatable) {
  const TlsServer server{answering(node("3300Mi"))};
  use_api_server(server);
  EXPECT_THAT(prove(), Is(State::kInForce, "Node object", "no token"));
  EXPECT_THAT(server.requests(), ElementsAre(testing::StartsWith("GET /api/v1/nodes/node-1 ")));
  kubelet_.loaded.settings.kube_reserved =
      SettingMap{{"memory", {"100Mi", "f"}}, {"cpu", {"1", "f"}}};
  kubelet_.loaded.settings.system_reserved = SettingMap{{"memory", {"1Mi", "f"}}};
  EXPECT_THAT(prove(), Is(State::kNotYet, "Node object", "3460300800 bytes"));
  const TlsServer other{answering(node("3199Mi"))};
  use_api_server(other);
  EXPECT_THAT(prove(), Is(State::kInForce, "Node object", ""));
}

TEST_F(ValueProof, IsNotTheNodesForOneByte) {
  const TlsServer server{answering(node("3460300801"))};
  use_api_server(server);
  EXPECT_THAT(prove(), Is(State::kNotYet, "Node object", "3460300800"));
}

TEST_F(ValueProof, OfSoftThresholdsIsNotTheNodes) {
  const TlsServer server{answering(node("4000Mi"))};
  use_api_server(server);
  kubelet_.loaded.settings.eviction_hard.reset();
  kubelet_.loaded.settings.eviction_soft = SettingMap{{"memory.available", {"1Gi", kFile}}};
  EXPECT_THAT(prove({{}, 1_GiB, {}}), Is(State::kInForce, "files and flags", "no soft threshold"));
  EXPECT_THAT(server.requests(), IsEmpty());
  kubelet_.loaded.settings.eviction_hard = SettingMap{{"memory.available", {"700Mi", kFile}}};
  kubelet_.loaded.settings.allocatable_ignores_eviction = true;
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "shows none"));
}

TEST_F(ValueProof, IsWhatTheFilesSayWhenTheKubeletIsYounger) {
  EXPECT_THAT(prove(), Is(State::kInForce, "files and flags", "started after"));
  kubelet_.start = start_in(std::chrono::seconds{-60});
  EXPECT_THAT(prove(), Is(State::kNotYet, "files and flags", "runs since before"));
}

TEST_F(ValueProof, IsTheJournalsWordWhereTheFileCameBack) {
  kubelet_.start = start_in(std::chrono::seconds{-60});
  kubelet_.file_content = kubelet_.committed = "of this run";
  EXPECT_THAT(prove(), Is(State::kNotYet, "files and flags", "runs since before"));
  kubelet_.proven = true;
  EXPECT_THAT(prove(), Is(State::kInForce, "the journal", "came back"));
  const TlsServer server{answering(node("3199Mi"))};
  use_api_server(server);
  EXPECT_THAT(prove(), Is(State::kNotYet, "Node object", "")) << "who answers knows better";
  kubelet_.file_content = "smaller since";
  kubelet_.arguments.clear();
  EXPECT_THAT(prove(), Is(State::kNotYet, "files and flags", "runs since before"));
}

TEST_F(ValueProof, IsNoneWhenTheFileIsShadowed) {
  kubelet_.loaded.settings.eviction_hard =
      SettingMap{{"memory.available", {"5%", "--eviction-hard"}}};
  EXPECT_THAT(prove(), Is(State::kOther, "files and flags", "\"5%\""));
  kubelet_.loaded.errors = {"/x.conf: bad"};
  EXPECT_THAT(prove(), Is(State::kNotYet, "files and flags", "/x.conf: bad"));
}

// Nothing is wanted any more: the file is gone, and so has to be the value.
TEST_F(ValueProof, OfAWithdrawnValue) {
  std::filesystem::remove(tree_.path(kFile + 1));
  kubelet_.loaded.settings.eviction_hard.reset();
  EXPECT_THAT(prove({}), Is(State::kInForce, "files and flags", "hard not set"));
  kubelet_.start = start_in(std::chrono::seconds{-60});
  EXPECT_THAT(prove({}), Is(State::kNotYet, "files and flags", "runs since before"));
  const TlsServer server{answering(node("4000Mi"))};
  use_api_server(server);
  EXPECT_THAT(prove({}), Is(State::kInForce, "Node object", ""));
}

TEST_F(ValueProof, IsNoneWithoutAFile) {
  kubelet_.file.clear();
  EXPECT_THAT(prove(), Is(State::kNotYet, "nobody", "no file"));
  kubelet_.file = "/missing/60-eviction-agent.conf";
  EXPECT_THAT(prove(), Is(State::kNotYet, "nobody", "No such file"));
}

}  // namespace
}  // namespace eviction::agent
