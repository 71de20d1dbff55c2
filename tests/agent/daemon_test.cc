// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/journal_file.h"
#include "agent/recording/kept_recording.h"
#include "agent/state_file.h"
#include "config/drop_in.h"
#include "tests/support/certificates.h"
#include "tests/support/constructed_node.h"
#include "tests/support/fake_kmsg.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"
#include "tests/support/tls_server.h"

namespace eviction::agent {
namespace {

using config::Mode;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr const char* kFile =
    "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";
constexpr const char* kStatus = "/run/eviction-agent/status.json";
constexpr const char* kState = "/var/lib/eviction-agent/state.json";
constexpr const char* kGrowth = "/var/lib/eviction-agent/growth.json";

/// A daemon on a constructed node. It never gets to signal a process: that node's /proc does not
/// show the test.
class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    write(tests::named_node("mixed-128g"), tree_.path());
    tree_.directory("run");
  }

  [[nodiscard]] std::string content(const std::string& path) const {
    std::ifstream file{tree_.path() + path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  [[nodiscard]] bool exists(const std::string& path) const {
    return std::filesystem::exists(tree_.path() + path);
  }

  [[nodiscard]] nlohmann::json status() const {
    return nlohmann::json::parse(content(kStatus), nullptr, false);
  }

  void end_kubelet() {
    const auto kubelet = find_kubelet(*cgroup::Directory::open(tree_.path("proc")),
                                      *cgroup::Directory::open(tree_.path()),
                                      {},
                                      buffer_);
    ASSERT_TRUE(kubelet);
    std::filesystem::remove_all(tree_.path("proc/" + std::to_string(kubelet->pid)));
  }

  /// Runs it until the condition holds, at most 10 s, and then ends it with SIGTERM.
  void run(Mode mode, const std::function<bool()>& until) {
    const Host host = open_host(tree_.path("proc"), tree_.path("sys"), tree_.path());
    auto loop = systemd::EventLoop::create();
    ASSERT_TRUE(loop);
    config::AgentConfig config;
    config.mode = mode;
    config.metrics_listen.clear();  // its port may be another test's
    Daemon daemon{host, config, [this] { return reloaded_; }, *loop, textfile_};
    int polls = 0;
    systemd::EventSource timer;
    const std::function<void()> poll = [&] {
      constexpr int kMostPolls = 500;
      held_ = until();
      if (held_ || ++polls == kMostPolls) {
        EXPECT_EQ(std::raise(SIGTERM), 0);
      } else {
        ASSERT_TRUE(timer.again(milliseconds{20}));
      }
    };
    auto source = loop->after(milliseconds{20}, poll);
    ASSERT_TRUE(source);
    timer = std::move(*source);
    const Result<void> ended = daemon.run();
    EXPECT_TRUE(ended) << to_text(ended.error());
    EXPECT_TRUE(held_);
  }

  [[nodiscard]] bool has_problem(const std::string& part) const {
    const nlohmann::json now = status();
    return now.is_object() && now["problems"].dump().find(part) != std::string::npos;
  }

  tests::TemporaryTree tree_;
  tests::FakeKmsg kmsg_{tree_};
  cgroup::Buffer buffer_;
  config::LoadedConfig reloaded_;
  std::optional<std::string> textfile_;
  bool held_ = false;
};

constexpr const char* kIncidents = "/var/lib/eviction-agent/incidents.jsonl";

TEST_F(DaemonTest, RecordsAKillOnceOverARestart) {
  const std::string kill =
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
      "task_memcg=/system.slice/a.service,task=a,pid=1,uid=0";
  tree_.file("proc/sys/kernel/random/boot_id", "b\n");
  kmsg_.log(kill);
  run(Mode::kStage, [this] { return exists(kIncidents); });
  kmsg_.rewind();
  kmsg_.log(kill);
  run(Mode::kStage,
      [&] { return content(kIncidents).find("\"sequence\":1") != std::string::npos; });
  const std::string log = content(kIncidents);
  std::size_t kills = 0;
  for (std::size_t at = log.find("oom-kill"); at != std::string::npos;
       at = log.find("oom-kill", at + 1)) {
    ++kills;
  }
  EXPECT_EQ(kills, 2U) << log;
}

TEST_F(DaemonTest, StagesItsValueAndTellsSo) {
  run(Mode::kStage, [this] { return status().is_object(); });
  EXPECT_TRUE(config::parse_own_file(content(staged_path(kFile)), "f"));
  EXPECT_FALSE(exists(kFile));
  EXPECT_THAT(status()["decision"]["reason"].get<std::string>(), HasSubstr("mode stage"));
  EXPECT_EQ(status()["plan"]["sizing"]["instrument"], "hard");
}

// There is none on this node.
TEST_F(DaemonTest, AsksTheRuntimeInEveryMode) {
  for (const Mode mode : {Mode::kObserve, Mode::kStage, Mode::kEnforce}) {
    run(mode, [this] {
      return content(kStatus).find("the container runtime does not answer") != std::string::npos;
    });
    std::filesystem::remove(tree_.path() + kStatus);
  }
}

TEST_F(DaemonTest, ObservesWithoutWriting) {
  run(Mode::kObserve, [this] { return status().is_object(); });
  EXPECT_FALSE(exists(staged_path(kFile)));
  EXPECT_FALSE(exists(kFile));
}

TEST_F(DaemonTest, ObservesARecordedNodeWithoutAPressureTriggerOverItsFile) {
  const std::string before = content("/proc/pressure/memory");
  ASSERT_THAT(before, HasSubstr("some avg10="));
  run(Mode::kObserve, [this] { return status().is_object(); });
  EXPECT_EQ(content("/proc/pressure/memory"), before);
}

TEST_F(DaemonTest, ObserveLeavesAValueThatHurtsAndSaysSo) {
  const std::string ours = config::render_drop_in({.hard = Bytes{std::int64_t{1} << 40}});
  tree_.file(std::string{kFile}.substr(1), ours);
  run(Mode::kObserve, [this] { return has_problem("and mode observe does not mend that"); });
  EXPECT_EQ(content(kFile), ours);
}

TEST_F(DaemonTest, ObserveLeavesAnInterruptedChangeAndSaysSo) {
  Journal journal;
  journal.file = kFile;
  journal.after = config::render_drop_in({});
  tree_.file(journal_path(kFile).substr(1), render_journal(journal))
      .file(std::string{kFile}.substr(1), *journal.after);
  run(Mode::kObserve, [this] { return has_problem("interrupted in phase write"); });
  EXPECT_EQ(content(kFile), *journal.after);
  EXPECT_EQ(content(journal_path(kFile)), render_journal(journal));
}

TEST_F(DaemonTest, UndoesAChangeThatWasInterruptedBeforeTheKubeletWasTold) {
  Journal journal;
  journal.file = kFile;
  journal.boot_id = "b";
  journal.after = config::render_drop_in({});
  tree_.file("proc/sys/kernel/random/boot_id", "b\n")
      .file(journal_path(kFile).substr(1), render_journal(journal))
      .file(std::string{kFile}.substr(1), *journal.after);
  const auto kubelet = find_kubelet(*cgroup::Directory::open(tree_.path("proc")),
                                    *cgroup::Directory::open(tree_.path()),
                                    {},
                                    buffer_);
  ASSERT_TRUE(kubelet);
  journal.kubelet = {"b", kubelet->start};
  tree_.file(journal_path(kFile).substr(1), render_journal(journal));
  run(Mode::kStage, [this] { return !exists(kFile); });
}

// The kubelet that a value keeps from starting cannot tell where the value is.
TEST_F(DaemonTest, UndoesAnInterruptedChangeThoughNoKubeletRuns) {
  end_kubelet();
  tree_.file("proc/sys/kernel/random/boot_id", "b\n");
  Record record;
  record.file = "/opt/kubelet.conf.d/60-eviction-agent.conf";
  tree_.file(std::string{kState}.substr(1), render_record(record));
  for (const std::string& file : {std::string{kFile}, record.file}) {
    Journal journal;
    journal.phase = Phase::kPutBack;
    journal.file = file;
    journal.boot_id = "b";
    journal.after = config::render_drop_in({});
    tree_.file(journal_path(file).substr(1), render_journal(journal))
        .file(file.substr(1), *journal.after);
    run(Mode::kStage, [&] { return !exists(file); });
    std::filesystem::remove(tree_.path() + journal_path(file));
  }
}

TEST_F(DaemonTest, ReadsARecordThatRollbackCleared) {
  Record record;
  for (int i = 0; i < kQuarantineAfter; ++i) {
    count_failure(record, std::chrono::sys_seconds{std::chrono::seconds{1}}, "it did not work");
  }
  tree_.file(std::string{kState}.substr(1), render_record(record));
  bool cleared = false;
  run(Mode::kStage, [this, &cleared] {
    const nlohmann::json now = status();
    if (!now.is_object()) {
      return false;
    }
    const std::string refused = now["record"]["refused"].get<std::string>();
    if (!cleared && refused.find("quarantined") != std::string::npos) {
      cleared = std::filesystem::remove(tree_.path() + kState);
      EXPECT_EQ(std::raise(SIGHUP), 0);  // looks at once
    }
    return cleared && refused.empty();
  });
}

TEST_F(DaemonTest, KeepsItsConfigurationWhenTheNewOneIsWrong) {
  reloaded_.errors = {Error{ErrorKind::kMalformed, "/etc/x.ini", 3, "no such key", {}}};
  reloaded_.config.mode = Mode::kObserve;
  bool told = false;
  run(Mode::kStage, [this, &told] {
    if (!told && status().is_object()) {
      told = std::raise(SIGHUP) == 0;
    }
    return has_problem("/etc/x.ini:3");
  });
  EXPECT_EQ(status()["mode"], "stage");
}

TEST_F(DaemonTest, SetsACorruptStateAside) {
  tree_.file(std::string{kState}.substr(1), "{\"version\": 1, \"rest");
  run(Mode::kStage, [this] { return has_problem("state.json.corrupt"); });
  EXPECT_FALSE(exists(kState));
}

TEST_F(DaemonTest, KeepsWhatItLearnedAndSetsACorruptRecordAside) {
  tree_.file(std::string{kGrowth}.substr(1), "{\"version\": 1, \"fal");
  run(Mode::kStage, [this] { return has_problem("growth.json.corrupt"); });
  EXPECT_TRUE(parse_growth(content(kGrowth), kGrowth));
  EXPECT_EQ(content(std::string{kGrowth} + ".corrupt"), "{\"version\": 1, \"fal");
}

TEST_F(DaemonTest, RecordsAndTellsItsForecast) {
  run(Mode::kObserve, [this] { return status().is_object(); });
  std::size_t walks = 0;
  std::size_t beginnings = 0;
  const auto read = read_recording(content("/var/lib/eviction-agent/recording.bin"),
                                   [&walks, &beginnings](const Moment& moment) {
                                     walks += moment.seen != nullptr ? 1U : 0U;
                                     beginnings += moment.learned != nullptr ? 1U : 0U;
                                   });
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->problem);
  EXPECT_GE(walks, 1U);
  EXPECT_EQ(beginnings, 1U) << "with what was learned";
  const nlohmann::json now = status();
  ASSERT_EQ(now["forecast"]["horizons"].size(), 4U);
  for (const nlohmann::json& horizon : now["forecast"]["horizons"]) {
    EXPECT_TRUE(horizon["probability"].is_null());
    EXPECT_THAT(horizon["probability_absent"].get<std::string>(), HasSubstr("a score needs"));
  }
  EXPECT_EQ(now["early_warning"]["on"], false);
  EXPECT_THAT(now["early_warning"]["reason"].get<std::string>(), HasSubstr("no probability"));
}

TEST_F(DaemonTest, KnowsTheLowOfTheLastHourFromItsRecording) {
  const std::chrono::minutes history{10};
  const bool long_up = since_boot() > history;  // else there is no such history to be had
  const Host host = open_host(tree_.path("proc"), tree_.path("sys"), tree_.path());
  const Observation seen = observe(host, {}, buffer_);
  tree_.directory("var/lib/eviction-agent");
  {
    KeptRecording recording;
    ASSERT_TRUE(recording.open(*cgroup::Directory::open(tree_.path("var/lib/eviction-agent")),
                               std::string{kRecordingFile},
                               kRecordingFileLimit));
    for (std::chrono::minutes ago = history; long_up && ago.count() > 0; --ago) {
      ASSERT_TRUE(recording.add({.at = wall_now() - ago,
                                 .since_boot = since_boot() - ago,
                                 .mem_total = seen.meminfo->mem_total,
                                 .mem_available = seen.meminfo->mem_available,
                                 .seen = &seen}));
    }
  }
  run(Mode::kObserve, [this] { return status().is_object(); });
  EXPECT_THAT(status()["plan"]["guards"].dump(),
              HasSubstr(long_up ? "at the low of the last hour" : "no history yet"));
}

TEST_F(DaemonTest, SetsAsideWhatCannotBeARecording) {
  const std::string recording = "var/lib/eviction-agent/recording.bin";
  const std::string aside = recording + std::string{kCorruptSuffix};
  tree_.directory(recording);
  run(Mode::kObserve, [&] { return has_problem("recording.bin.corrupt"); });
  EXPECT_TRUE(std::filesystem::is_directory(tree_.path(aside)));
  EXPECT_TRUE(std::filesystem::is_regular_file(tree_.path(recording)));
  std::filesystem::remove(tree_.path(aside));
  std::filesystem::resize_file(tree_.path(recording), 16 << 20);
  run(Mode::kObserve, [&] { return has_problem("recording.bin.corrupt"); });
  EXPECT_EQ(std::filesystem::file_size(tree_.path(aside)), 16 << 20);
  EXPECT_LT(std::filesystem::file_size(tree_.path(recording)), 1 << 20);
}

TEST_F(DaemonTest, GoesOnWithoutARecordingThatAnotherAddsTo) {
  tree_.directory("var/lib/eviction-agent");
  KeptRecording other;
  ASSERT_TRUE(other.open(*cgroup::Directory::open(tree_.path("var/lib/eviction-agent")),
                         std::string{kRecordingFile},
                         kRecordingFileLimit));
  const std::string before = content("/var/lib/eviction-agent/recording.bin");
  run(Mode::kObserve, [this] { return has_problem("recording.bin: another eviction-agent"); });
  EXPECT_EQ(content("/var/lib/eviction-agent/recording.bin"), before);
}

TEST_F(DaemonTest, UndoesAValueThatNobodyPutInForce) {
  tree_.file(std::string{kFile}.substr(1), config::render_drop_in({}));
  run(Mode::kStage, [this] {
    EXPECT_EQ(std::raise(SIGHUP), 0);  // looks at once
    return !exists(kFile);
  });
  EXPECT_FALSE(exists(journal_path(kFile)));
  EXPECT_THAT(content(kIncidents), HasSubstr("was withdrawn"));
}

TEST_F(DaemonTest, RemovesWhatInterruptedWritesLeft) {
  const std::string journal = journal_path(kFile) + ".tmp";
  const std::string own = std::string{kFile} + ".tmp";
  tree_.file(journal.substr(1), "{").file(own.substr(1), "");
  run(Mode::kStage, [&] { return !exists(journal) && !exists(own); });
}

TEST_F(DaemonTest, LeavesAFileOfOthersThatHasItsName) {
  tree_.file(std::string{kFile}.substr(1), "kind: KubeletConfiguration\n");
  run(Mode::kStage, [this] { return status().is_object(); });
  EXPECT_EQ(content(kFile), "kind: KubeletConfiguration\n");
}

// Nothing listens behind this socket's queue: who connects waits for an answer that never comes.
TEST_F(DaemonTest, DoesNotWaitForTheApiServer) {
  const tests::LoopbackSocket server;
  server.listen();
  const tests::Authority authority{"cluster"};
  tree_.file("ca.crt", authority.pem());
  tree_.file("var/lib/rancher/rke2/agent/kubelet.kubeconfig",
             "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
             "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:" +
                 std::to_string(server.port()) +
                 "', certificate-authority: /ca.crt}}]\nusers: [{name: u, user: {token: t}}]\n");
  run(Mode::kStage, [this] { return status().is_object(); });
  EXPECT_EQ(status()["problems"].size(), 0U) << status()["problems"];
  EXPECT_TRUE(exists(staged_path(kFile)));
}

TEST_F(DaemonTest, LogsAtOnceThatTheTextFileCannotBeWritten) {
  end_kubelet();  // whose answer would begin a second walk
  textfile_ = tree_.path("none/metrics.prom");
  testing::internal::CaptureStdout();  // spdlog's default logger writes there
  run(Mode::kObserve, [this] { return status().is_object(); });
  EXPECT_THAT(testing::internal::GetCapturedStdout(),
              HasSubstr("none/metrics.prom: cannot write the metrics: No such file"));
  EXPECT_FALSE(has_problem("none/metrics.prom")) << "there was one";
}

TEST_F(DaemonTest, IsTheOnlyOne) {
  const cgroup::Directory root = *cgroup::Directory::open(tree_.path());
  const Result<HostLock> lock = HostLock::take(root, kRunLock);
  ASSERT_TRUE(lock);
  const Host host = open_host(tree_.path("proc"), tree_.path("sys"), tree_.path());
  auto loop = systemd::EventLoop::create();
  Daemon daemon{host, {}, [] { return config::LoadedConfig{}; }, *loop};
  const Result<void> ended = daemon.run();
  ASSERT_FALSE(ended);
  EXPECT_THAT(to_text(ended.error()), HasSubstr("another eviction-agent"));
}

}  // namespace
}  // namespace eviction::agent
