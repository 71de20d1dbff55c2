// SPDX-License-Identifier: Apache-2.0
#include "agent/target_files.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "config/drop_in.h"
#include "systemd/child_task.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr const char* kDropIn = "/data/kubelet.conf.d/60-eviction-agent.conf";
constexpr const char* kArguments = "/etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml";

class TargetFiles : public testing::Test {
 protected:
  [[nodiscard]] cgroup::Directory root() const { return *cgroup::Directory::open(tree_.path()); }

  [[nodiscard]] std::string content(const std::string& path) const {
    std::ifstream file{tree_.path() + path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  [[nodiscard]] bool exists(const std::string& path) const {
    return std::filesystem::exists(tree_.path() + path);
  }

  [[nodiscard]] static std::string ours() { return config::render_drop_in({}); }

  [[nodiscard]] static Kubelet kubelet() {
    Kubelet kubelet;
    kubelet.target = Target::kRke2Dropin;
    kubelet.file = kDropIn;
    kubelet.arguments_file = kArguments;
    return kubelet;
  }

  tests::TemporaryTree tree_;
};

TEST_F(TargetFiles, WritesAndRemovesOnlyWhatIsOurs) {
  tree_.directory("data/kubelet.conf.d");
  ASSERT_TRUE(put_file(root(), kDropIn, ours()));
  EXPECT_EQ(content(kDropIn), ours());
  ASSERT_TRUE(put_file(root(), kDropIn, std::nullopt));
  EXPECT_FALSE(exists(kDropIn));
  EXPECT_TRUE(put_file(root(), kDropIn, std::nullopt)) << "there is nothing to remove";
  tree_.file("data/kubelet.conf.d/60-eviction-agent.conf", "kind: KubeletConfiguration\n");
  for (const std::optional<std::string>& wanted : {std::optional{ours()}, {}}) {
    const Result<void> put = put_file(root(), kDropIn, wanted);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().kind, ErrorKind::kDenied);
    EXPECT_THAT(to_text(put.error()), HasSubstr("60-eviction-agent.conf"));
    EXPECT_EQ(content(kDropIn), "kind: KubeletConfiguration\n");
  }
}

TEST_F(TargetFiles, AFileOfArgumentsIsOutdatedOnceThereAreDropIns) {
  EXPECT_FALSE(outdated_file(root(), kubelet()));
  tree_.file(std::string{kArguments}.substr(1), "kubelet-arg+: [a=b]\n");
  EXPECT_FALSE(outdated_file(root(), kubelet())) << "somebody else's";
  tree_.file(std::string{kArguments}.substr(1), ours());
  EXPECT_EQ(outdated_file(root(), kubelet()), kArguments);
  Kubelet old = kubelet();
  old.target = Target::kRke2Args;
  EXPECT_FALSE(outdated_file(root(), old)) << "there it is the target itself";
}

TEST_F(TargetFiles, RollbackLeavesNothingOfOursAndAllOfOthers) {
  tree_.file("data/kubelet.conf.d/00-rke2-defaults.conf", "x")
      .file("data/kubelet.conf.d/60-eviction-agent.conf", ours())
      .file("data/kubelet.conf.d/60-eviction-agent.conf.staged", ours())
      .file("data/kubelet.conf.d/60-eviction-agent.conf.journal", "{}")
      .file(std::string{kArguments}.substr(1), ours())
      .file("etc/rancher/rke2/config.yaml.d/99-max-pods.yaml", "y");
  const Removed removed = remove_target_files(root(), kubelet(), {});
  EXPECT_TRUE(removed.problems.empty());
  EXPECT_THAT(removed.paths,
              UnorderedElementsAre(EndsWith("d/60-eviction-agent.conf"),
                                   HasSubstr(".staged"),
                                   HasSubstr(".journal"),
                                   HasSubstr("99-z50-eviction-agent.yaml")));
  EXPECT_FALSE(exists(kDropIn));
  EXPECT_FALSE(exists(staged_path(kDropIn)));
  EXPECT_FALSE(exists(journal_path(kDropIn)));
  EXPECT_FALSE(exists(kArguments));
  EXPECT_EQ(content("/data/kubelet.conf.d/00-rke2-defaults.conf"), "x");
  EXPECT_EQ(content("/etc/rancher/rke2/config.yaml.d/99-max-pods.yaml"), "y");
  EXPECT_THAT(remove_target_files(root(), kubelet(), {}).paths, ElementsAre());
}

TEST_F(TargetFiles, RollbackFindsItsFilesWithoutAKubelet) {
  const std::string rke2 = "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";
  tree_.file(rke2.substr(1), ours()).file(staged_path(rke2).substr(1), ours());
  EXPECT_EQ(remove_target_files(root(), std::nullopt, {}).paths.size(), 2U);
  EXPECT_FALSE(exists(rke2));
  EXPECT_FALSE(exists(staged_path(rke2)));
}

TEST_F(TargetFiles, RollbackGoesOnBehindAFileThatCannotBeRemoved) {
  tree_.directory(std::string{kDropIn}.substr(1))
      .file(journal_path(kDropIn).substr(1), "{}")
      .file(std::string{kArguments}.substr(1), ours());
  const Removed removed = remove_target_files(root(), kubelet(), {});
  EXPECT_THAT(removed.paths, ElementsAre(EndsWith("99-z50-eviction-agent.yaml")));
  ASSERT_EQ(removed.problems.size(), 1U);
  EXPECT_THAT(to_text(removed.problems[0]), HasSubstr(kDropIn));
  EXPECT_TRUE(exists(journal_path(kDropIn))) << "the rollback is not at its end";
}

// A kubelet that its value keeps from starting cannot tell where the value is.
TEST_F(TargetFiles, RollbackFindsTheFileOfTheLastChangeWithoutAKubelet) {
  tree_.file(std::string{kDropIn}.substr(1), ours()).file(journal_path(kDropIn).substr(1), "{}");
  EXPECT_EQ(remove_target_files(root(), std::nullopt, kDropIn).paths.size(), 2U);
  EXPECT_FALSE(exists(kDropIn));
  EXPECT_FALSE(exists(journal_path(kDropIn)));
}

TEST_F(TargetFiles, AnInterruptedChangeIsFoundBesideAJournalThatCannotBeRead) {
  Journal journal;
  journal.phase = Phase::kWatch;
  journal.file = kDropIn;
  const std::string usual = "/etc/rancher/k3s/config.yaml.d/99-z50-eviction-agent.yaml";
  tree_.file(journal_path(kDropIn).substr(1), render_journal(journal))
      .file(journal_path(usual).substr(1), "none");
  const auto found = interrupted_change(root(), kubelet(), {});
  ASSERT_TRUE(found) << to_text(found.error());
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->file, kDropIn);
  EXPECT_FALSE(interrupted_change(root(), std::nullopt, {})) << "it may be one";
}

TEST_F(TargetFiles, RollbackLeavesAFileOfTheSameNameWithoutOurMark) {
  tree_.file("data/kubelet.conf.d/60-eviction-agent.conf", "kind: KubeletConfiguration\n");
  EXPECT_THAT(remove_target_files(root(), kubelet(), {}).paths, ElementsAre());
  EXPECT_EQ(content(kDropIn), "kind: KubeletConfiguration\n");
}

TEST_F(TargetFiles, OneAgentAtATimeHoldsALock) {
  EXPECT_EQ(HostLock::is_held(root(), kChangeLock), false) << "there is no folder";
  tree_.directory("run");
  EXPECT_EQ(HostLock::is_held(root(), kChangeLock), false) << "there is no lock";
  {
    const Result<HostLock> first = HostLock::take(root(), kChangeLock);
    ASSERT_TRUE(first) << to_text(first.error());
    EXPECT_EQ(HostLock::is_held(root(), kChangeLock), true);
    EXPECT_EQ(HostLock::is_held(root(), kRunLock), false);
    const Result<HostLock> second = HostLock::take(root(), kChangeLock);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kDenied);
    EXPECT_THAT(to_text(second.error()), HasSubstr("another eviction-agent"));
    EXPECT_TRUE(HostLock::take(root(), kRunLock)) << "a lock of its own";
  }
  EXPECT_EQ(HostLock::is_held(root(), kChangeLock), false);
  EXPECT_TRUE(HostLock::take(root(), kChangeLock));
}

TEST_F(TargetFiles, WhetherALockIsHeldMayNotBeKnown) {
  tree_.file("run/eviction-agent", "no folder");
  EXPECT_FALSE(HostLock::is_held(root(), kChangeLock));
}

TEST_F(TargetFiles, ALockEndsThoughAChildStillRuns) {
  tree_.directory("run");
  auto loop = systemd::EventLoop::create();
  ASSERT_TRUE(loop);
  std::optional<HostLock> lock{*HostLock::take(root(), kChangeLock)};
  const auto child = systemd::ChildTask::start(*loop,
                                               []() -> std::string {
                                                 for (;;) {
                                                   ::pause();
                                                 }
                                               },
                                               std::chrono::seconds{60},
                                               {});
  ASSERT_TRUE(child);
  lock.reset();
  EXPECT_TRUE(HostLock::take(root(), kChangeLock));
}

}  // namespace
}  // namespace eviction::agent
