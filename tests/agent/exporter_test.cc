// SPDX-License-Identifier: Apache-2.0
#include "agent/exporter.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/served.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_tree.h"
#include "tests/support/tls_server.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ExporterTest : public tests::Served {
 protected:
  /// Puts the file down, and its path into the configuration.
  void put(std::string config::AgentConfig::*field,
           const std::string& name,
           const std::string& text) {
    tree_.file(name, text);
    config_.*field = tree_.path(name);
  }

  void put_tls(const tests::Identity& identity) {
    put(&config::AgentConfig::metrics_tls_certificate, "tls.crt", identity.certificate);
    put(&config::AgentConfig::metrics_tls_key, "tls.key", identity.key);
  }

  [[nodiscard]] Tls trusting(const tests::Authority& authority) const {
    return {.authority = authority.pem(), .certificate = client_.certificate, .key = client_.key};
  }

  tests::TemporaryTree tree_;
  tests::Authority authority_{"metrics"};
  const tests::Identity identity_ = authority_.issue({"node", "IP:127.0.0.1,IP:::1"});
  tests::Identity client_;
};

TEST_F(ExporterTest, ServesMetricsAndTheirState) {
  configure();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/healthz").status, 200);
  const Answer before = get("/readyz");
  EXPECT_EQ(before.status, 503);
  EXPECT_THAT(before.body, HasSubstr("not looked at the node yet"));
  walk();
  EXPECT_EQ(get("/readyz").status, 200);
  const Answer metrics = get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.headers.at("content-type"), HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("\neviction_agent_memory_capacity_bytes 4294967296\n"));
  EXPECT_THAT(get("/").body, HasSubstr("/metrics"));
  EXPECT_EQ(get("/metrics/").status, 404);
}

TEST_F(ExporterTest, ShowsTheLastWalkOnly) {
  configure();
  walk();
  EXPECT_THAT(get("/metrics").body, HasSubstr("\neviction_agent_problems 0\n"));
  on_loop([this] { status_.problems = {"one"}; });
  EXPECT_THAT(get("/metrics").body, HasSubstr("\neviction_agent_problems 0\n"));
  walk();
  EXPECT_THAT(get("/metrics").body, HasSubstr("\neviction_agent_problems 1\n"));
}

TEST_F(ExporterTest, ServesIpv6) {
  if (!tests::LoopbackSocket{AF_INET6}.valid()) {
    GTEST_SKIP() << "this machine has no ::1";
  }
  config_.metrics_listen = {{true, "::1", 0}};
  configure();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get_from("http://[::1]:" + std::to_string(port()) + "/healthz").status, 200);
}

TEST_F(ExporterTest, FollowsTheConfigurationToAnotherAddress) {
  configure();
  const std::uint16_t first = port();
  config_.metrics_listen = {{false, "127.0.0.2", 0}};
  configure();
  EXPECT_EQ(get_from("http://127.0.0.2:" + std::to_string(port()) + "/healthz").status, 200);
  EXPECT_EQ(get_from("http://127.0.0.1:" + std::to_string(first) + "/healthz").status, 0);
  config_.metrics_listen.clear();
  configure();
  EXPECT_EQ(port(), 0);
  EXPECT_EQ(problems(), "");
}

TEST_F(ExporterTest, TakesAPortWhenItIsFree) {
  {
    const tests::LoopbackSocket taken;
    taken.listen();
    config_.metrics_listen = {{false, "127.0.0.1", static_cast<std::uint16_t>(taken.port())}};
    configure();
    EXPECT_THAT(problems(), HasSubstr(std::to_string(taken.port()) + ": Address already in use"));
    EXPECT_EQ(port(), 0);
  }
  configure();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/healthz").status, 200);
}

// A question to the API server is asked in a child process, which has all descriptors till it ends.
TEST_F(ExporterTest, GivesUpAPortThatAChildProcessHasToo) {
  configure();
  config_.metrics_listen = {{false, "127.0.0.1", port()}};
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
  }
  put_tls(identity_);
  configure();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/healthz", trusting(authority_)).status, 200);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(ExporterTest, SaysThatAnAddressIsNotOfThisMachine) {
  config_.metrics_listen = {{false, "192.0.2.1", 0}, {false, "127.0.0.1", 0}};
  configure();
  EXPECT_THAT(problems(), HasSubstr("192.0.2.1:0: Cannot assign requested address"));
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(ExporterTest, ServesTlsAndTakesUpANewCertificate) {
  put_tls(identity_);
  configure();
  walk();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 200);
  const std::uint16_t before = port();
  const tests::Authority other{"other"};
  put_tls(other.issue({"node", "IP:127.0.0.1"}));
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 200);
  walk();
  EXPECT_EQ(port(), before);
  EXPECT_EQ(get("/metrics", trusting(other)).status, 200);
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 0);
}

TEST_F(ExporterTest, KeepsItsCertificateUntilTheNewOneIsRight) {
  put_tls(identity_);
  configure();
  const tests::Authority other{"other"};
  const tests::Identity next = other.issue({"node", "IP:127.0.0.1"});
  put(&config::AgentConfig::metrics_tls_certificate, "tls.crt", next.certificate);
  walk();
  EXPECT_THAT(problems(), HasSubstr("tls-certificate and tls-key cannot be used"));
  EXPECT_EQ(get("/healthz", trusting(authority_)).status, 200);
  put_tls(next);
  walk();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/healthz", trusting(other)).status, 200);
}

TEST_F(ExporterTest, ServesNothingBeforeTheCertificateIsRight) {
  put_tls({.certificate = "no certificate", .key = identity_.key});
  configure();
  EXPECT_THAT(problems(), HasSubstr("tls-certificate and tls-key cannot be used"));
  EXPECT_EQ(port(), 0);
  std::filesystem::remove(tree_.path("tls.crt"));
  walk();
  EXPECT_THAT(problems(), HasSubstr("tls.crt: "));
  put_tls(identity_);
  walk();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(get("/healthz", trusting(authority_)).status, 200);
}

TEST_F(ExporterTest, DoesNotServePlainWhatIsToBeProtected) {
  configure();
  EXPECT_EQ(get("/healthz").status, 200);
  put_tls({.certificate = "no certificate", .key = identity_.key});
  configure();
  EXPECT_EQ(port(), 0);
}

TEST_F(ExporterTest, WantsAClientCertificate) {
  put_tls(identity_);
  put(&config::AgentConfig::metrics_tls_client_ca, "ca.crt", authority_.pem());
  configure();
  walk();
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 403);
  EXPECT_EQ(get("/readyz", trusting(authority_)).status, 200);
  client_ = tests::Authority{"stranger"}.issue({"prometheus", ""});
  EXPECT_THAT(get("/metrics", trusting(authority_)).status, testing::AnyOf(0, 403));
  client_ = authority_.issue({.common_name = "late", .alternative_names = "", .end = -60});
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 403);
  client_ = authority_.issue({"prometheus", ""});
  EXPECT_EQ(get("/metrics", trusting(authority_)).status, 200);
}

TEST_F(ExporterTest, TakesNoEmptyFileForNone) {
  put_tls(identity_);
  put(&config::AgentConfig::metrics_tls_client_ca, "ca.crt", "");
  configure();
  EXPECT_THAT(problems(), HasSubstr("ca.crt: the file is empty"));
  EXPECT_EQ(port(), 0);
}

TEST_F(ExporterTest, WantsAPassword) {
  // "secret", by crypt(3)
  put(&config::AgentConfig::metrics_basic_auth_file,
      "users",
      "prometheus:$2b$04$.k3VH8ER4jMTsyQF3bYaWOCvJ0/rjwbdhNh9DLIkFHegRUIxMvcyS\n");
  configure();
  walk();
  const Answer refused = get("/metrics");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.headers.at("www-authenticate"), HasSubstr("Basic realm="));
  EXPECT_EQ(get("/healthz").status, 200);
  headers_ = {"Authorization: Basic cHJvbWV0aGV1czpzZWNyZXQ="};  // prometheus:secret
  EXPECT_EQ(get("/metrics").status, 200);
  headers_ = {"Authorization: Basic cHJvbWV0aGV1czp3cm9uZw=="};  // prometheus:wrong
  EXPECT_EQ(get("/metrics").status, 503);                        // one try in a second
  headers_ = {"Authorization: Basic cHJvbWV0aGV1czpzZWNyZXQ="};
  EXPECT_EQ(get("/metrics").status, 200);
}

std::string content_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST_F(ExporterTest, WritesATextFileAndRemovesIt) {
  textfile_ = tree_.path("metrics.prom");
  config_.metrics_listen.clear();
  configure();
  walk();
  EXPECT_EQ(problems(), "");
  EXPECT_THAT(content_of(*textfile_), HasSubstr("\neviction_agent_memory_capacity_bytes "));

  struct stat status {};

  EXPECT_EQ(::stat(textfile_->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
  on_loop([this] { exporter_.reset(); });
  EXPECT_TRUE(std::filesystem::is_empty(tree_.path()));
}

TEST_F(ExporterTest, RemovesATextFileThatItCouldNotWriteAgain) {
  textfile_ = tree_.path("metrics.prom");
  config_.metrics_listen.clear();
  configure();
  walk();
  tree_.directory("metrics.prom.tmp");
  walk();
  EXPECT_THAT(problems(), HasSubstr("metrics.prom: cannot write the metrics"));
  on_loop([this] { exporter_.reset(); });
  EXPECT_FALSE(std::filesystem::exists(*textfile_)) << "it would be scraped for ever";
}

TEST_F(ExporterTest, LeavesATextFileThatItNeverWrote) {
  tree_.file("metrics.prom", "of somebody else").directory("metrics.prom.tmp");
  textfile_ = tree_.path("metrics.prom");
  config_.metrics_listen.clear();
  configure();
  walk();
  on_loop([this] { exporter_.reset(); });
  EXPECT_EQ(content_of(*textfile_), "of somebody else");
}

TEST_F(ExporterTest, SaysThatTheTextFilesFolderIsMissing) {
  textfile_ = tree_.path("none/metrics.prom");
  configure();
  walk();
  EXPECT_THAT(problems(), HasSubstr("none/metrics.prom: cannot write the metrics: No such file"));
  tree_.directory("none");
  walk();
  EXPECT_EQ(problems(), "");
}

}  // namespace
}  // namespace eviction::agent
