// SPDX-License-Identifier: Apache-2.0
#include "agent/executor.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "agent/policy/guards.h"
#include "agent/policy/sizing.h"
#include "agent/state_file.h"
#include "config/drop_in.h"
#include "tests/support/constructed_node.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"

namespace {

// NOLINTBEGIN(*-avoid-non-const-global-variables): the C library's functions have no room for them
bool disk_is_full = false;
bool no_processes = false;
// NOLINTEND(*-avoid-non-const-global-variables)

}  // namespace

// In place of the C library's, for this program.

extern "C" int renameat(int from, const char* old, int to, const char* name) noexcept {
  if (disk_is_full) {
    errno = ENOSPC;
    return -1;
  }
  return ::renameat2(from, old, to, name, 0);
}

extern "C" pid_t fork() {
  if (no_processes) {
    errno = EAGAIN;
    return -1;
  }
  return reinterpret_cast<pid_t (*)()>(::dlsym(RTLD_NEXT, "fork"))();
}

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using testing::HasSubstr;

constexpr const char* kFile =
    "var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";
constexpr const char* kJournal =
    "var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf.journal";

/// A node that a value can be put in force on.
class ExecutorTest : public testing::Test {
 protected:
  ExecutorTest() {
    write(tests::named_node("mixed-128g"), tree_.path());
    tree_.directory("run");
    config_.mode = config::Mode::kEnforce;
  }

  /// The plan was made when the runtime answered.
  void begin() {
    host_.emplace(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()));
    cgroup::Buffer buffer;
    Circumstances known;
    known.runtime_silence = "";
    plan_ = make_plan(observe(*host_, config_, buffer), config_, known);
    executor_.emplace(
        *host_, config_, *loop_, [] {}, [this] { loop_->exit(0); });
    executor_->act_on(plan_, {});
  }

  /// Of the runtime, once it was asked anew.
  std::optional<std::string> silence() {
    EXPECT_TRUE(loop_->run());
    return executor_->runtime_silence(*plan_.observation.kubelet);
  }

  /// Puts a file with this hard threshold there, and says in its journal that the kubelet uses it.
  void arm(Bytes hard) {
    begin();
    Journal journal;
    journal.phase = Phase::kCommitted;
    journal.file = plan_.observation.kubelet->file;
    journal.after = config::render_drop_in({.hard = hard});
    journal.proven = KubeletRun{"boot-1", plan_.observation.kubelet->start};
    tree_.file("proc/sys/kernel/random/boot_id", "boot-1\n")
        .file(kJournal, render_journal(journal))
        .file(kFile, *journal.after);
  }

  /// The most that the pods' requests leave for a hard threshold.
  [[nodiscard]] Bytes room() const {
    const Bytes step = rounding_step(*plan_.memory.capacity);
    return requests_bound(plan_.observation, plan_.memory, step)->possible;
  }

  [[nodiscard]] bool has_file() const { return std::filesystem::exists(tree_.path(kFile)); }

  [[nodiscard]] bool has_begun() const { return std::filesystem::exists(tree_.path(kJournal)); }

  Status status() {
    Status status;
    executor_->report(status);
    return status;
  }

  tests::TemporaryTree tree_;
  config::AgentConfig config_;
  Result<systemd::EventLoop> loop_ = systemd::EventLoop::create();
  std::optional<Host> host_;
  Plan plan_;
  std::optional<Executor> executor_;
};

// The runtime answered when the plan was made, and is gone since.
TEST_F(ExecutorTest, AsksTheRuntimeAnewBeforeItBegins) {
  begin();
  ASSERT_FALSE(has_begun());
  EXPECT_THAT(silence(), testing::Optional(HasSubstr("run/k3s/containerd")));
  const Status now = status();
  EXPECT_EQ(now.decision.act, Act::kApply) << now.decision.reason;
  executor_->act_on(plan_, {});
  EXPECT_TRUE(has_begun()) << "the answer is new";
}

// Restarts and a quarantine may stand there.
TEST_F(ExecutorTest, BeginsNothingWhileItsRecordCannotBeRead) {
  tree_.file("var/lib/eviction-agent/state.json", {});
  std::filesystem::resize_file(tree_.path("var/lib/eviction-agent/state.json"),
                               cgroup::Directory::kLimit + 1);
  begin();
  static_cast<void>(executor_->read_record());
  executor_->act_on(plan_, {});
  const Decision decision = status().decision;
  EXPECT_EQ(decision.act, Act::kStage);
  EXPECT_THAT(decision.reason, HasSubstr("state.json"));
  EXPECT_THAT(decision.reason, HasSubstr("remove it"));
}

TEST_F(ExecutorTest, BeginsNothingBeforeItMay) {
  begin();
  EXPECT_TRUE(silence());
  executor_->act_on(plan_, "it is another node's turn");
  EXPECT_FALSE(has_begun());
  const Status now = status();
  EXPECT_EQ(now.decision.act, Act::kStage);
  EXPECT_EQ(now.decision.reason, "it is another node's turn");
  executor_->act_on(plan_, {});
  EXPECT_TRUE(has_begun());
}

// To wait for its turn would not help.
TEST_F(ExecutorTest, SaysFirstThatTheConfigurationAllowsNoRestart) {
  config_.target = config::TargetChoice::kRke2Args;
  begin();
  executor_->act_on(plan_, "it is another node's turn");
  EXPECT_THAT(status().decision.reason, HasSubstr("restart-unit is no"));
}

TEST_F(ExecutorTest, BeginsNothingThatItCouldNotRemember) {
  tree_.file("var/lib/eviction-agent", "not a folder");
  begin();
  EXPECT_TRUE(silence());
  executor_->act_on(plan_, {});
  EXPECT_FALSE(has_begun());
  EXPECT_THAT(status().problems, testing::Contains(HasSubstr("var/lib/eviction-agent")));
}

// It may be of a change that was interrupted: another one would forget what was there before it.
TEST_F(ExecutorTest, BeginsNothingOverAJournalThatItCannotRead) {
  tree_.file(kJournal, "of another version");
  begin();
  const Status now = status();
  EXPECT_EQ(now.decision.act, Act::kStage) << now.decision.reason;
  EXPECT_THAT(now.decision.reason, HasSubstr("interrupted"));
}

// As at each upgrade of the agent on a node where requests are unknown, or leave little room.
TEST_F(ExecutorTest, GivesBackWhatItTookAwayWhenItLeft) {
  begin();
  const Kubelet kubelet = *plan_.observation.kubelet;
  tree_.file("proc/sys/kernel/random/boot_id", "boot-1\n");
  Journal journal;
  journal.phase = Phase::kCommitted;
  journal.file = kubelet.file;
  journal.after = plan_.file_content;
  journal.proven = KubeletRun{"boot-1", kubelet.start};
  const std::string file = kubelet.file.substr(1);
  tree_.file(kJournal, render_journal(journal)).file(file, plan_.file_content);
  begin();
  EXPECT_EQ(status().decision.reason, "the file has this value");
  Plan unsure = plan_;
  unsure.observation.pods.front().request.reset();
  executor_->leave(unsure);
  EXPECT_FALSE(std::filesystem::exists(tree_.path(file)));

  config_.mode = config::Mode::kStage;
  begin();
  EXPECT_EQ(status().decision.act, Act::kRestore) << status().decision.reason;
  ASSERT_TRUE(std::filesystem::exists(tree_.path(file)));
  begin();
  EXPECT_EQ(plan_.observation.kubelet->file_content, journal.after);
  EXPECT_FALSE(plan_.observation.kubelet->withdrawn);
  EXPECT_EQ(status().decision.act, Act::kNothing) << status().decision.reason;

  // Taken away by somebody else.
  std::filesystem::remove(tree_.path(file));
  begin();
  EXPECT_EQ(status().decision.act, Act::kStage) << status().decision.reason;
}

// Or they would be of now at each look, for ever.
TEST_F(ExecutorTest, KeepsThatRestartsOfTheFutureAreOfNow) {
  Record record;
  count_restart(record, wall_now() + std::chrono::hours{24 * 365 * 10});
  tree_.file("var/lib/eviction-agent/state.json", render_record(record));
  begin();
  EXPECT_EQ(executor_->read_record().restarts.size(), 1U);
  const Record kept = load_record(*host_->root).record;
  ASSERT_EQ(kept.restarts.size(), 1U);
  EXPECT_LE(kept.restarts.front(), wall_now());
}

TEST_F(ExecutorTest, WithdrawsWhatItCannotShrink) {
  begin();
  arm(room() + 1_GiB);
  begin();
  EXPECT_EQ(status().decision.act, Act::kShrink) << status().decision.reason;
  ASSERT_TRUE(has_file());

  arm(room() + 1_GiB);
  disk_is_full = true;
  begin();
  disk_is_full = false;
  const Status now = status();
  EXPECT_EQ(now.decision.act, Act::kShrink) << now.decision.reason;
  EXPECT_FALSE(has_file());
  EXPECT_THAT(now.problems, testing::Contains(HasSubstr("No space left on device")));
  const std::vector<Incident> incidents = executor_->take_incidents();
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_THAT(incidents.front().what, HasSubstr("a smaller one could not be written"));
}

TEST_F(ExecutorTest, WithdrawsNoFileBecauseItCannotAsk) {
  begin();
  tree_.file(kFile, plan_.file_content);
  no_processes = true;
  begin();
  no_processes = false;
  const Status now = status();
  ASSERT_TRUE(now.in_force);
  EXPECT_THAT(now.in_force->reason, HasSubstr("cannot start a process"));
  EXPECT_TRUE(has_file());
}

// By a plan that is older than what the transaction did.
TEST_F(ExecutorTest, DecidesNothingInAWalkInWhichATransactionEnds) {
  begin();
  Journal journal;
  journal.phase = Phase::kPutBack;
  journal.file = plan_.observation.kubelet->file;
  journal.after = config::render_drop_in({.hard = 1_GiB});
  journal.failure = "a pod was lost";
  tree_.file(kJournal, render_journal(journal))
      .file(kFile, config::render_drop_in({.hard = room() + 1_GiB}));
  begin();
  const Status now = status();
  EXPECT_FALSE(now.transaction) << "somebody else changed the file";
  EXPECT_THAT(now.transaction_reason, HasSubstr("a pod was lost"));
  EXPECT_EQ(now.decision.reason, "");
  begin();
  EXPECT_EQ(status().decision.act, Act::kShrink);
}

/// A change from before to after that is being watched.
Journal watched(const Kubelet& kubelet,
                const std::optional<std::string>& before,
                const std::string& after) {
  Journal journal;
  journal.phase = Phase::kWatch;
  journal.since = since_boot();
  journal.boot_id = "boot-1";
  journal.file = kubelet.file;
  journal.before = before;
  journal.after = after;
  journal.kubelet = {"boot-1", 1};
  return journal;
}

// As at an upgrade of the agent: a kubelet that starts meanwhile has to find a value that is safe.
TEST_F(ExecutorTest, UndoesATransactionThatNobodyWillWatch) {
  begin();
  const std::string tight = config::render_drop_in({.hard = room() - 64_MiB});
  const std::string loose = config::render_drop_in({.hard = 1_GiB});

  struct {
    const char* name;
    std::optional<std::string> before;
    std::string after;
    std::optional<std::string> left;
  } const cases[] = {
      {"safe alone", loose, config::render_drop_in({.hard = 2_GiB}), "after"},
      {"not safe", loose, tight, loose},
      {"not safe, and new", std::nullopt, tight, std::nullopt},
      {"neither is safe", config::render_drop_in({.hard = room() - 32_MiB}), tight, {}}};

  for (const auto& [name, before, after, left] : cases) {
    SCOPED_TRACE(name);
    const Journal journal = watched(*plan_.observation.kubelet, before, after);
    tree_.file("proc/sys/kernel/random/boot_id", "boot-1\n")
        .file(kJournal, render_journal(journal))
        .file(kFile, after);
    begin();
    ASSERT_TRUE(status().transaction);
    executor_->leave(plan_);
    begin();
    EXPECT_EQ(plan_.observation.kubelet->file_content, left == "after" ? after : left);
    const Status next = status();
    if (left == "after") {
      EXPECT_EQ(next.transaction->phase, Phase::kWatch);
    } else if (next.transaction) {
      EXPECT_EQ(next.transaction->phase, Phase::kPutBack) << "the next agent goes on";
      EXPECT_THAT(next.transaction->failure, HasSubstr("the agent was stopped"));
    }
  }
}

// The plan was made when no kubelet ran.
TEST_F(ExecutorTest, UndoesATransactionWhileTheKubeletIsAway) {
  begin();
  const std::string after = config::render_drop_in({.hard = 1_GiB});
  tree_.file("proc/sys/kernel/random/boot_id", "boot-1\n")
      .file(kJournal, render_journal(watched(*plan_.observation.kubelet, std::nullopt, after)))
      .file(kFile, after);
  begin();
  ASSERT_TRUE(status().transaction);
  Plan without = plan_;
  without.observation.kubelet.reset();
  executor_->leave(without);
  EXPECT_FALSE(has_file());
}

}  // namespace
}  // namespace eviction::agent
