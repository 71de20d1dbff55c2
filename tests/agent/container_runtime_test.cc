// SPDX-License-Identifier: Apache-2.0
#include "agent/container_runtime.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/answering_runtime.h"
#include "tests/support/stream_server.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using config::Setting;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using tests::frame;
using tests::header;
using tests::is_request;
using tests::kEndHeaders;
using tests::kGreeting;
using tests::kGrpc;
using tests::kHeaders;
using tests::kOk;
using tests::kResetStream;
using tests::kStatus200;
using tests::kStatus404;
using tests::short_answer;
using tests::StreamServer;
using tests::UnixSocket;
using tests::version_answer;

constexpr std::chrono::seconds kLong{60};
constexpr std::chrono::milliseconds kShort{200};

constexpr const char* kSocket = "run/k3s/containerd/containerd.sock";

/// The paths of Version in the Huffman code that a client may use for them (RFC 7541, appendix B).
constexpr std::string_view kVersion1 =
    "\x62\xcb\x6a\x49\xa9\x2a\xfd\xc2\xbe\xdb\x6a\x49\xa9\x2e\xe2\xd9\xdc\xc4\x2b\x1c\x4b\x62\x0c"
    "\x7a\xbf";
constexpr std::string_view kVersion1Alpha2 =
    "\x62\xcb\x6a\x49\xa9\x2a\xfd\xc2\x3a\x2b\x9c\x62\x5f\x6d\xb5\x24\xd4\x97\x71\x6c\xee\x62\x15"
    "\x8e\x25\xb1\x06\x3d\x5f";

const std::string kUnimplemented = short_answer(kGrpc + header("grpc-status", "12"));
/// The same before the request was sent whole: the rest of it is not wanted (RFC 9113,
/// section 8.1).
const std::string kReset = kUnimplemented + frame(kResetStream, 0, 1, std::string(4, '\0'));

class ContainerRuntime : public testing::Test {
 protected:
  ContainerRuntime() {
    tree_.directory("run/k3s/containerd");
    kubelet_.supervisor = "rke2";
  }

  [[nodiscard]] static StreamServer::Options answering(const UnixSocket& socket,
                                                       std::vector<std::string> answers) {
    return {.socket = socket.fd(),
            .is_request = is_request,
            .answers = std::move(answers),
            .hang = true};
  }

  [[nodiscard]] Result<void> ask(std::chrono::milliseconds timeout = kLong) const {
    return container_runtime_answers(kubelet_, root_, timeout);
  }

  /// Expects one.
  [[nodiscard]] Error error(std::chrono::milliseconds timeout = kLong) const {
    const Result<void> answers = ask(timeout);
    EXPECT_FALSE(answers);
    return answers ? Error{} : answers.error();
  }

  void use(const std::string& endpoint) {
    kubelet_.loaded.settings.container_runtime_endpoint =
        Setting{endpoint, "--container-runtime-endpoint"};
  }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
  Kubelet kubelet_;
};

MATCHER_P2(Is, kind, what, "") {
  *result_listener << to_text(arg.kind) << ": " << to_text(arg);
  return arg.kind == kind && arg.what.find(what) != std::string::npos && !arg.remedy.empty();
}

TEST_F(ContainerRuntime, Answers) {
  const UnixSocket socket{tree_.path(kSocket)};
  const StreamServer server{answering(socket, {kOk})};
  const Result<void> answers = ask();
  EXPECT_TRUE(answers) << to_text(answers.error());
  EXPECT_THAT(server.requests(), ElementsAre(HasSubstr(kVersion1)));
}

TEST_F(ContainerRuntime, OfOldAnswersInTheOlderVersion) {
  for (const std::string& refusal : {kUnimplemented, kReset}) {
    const tests::TemporaryTree tree;
    const UnixSocket socket{tree.path("c.sock")};
    const StreamServer server{answering(socket, {refusal, kOk})};
    use("unix:///c.sock");
    const Result<void> answers =
        container_runtime_answers(kubelet_, *cgroup::Directory::open(tree.path()), kLong);
    EXPECT_TRUE(answers) << to_text(answers.error());
    EXPECT_THAT(server.requests(), ElementsAre(HasSubstr(kVersion1), HasSubstr(kVersion1Alpha2)));
  }
}

TEST_F(ContainerRuntime, KnowsNeitherVersion) {
  const UnixSocket socket{tree_.path(kSocket)};
  const StreamServer server{answering(socket, {kUnimplemented})};
  EXPECT_THAT(error(), Is(ErrorKind::kIo, "\"12\""));
  EXPECT_THAT(server.requests(), SizeIs(2));
}

struct NoAnswer {
  const char* name;
  std::string text;
  const char* what;
  bool hang = false;  ///< a whole answer, after which servers keep the connection
};

const std::vector<NoAnswer> kNoAnswers = {
    {"Starting",
     version_answer(header("grpc-status", "2") + header("grpc-message", "not initialized yet")),
     "not initialized yet",
     true},
    {"Unavailable", short_answer(kGrpc + header("grpc-status", "14")), "\"14\"", true},
    {"NoGrpcStatus", short_answer(kGrpc), "not ready", true},
    {"Html", short_answer(kStatus200 + header("content-type", "text/html")), "\"text/html\"", true},
    {"NoContentType", short_answer(kStatus200 + header("grpc-status", "0")), "no gRPC", true},
    {"NotFound",
     short_answer(kStatus404 + header("content-type", "application/grpc")),
     "status 404",
     true},
    {"Http1", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "does not answer"},
    {"Garbage", std::string(100, '\xff'), "does not answer"},
    {"Nothing", "", "does not answer"},
    {"GreetingOnly", kGreeting, "does not answer"},
    {"CutBeforeTrailers", kGreeting + frame(kHeaders, kEndHeaders, 1, kGrpc), "does not answer"},
    {"BadCompression", short_answer("\xff\xff\xff\xff\xff\xff"), "does not answer"},
};

class NoAnswers : public ContainerRuntime, public testing::WithParamInterface<NoAnswer> {};

TEST_P(NoAnswers, AreErrors) {
  const UnixSocket socket{tree_.path(kSocket)};
  StreamServer::Options options = answering(socket, {GetParam().text});
  options.hang = GetParam().hang;
  const StreamServer server{options};
  const Error failed = error();
  EXPECT_THAT(failed, Is(ErrorKind::kIo, GetParam().what));
  EXPECT_EQ(failed.path, tree_.path(kSocket));
  EXPECT_THAT(server.requests(), SizeIs(2));
}

INSTANTIATE_TEST_SUITE_P(, NoAnswers, testing::ValuesIn(kNoAnswers), [](const auto& test) {
  return std::string{test.param.name};
});

TEST_F(ContainerRuntime, ThatIsNotThere) {
  EXPECT_THAT(error(), Is(ErrorKind::kIo, "cannot connect"));
  tree_.file(kSocket, "no socket");
  EXPECT_THAT(error(), Is(ErrorKind::kIo, "cannot connect"));
  std::filesystem::remove_all(tree_.path("run/k3s"));
  EXPECT_THAT(error(), Is(ErrorKind::kAbsent, "No such file"));
}

TEST_F(ContainerRuntime, ThatNoLongerListens) {
  const UnixSocket socket{tree_.path(kSocket)};
  EXPECT_THAT(error(), Is(ErrorKind::kIo, "refused"));
}

TEST_F(ContainerRuntime, ThatNeverAnswers) {
  const UnixSocket socket{tree_.path(kSocket)};
  socket.listen();
  EXPECT_THAT(error(kShort), Is(ErrorKind::kIo, "in time"));
}

TEST_F(ContainerRuntime, ThatStopsInTheMiddle) {
  const UnixSocket socket{tree_.path(kSocket)};
  const StreamServer server{
      answering(socket, {kGreeting + frame(kHeaders, kEndHeaders, 1, kGrpc)})};
  EXPECT_THAT(error(kShort), Is(ErrorKind::kIo, "in time"));
}

TEST_F(ContainerRuntime, HasItsSocketWhereTheKubeletLooksForIt) {
  struct Case {
    const char* supervisor;
    const char* endpoint;  ///< nullptr: not set
    const char* socket;
  };

  for (const Case& one : {Case{"rke2", nullptr, "run/k3s/containerd/containerd.sock"},
                          Case{"k3s", nullptr, "run/k3s/containerd/containerd.sock"},
                          Case{"systemd", nullptr, "run/containerd/containerd.sock"},
                          Case{"rke2", "unix:///var/run/a.sock", "var/run/a.sock"},
                          Case{"rke2", "unix://unix:///run/c.sock", "run/c.sock"},
                          Case{"systemd", "unix:/b.sock", "b.sock"},
                          Case{"systemd", "/run/crio/crio.sock", "run/crio/crio.sock"}}) {
    SCOPED_TRACE(one.socket);
    const std::string path = tree_.path(one.socket);
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
    const UnixSocket socket{path};
    const StreamServer server{answering(socket, {kOk})};
    kubelet_.supervisor = one.supervisor;
    kubelet_.loaded.settings = {};
    if (one.endpoint != nullptr) {
      use(one.endpoint);
    }
    const Result<void> answers = ask();
    EXPECT_TRUE(answers) << to_text(answers.error());
    std::filesystem::remove(path);
  }
}

// As kubeadm writes it; the chart's container has /run/containerd and no /var/run.
TEST_F(ContainerRuntime, OfVarRunMayBeInRun) {
  use("unix:///var/run/k3s/containerd/containerd.sock");
  {
    const UnixSocket socket{tree_.path(kSocket)};
    const StreamServer server{answering(socket, {kOk})};
    EXPECT_TRUE(ask());
  }
  tree_.directory("var/run/k3s/containerd");
  EXPECT_EQ(error().path, tree_.path("var/run/k3s/containerd/containerd.sock"));
}

TEST_F(ContainerRuntime, IsAskedAtUnixSocketsOnly) {
  for (const char* endpoint :
       {"", "tcp://127.0.0.1:1", "npipe:////./pipe/x", "containerd.sock", "unix://run/a.sock"}) {
    use(endpoint);
    EXPECT_THAT(error(), Is(ErrorKind::kUnsupported, "Unix socket")) << endpoint;
  }
}

// A host mount may lie deep: an address has room for 107 bytes.
TEST_F(ContainerRuntime, MayHaveALongPath) {
  const std::string folder = "run/" + std::string(200, 'd');
  tree_.directory(folder);
  const UnixSocket socket{tree_.path(folder + "/c.sock")};
  const StreamServer server{answering(socket, {kOk})};
  use("unix:///" + folder + "/c.sock");
  const Result<void> answers = ask();
  EXPECT_TRUE(answers) << to_text(answers.error());
}

TEST_F(ContainerRuntime, IsFoundThroughLinksBelowTheRoot) {
  const UnixSocket socket{tree_.path(kSocket)};
  const StreamServer server{answering(socket, {kOk})};
  std::filesystem::create_directory_symlink("/run", tree_.path("r"));
  std::filesystem::create_symlink("/r/k3s/containerd/containerd.sock", tree_.path("run/absolute"));
  std::filesystem::create_symlink("absolute", tree_.path("run/relative"));
  use("unix:///r/relative");
  const Result<void> answers = ask();
  EXPECT_TRUE(answers) << to_text(answers.error());
  std::filesystem::create_symlink("circle", tree_.path("run/circle"));
  use("unix:///run/circle");
  EXPECT_THAT(error(), Is(ErrorKind::kMalformed, "nowhere"));
}

}  // namespace
}  // namespace eviction::agent
