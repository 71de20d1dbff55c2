// SPDX-License-Identifier: Apache-2.0
#include "agent/api_server.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/api_view.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_tree.h"
#include "tests/support/tls_server.h"

namespace eviction::agent {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace): nothing but literals
using config::Kubeconfig;
using config::Pem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using tests::Authority;
using tests::Identity;
using tests::TlsServer;

/// More than a loaded machine needs; nothing waits for it unless a test fails.
constexpr std::chrono::seconds kLong{60};
/// What a server that never answers costs a test.
constexpr std::chrono::milliseconds kShort{200};

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

class ApiServer : public testing::Test {
 protected:
  [[nodiscard]] TlsServer::Options answering(std::string text) const {
    return {.identity = authority_.issue({"apiserver", "IP:127.0.0.1,IP:::1"}),
            .answer = std::move(text),
            .client_authority = authority_.pem()};
  }

  /// As a kubeconfig says it that has everything inside.
  [[nodiscard]] Kubeconfig kubeconfig(const std::string& port) const {
    return {.server = "https://127.0.0.1:" + port,
            .authority = Pem{authority_.pem(), {}},
            .certificate = Pem{node_.certificate, {}},
            .key = Pem{node_.key, {}},
            .token = {},
            .token_file = {}};
  }

  [[nodiscard]] Result<std::string> ask(const Kubeconfig& kubeconfig,
                                        std::chrono::milliseconds timeout = kLong) const {
    return get(kubeconfig, root_, "/version", timeout);
  }

  [[nodiscard]] Error error_of(const Kubeconfig& kubeconfig,
                               std::chrono::milliseconds timeout = kLong) const {
    const Result<std::string> body = ask(kubeconfig, timeout);
    EXPECT_FALSE(body);
    return body ? Error{} : body.error();
  }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
  cgroup::Buffer buffer_;
  Authority authority_{"cluster"};
  Identity node_ = authority_.issue({"system:node:node-1", ""});
};

MATCHER_P2(Is, kind, what, "") {
  *result_listener << to_text(arg.kind) << ": " << to_text(arg);
  return arg.kind == kind && arg.what.find(what) != std::string::npos &&
         arg.path.starts_with("https://") && !arg.remedy.empty();
}

TEST_F(ApiServer, GivesTheBody) {
  const TlsServer server{answering(answer("200 OK", "{}"))};
  const Result<std::string> body = ask(kubeconfig(server.port()));
  ASSERT_TRUE(body) << to_text(body.error());
  EXPECT_EQ(*body, "{}");
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith("GET /version HTTP/1.1\r\n")));
  EXPECT_EQ(server.client(), "system:node:node-1");
}

TEST_F(ApiServer, MayAnswerInChunks) {
  const TlsServer server{
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                "chunked\r\n\r\n2\r\n{\"\r\n3\r\na\":\r\n2\r\n1}\r\n0\r\n\r\n")};
  EXPECT_EQ(ask(kubeconfig(server.port())), R"({"a":1})");
}

TEST_F(ApiServer, MayBeReachedByIpv6) {
  if (!tests::LoopbackSocket{AF_INET6}.valid()) {
    GTEST_SKIP() << "this machine has no ::1";
  }
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.family = AF_INET6;
  const TlsServer server{options};
  Kubeconfig six = kubeconfig(server.port());
  six.server = "https://[::1]:" + server.port();
  EXPECT_EQ(ask(six), "{}");
}

TEST_F(ApiServer, TakesATokenFromAFileBeforeTheOneInside) {
  const TlsServer server{answering(answer("200 OK", "{}"))};
  tree_.file("var/token", "from.the-file\n");
  Kubeconfig token = kubeconfig(server.port());
  token.certificate = {};
  token.key = {};
  token.token = "inside";
  token.token_file = "/var/token";
  EXPECT_EQ(ask(token), "{}");
  EXPECT_THAT(server.requests(),
              ElementsAre(HasSubstr("\r\nAuthorization: Bearer from.the-file\r\n")));
}

TEST_F(ApiServer, IsNotAskedThroughAProxy) {
  const tests::LoopbackSocket nobody;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(nobody.port());
  setenv("https_proxy", proxy.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  const TlsServer server{answering(answer("200 OK", "{}"))};
  const Result<std::string> body = ask(kubeconfig(server.port()));
  unsetenv("https_proxy");  // NOLINT(concurrency-mt-unsafe): the server reads no environment
  EXPECT_EQ(body, "{}");
}

TEST_F(ApiServer, OfAnotherAuthorityGetsNoRequest) {
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.identity = Authority{"another"}.issue({"apiserver", "IP:127.0.0.1"});
  const TlsServer server{options};
  EXPECT_THAT(error_of(kubeconfig(server.port())),
              Is(ErrorKind::kDenied, "certificate is refused"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(ApiServer, OfAnAuthorityOfTheSameNameGetsNoRequest) {
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.identity = Authority{"cluster"}.issue({"apiserver", "IP:127.0.0.1"});
  const TlsServer server{options};
  EXPECT_THAT(error_of(kubeconfig(server.port())), Is(ErrorKind::kIo, "no TLS session"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(ApiServer, WithAnExpiredCertificateIsRefused) {
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.identity = authority_.issue({"apiserver", "IP:127.0.0.1", -7200, -3600});
  const TlsServer server{options};
  EXPECT_THAT(error_of(kubeconfig(server.port())), Is(ErrorKind::kDenied, "expired"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(ApiServer, OfAnotherNameIsRefused) {
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.identity = authority_.issue({"127.0.0.1", "IP:127.0.0.2,DNS:kubernetes"});
  const TlsServer server{options};
  EXPECT_THAT(error_of(kubeconfig(server.port())), Is(ErrorKind::kDenied, "127.0.0.1"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(ApiServer, ThatWantsACertificateGetsNone) {
  TlsServer::Options options = answering(answer("200 OK", "{}"));
  options.client_must = true;
  const TlsServer server{options};
  Kubeconfig token = kubeconfig(server.port());
  token.certificate = {};
  token.key = {};
  token.token = "t";
  EXPECT_THAT(error_of(token), Is(ErrorKind::kIo, "request failed"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(ApiServer, ThatListensToNobody) {
  const tests::LoopbackSocket socket;
  // The same each time: of a problem that lasts only the first is logged.
  EXPECT_EQ(error_of(kubeconfig(std::to_string(socket.port()))).what,
            "cannot connect: Connection refused");
}

TEST_F(ApiServer, ThatNeverShakesHands) {
  const tests::LoopbackSocket socket;
  socket.listen();
  EXPECT_EQ(error_of(kubeconfig(std::to_string(socket.port())), kShort).what,
            "no whole answer in time");
}

TEST_F(ApiServer, ThatStopsInTheMiddle) {
  for (const char* text :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"}) {
    SCOPED_TRACE(text);
    TlsServer::Options options = answering(text);
    options.hang = true;
    const TlsServer server{options};
    EXPECT_THAT(error_of(kubeconfig(server.port()), kShort), Is(ErrorKind::kIo, "in time"));
  }
}

TEST_F(ApiServer, MayAnswer16MebibytesAndNoMore) {
  const TlsServer enough{answering(answer("200 OK", std::string(kAnswerLimit, ' ')))};
  const Result<std::string> body = ask(kubeconfig(enough.port()));
  ASSERT_TRUE(body) << to_text(body.error());
  EXPECT_EQ(body->size(), kAnswerLimit);
  const TlsServer much{answering(answer("200 OK", std::string(kAnswerLimit + 1, ' ')))};
  EXPECT_THAT(error_of(kubeconfig(much.port())), Is(ErrorKind::kTooLarge, "16 MiB"));
}

struct BadAnswer {
  const char* name;
  std::string text;
  ErrorKind kind;
  const char* what;
};

const std::vector<BadAnswer> kBadAnswers = {
    {"Nothing", "", ErrorKind::kIo, "request failed"},
    {"Garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", ErrorKind::kIo, "request failed"},
    {"CutBody",
     "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
     ErrorKind::kIo,
     "request failed"},
    {"CutChunk",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{}",
     ErrorKind::kIo,
     "request failed"},
    {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", ErrorKind::kIo, "204"},
    {"Redirect",
     "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
     ErrorKind::kIo,
     "302"},
    {"Unauthorized", answer("401 Unauthorized", "{}"), ErrorKind::kDenied, "401"},
    {"Forbidden", answer("403 Forbidden", "{}"), ErrorKind::kDenied, "403"},
    {"NotFound", answer("404 Not Found", "{}"), ErrorKind::kIo, "404"},
    {"Unavailable", answer("503 Service Unavailable", "{}"), ErrorKind::kIo, "503"},
};

class BadAnswers : public ApiServer, public testing::WithParamInterface<BadAnswer> {};

TEST_P(BadAnswers, AreErrors) {
  const TlsServer server{answering(GetParam().text)};
  EXPECT_THAT(error_of(kubeconfig(server.port())), Is(GetParam().kind, GetParam().what));
  EXPECT_EQ(server.requests().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(, BadAnswers, testing::ValuesIn(kBadAnswers), [](const auto& test) {
  return std::string{test.param.name};
});

// Nobody listens: what cannot be used is found before anything is sent.
TEST_F(ApiServer, IsNotAskedWithoutWhatTheKubeconfigNames) {
  const tests::LoopbackSocket socket;
  const Kubeconfig good = kubeconfig(std::to_string(socket.port()));
  Kubeconfig missing = good;
  missing.key = Pem{{}, "/var/key.pem"};
  EXPECT_EQ(error_of(missing).kind, ErrorKind::kAbsent);
  EXPECT_EQ(error_of(missing).path, tree_.path("var/key.pem"));
  tree_.file("blank", " \n").file("two", "a\r\nX-Admin: yes\n");
  for (const char* file : {"/blank", "/two"}) {
    Kubeconfig token = good;
    token.token_file = file;
    EXPECT_EQ(error_of(token).kind, ErrorKind::kMalformed) << file;
  }
}

TEST_F(ApiServer, IsNotAskedWithPemOfNoUse) {
  const TlsServer server{answering(answer("200 OK", "{}"))};
  const Kubeconfig good = kubeconfig(server.port());
  Kubeconfig bad = good;
  bad.authority = Pem{node_.key, {}};
  EXPECT_THAT(error_of(bad), Is(ErrorKind::kMalformed, "authority"));
  bad = good;
  bad.certificate = Pem{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", {}};
  EXPECT_THAT(error_of(bad), Is(ErrorKind::kMalformed, "client certificate"));
  bad = good;
  bad.key = Pem{authority_.issue({"another", ""}).key, {}};
  EXPECT_THAT(error_of(bad), Is(ErrorKind::kMalformed, "client certificate"));
  bad = good;
  bad.key = Pem{Authority::encrypt(node_.key, "password"), {}};
  EXPECT_THAT(error_of(bad), Is(ErrorKind::kMalformed, "client certificate"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

constexpr const char* kPods = R"({"kind": "PodList", "items": [{
    "metadata": {"uid": "u-1", "namespace": "default", "name": "web"},
    "spec": {"containers": [{"name": "c", "resources": {"requests": {"memory": "64Mi"}}}]},
    "status": {"phase": "Running"}}]})";

class OwnPods : public ApiServer {
 protected:
  /// Writes a kubeconfig that names files as RKE2's does.
  void write_kubeconfig(const std::string& port, const std::string& user) {
    tree_.file("agent/server-ca.crt", authority_.pem());
    tree_.file("agent/kubelet.kubeconfig",
               "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
               "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:" +
                   port +
                   "', certificate-authority: /agent/server-ca.crt}}]\nusers: [{name: u, user: {" +
                   user + "}}]\n");
  }

  void write_identity(const Identity& identity) {
    tree_.file("agent/client.crt", identity.certificate).file("agent/client.key", identity.key);
  }

  Result<PodList> read(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "--kubeconfig=/agent/kubelet.kubeconfig");
    return read_own_pods(root_, arguments, buffer_);
  }

  static constexpr const char* kFiles = "client-certificate: client.crt, client-key: client.key";
};

constexpr const char* kOwnPodsOfNode1 =
    "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&resourceVersion=0 HTTP/1.1\r\n";

TEST_F(OwnPods, AreAskedForAsTheNode) {
  const TlsServer server{answering(answer("200 OK", kPods))};
  write_kubeconfig(server.port(), kFiles);
  write_identity(node_);
  const auto pods = read({"--hostname-override=other"});
  ASSERT_TRUE(pods) << to_text(pods.error());
  ASSERT_EQ(pods->live.size(), 1U);
  EXPECT_EQ(pods->live.front().uid, "u-1");
  EXPECT_EQ(pods->live.front().request, 64_MiB);
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith(kOwnPodsOfNode1)));
  EXPECT_EQ(server.client(), "system:node:node-1");
}

// kubeadm: one file with certificate and key, behind an absolute link that the kubelet renews.
TEST_F(OwnPods, OfAKubeadmNode) {
  const TlsServer server{answering(answer("200 OK", kPods))};
  const std::string current = "/var/lib/kubelet/pki/kubelet-client-current.pem";
  write_kubeconfig(server.port(), "client-certificate: " + current + ", client-key: " + current);
  tree_.file("var/lib/kubelet/pki/kubelet-client-1.pem", node_.certificate + node_.key);
  std::filesystem::create_symlink("/var/lib/kubelet/pki/kubelet-client-1.pem",
                                  tree_.path("var/lib/kubelet/pki/kubelet-client-current.pem"));
  const auto pods = read();
  ASSERT_TRUE(pods) << to_text(pods.error());
  EXPECT_EQ(pods->live.size(), 1U);
  EXPECT_EQ(server.client(), "system:node:node-1");
}

TEST_F(OwnPods, WithATokenAreThoseOfTheNameOverride) {
  const TlsServer server{answering(answer("200 OK", kPods))};
  write_kubeconfig(server.port(), "token: t");
  const auto pods = read({"--hostname-override", "node-1"});
  ASSERT_TRUE(pods) << to_text(pods.error());
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith(kOwnPodsOfNode1)));
}

TEST_F(OwnPods, ComeWithTheVersionWhereTheNodeDoesNotShowIt) {
  // The server has one answer to all: it serves as PodList and as Node.
  const std::string both =
      R"({"status": {"nodeInfo": {"kubeletVersion": "v1.34.2"}}, )" + std::string{kPods + 1};
  const TlsServer server{answering(answer("200 OK", both))};
  write_kubeconfig(server.port(), kFiles);
  write_identity(node_);
  Kubelet kubelet;
  kubelet.arguments = {"--kubeconfig=/agent/kubelet.kubeconfig"};
  const Result<ApiView> view = ask_api_server(root_, kubelet);
  ASSERT_TRUE(view) << to_text(view.error());
  ASSERT_TRUE(view->kubelet_version);
  EXPECT_EQ(config::to_text(*view->kubelet_version), "v1.34.2");
  EXPECT_THAT(server.requests(),
              ElementsAre(StartsWith(kOwnPodsOfNode1), StartsWith("GET /api/v1/nodes/node-1 ")));

  const Result<ApiView> handed_on = parse_api_view(render_api_view(view));
  ASSERT_TRUE(handed_on) << to_text(handed_on.error());
  EXPECT_EQ(config::to_text(*handed_on->kubelet_version), "v1.34.2");
  ASSERT_EQ(handed_on->pods.live.size(), 1U);
  EXPECT_EQ(handed_on->pods.live.front().uid, "u-1");
  EXPECT_EQ(handed_on->pods.live.front().request, 64_MiB);

  kubelet.version = config::KubeletVersion{1, 32, {}, {}};
  EXPECT_FALSE(ask_api_server(root_, kubelet)->kubelet_version);  // nobody asked
}

TEST_F(OwnPods, HandOnWhoIsBeingResized) {
  ApiView view;
  view.pods.live.resize(3);
  view.pods.live[1].resize = Resize{};
  view.pods.live[2].resize = Resize{std::chrono::sys_seconds{std::chrono::seconds{7}}};
  const Result<ApiView> handed_on = parse_api_view(render_api_view(view));
  ASSERT_TRUE(handed_on) << to_text(handed_on.error());
  ASSERT_EQ(handed_on->pods.live.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(handed_on->pods.live[i].resize, view.pods.live[i].resize) << i;
  }
}

TEST_F(OwnPods, HandOnWhoWasEvicted) {
  ApiView view;
  view.pods.evicted = {
      EvictedPod{.uid = "u",
                 .name_space = "n",
                 .name = "p",
                 .at = std::chrono::sys_seconds{std::chrono::seconds{7}},
                 .message = "m",
                 .request = 64_MiB},
      EvictedPod{.uid = "v", .name_space = {}, .name = {}, .at = {}, .message = {}, .request = {}}};
  const Result<ApiView> handed_on = parse_api_view(render_api_view(view));
  ASSERT_TRUE(handed_on) << to_text(handed_on.error());
  EXPECT_EQ(handed_on->pods.evicted, view.pods.evicted);
}

TEST_F(OwnPods, HandOnWhyTheyAreUnknown) {
  const Result<ApiView> view = ask_api_server(root_, {});
  ASSERT_FALSE(view);
  const Result<ApiView> handed_on = parse_api_view(render_api_view(view));
  ASSERT_FALSE(handed_on);
  EXPECT_EQ(to_text(handed_on.error()), to_text(view.error()));
  EXPECT_EQ(handed_on.error().kind, view.error().kind);
  EXPECT_EQ(parse_api_view("{}").error().kind, ErrorKind::kMalformed);
}

TEST_F(OwnPods, AreUnknownWithoutAKubeconfig) {
  EXPECT_EQ(read_own_pods(root_, {}, buffer_).error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(read().error().path, tree_.path("agent/kubelet.kubeconfig"));
}

TEST_F(OwnPods, AreUnknownWithoutANodeName) {
  write_kubeconfig("1", "token: t");
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(read({"--hostname-override=a&limit=1"}).error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(read({"--hostname-override="}).error().kind, ErrorKind::kAbsent);
}

TEST_F(OwnPods, AreNotAskedForAsAnybodyElse) {
  const TlsServer server{answering(answer("200 OK", kPods))};
  write_kubeconfig(server.port(), kFiles);
  for (const char* name : {"kubernetes-admin", "system:node", "x system:node:node-1"}) {
    write_identity(authority_.issue({name, ""}));
    EXPECT_EQ(read({"--hostname-override=node-1"}).error().kind, ErrorKind::kDenied) << name;
  }
  write_identity(authority_.issue({"system:node:Node 1", ""}));
  EXPECT_FALSE(read());
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(OwnPods, ErrorsOfTheKubeconfigNameItBelowTheRoot) {
  write_kubeconfig("1", "exec: {command: aws}");
  EXPECT_EQ(read().error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(read().error().path, tree_.path("agent/kubelet.kubeconfig"));
}

TEST_F(OwnPods, ErrorsOfTheAnswerNameTheServer) {
  const TlsServer server{answering(answer("200 OK", "<html>"))};
  write_kubeconfig(server.port(), kFiles);
  write_identity(node_);
  const auto pods = read();
  ASSERT_FALSE(pods);
  EXPECT_THAT(pods.error(), Is(ErrorKind::kMalformed, "not JSON"));
}

}  // namespace
}  // namespace eviction::agent
