// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_process.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "tests/agent/find_kubelet.h"

namespace eviction::agent {
namespace {

using config::TargetChoice;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(FindKubelet, OfRke2From132) {
  add_rke2();
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->pid, 1000);
  EXPECT_EQ(kubelet->start, 4711U);
  EXPECT_FALSE(kubelet->embedded);
  EXPECT_EQ(kubelet->supervisor, "rke2");
  EXPECT_THAT(kubelet->arguments,
              ElementsAre(std::string{"--config-dir="} + kRke2DropIns, "--v=2"));
  ASSERT_TRUE(kubelet->version);
  EXPECT_EQ(kubelet->version->minor, 32);
  EXPECT_EQ(kubelet->version->patch, 3);
  EXPECT_THAT(kubelet->version_source, HasSubstr("/data/v1.32.3-rke2r1-0123abcd/bin/kubelet"));
  EXPECT_EQ(kubelet->target, Target::kRke2Dropin);
  EXPECT_EQ(kubelet->file, std::string{kRke2DropIns} + "/60-eviction-agent.conf");
  EXPECT_FALSE(kubelet->file_content);
  EXPECT_EQ(kubelet->root_dir, "/var/lib/kubelet");
  EXPECT_THAT(kubelet->problems, IsEmpty());
}

TEST_F(FindKubelet, ItsEffectiveSettingsAreLoaded) {
  add_rke2();
  const std::string folder = std::string{kRke2DropIns}.substr(1);
  tree_.file(folder + "/00-rke2-defaults.conf",
             "apiVersion: kubelet.config.k8s.io/v1beta1\n"
             "kind: KubeletConfiguration\n"
             "evictionHard:\n"
             "  imagefs.available: 5%\n"
             "  nodefs.available: 5%\n");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_THAT(kubelet->loaded.errors, IsEmpty());
  const auto& hard = kubelet->loaded.settings.eviction_hard;
  ASSERT_TRUE(hard);
  ASSERT_EQ(hard->size(), 2U) << "RKE2 sets no memory signal";
  EXPECT_EQ(hard->at("nodefs.available").value, "5%");
  EXPECT_THAT(hard->at("nodefs.available").source, HasSubstr("00-rke2-defaults.conf"));
}

TEST_F(FindKubelet, OfRke2IsKnownByItsDirectoryBelowAnotherSupervisor) {
  add({.pid = 1, .comm = "systemd", .argv = {"/sbin/init"}});
  add({.pid = 1064,
       .comm = "kubelet",
       .argv = {"/usr/local/bin/kubelet", std::string{"--config-dir="} + kRke2DropIns}});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->supervisor, "systemd");
  EXPECT_EQ(kubelet->target, Target::kRke2Dropin);
}

TEST_F(FindKubelet, OfRke2KeepsAMovedDataDirectory) {
  add({.pid = 900, .comm = "rke2"});
  add({.pid = 1000,
       .comm = "kubelet",
       .argv = {"kubelet", "--config-dir=/data/agent/etc/kubelet.conf.d"},
       .parent = 900});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->target, Target::kRke2Dropin);
  EXPECT_EQ(kubelet->file, "/data/agent/etc/kubelet.conf.d/60-eviction-agent.conf");
}

TEST_F(FindKubelet, OfRke2Up131TakesArguments) {
  add({.pid = 900, .comm = "rke2"});
  add({.pid = 1000,
       .comm = "kubelet",
       .argv = {"kubelet", "--eviction-hard=imagefs.available<5%,nodefs.available<5%"},
       .parent = 900,
       .exe = "/var/lib/rancher/rke2/data/v1.31.7-rke2r1-fedcba98/bin/kubelet (deleted)"});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->target, Target::kRke2Args);
  EXPECT_EQ(kubelet->file, "/etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml");
  ASSERT_TRUE(kubelet->version);
  EXPECT_EQ(kubelet->version->minor, 31);
}

TEST_F(FindKubelet, OfRke2Up131RemembersTheArgumentsPutInForce) {
  const std::string file = "etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml";
  add({.pid = 900, .comm = "rke2"});
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet"}, .parent = 900});
  ASSERT_TRUE(find());
  EXPECT_EQ(find()->committed, "");
  Journal journal;
  journal.phase = Phase::kWatch;
  journal.after = "arguments";
  tree_.file(file + ".journal", render_journal(journal));
  EXPECT_EQ(find()->committed, "") << "it may be put back yet";
  journal.phase = Phase::kCommitted;
  tree_.file(file + ".journal", render_journal(journal));
  EXPECT_EQ(find()->committed, "arguments");
}

TEST_F(FindKubelet, KnowsWhatThisRunOfItWasSeenToUse) {
  const std::string file = std::string{kRke2DropIns}.substr(1) + "/60-eviction-agent.conf.journal";
  add_rke2();
  const auto start = find()->start;
  Journal journal;
  journal.phase = Phase::kCommitted;
  journal.after = "a value";
  journal.proven = KubeletRun{"this-boot", start};
  tree_.file(file, render_journal(journal));
  EXPECT_FALSE(find()->proven) << "which boot this is cannot be read";
  tree_.file("proc/sys/kernel/random/boot_id", "this-boot\n");
  EXPECT_TRUE(find()->proven);
  EXPECT_EQ(find()->committed, "a value");
  EXPECT_FALSE(find()->withdrawn);
  journal.withdrawn = true;
  journal.proven->start = start - 1;
  tree_.file(file, render_journal(journal));
  EXPECT_FALSE(find()->proven) << "another run";
  EXPECT_TRUE(find()->withdrawn);
  journal.proven = KubeletRun{"last-boot", start};
  tree_.file(file, render_journal(journal));
  EXPECT_FALSE(find()->proven) << "another boot";
  journal.proven.reset();
  tree_.file(file, render_journal(journal));
  EXPECT_FALSE(find()->proven);
}

TEST_F(FindKubelet, WithoutConfigDirHasNoTarget) {
  add({.pid = 1, .comm = "systemd"});
  add({.pid = 1000,
       .comm = "kubelet",
       .argv = {"/usr/bin/kubelet", "--config=/var/lib/kubelet/config.yaml", "--root-dir=/data"},
       .exe = "/usr/bin/kubelet"});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->supervisor, "systemd");
  EXPECT_EQ(kubelet->target, Target::kNone);
  EXPECT_EQ(kubelet->file, "");
  EXPECT_THAT(kubelet->target_reason, HasSubstr("--config-dir=DIRECTORY"));
  EXPECT_EQ(kubelet->root_dir, "/data");
  EXPECT_FALSE(kubelet->version);
  EXPECT_THAT(kubelet->version_source, HasSubstr("[kubelet] version"));
}

TEST_F(FindKubelet, ConfigDirIsReadInAnySpelling) {
  for (const std::vector<std::string>& argv : {
           std::vector<std::string>{"kubelet", "--config-dir=/etc/kubernetes/kubelet.d"},
           std::vector<std::string>{"kubelet", "--config-dir", "/etc/kubernetes/kubelet.d"},
           std::vector<std::string>{"kubelet", "--config-dir=/etc/kubernetes/kubelet.d/"},
           std::vector<std::string>{
               "kubelet", "--config-dir", "/etc/kubernetes/kubelet.d//", "--v=2"},
           std::vector<std::string>{"kubelet", "--config-dir=/etc//kubernetes/./kubelet.d"},
           std::vector<std::string>{
               "kubelet", "--config-dir=/x", "--config-dir=/etc/kubernetes/kubelet.d"},
       }) {
    SCOPED_TRACE(testing::PrintToString(argv));
    add({.pid = 1000, .comm = "kubelet", .argv = argv});
    const auto kubelet = find();
    ASSERT_TRUE(kubelet);
    EXPECT_EQ(kubelet->target, Target::kKubeletDropin);
    EXPECT_EQ(kubelet->file, "/etc/kubernetes/kubelet.d/60-eviction-agent.conf");
  }
}

TEST_F(FindKubelet, MergesDropInsFrom130) {
  tree_.directory("d");
  for (const int minor : {28, 29, 30}) {
    add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet", "--config-dir=/d"}});
    config_.kubelet_version = config::KubeletVersion{1, minor, 5, ""};
    EXPECT_EQ(find()->target, minor < 30 ? Target::kNone : Target::kKubeletDropin) << minor;
  }
}

// The kubelet's walk does not follow a link, unless a slash at the end has it followed before.
TEST_F(FindKubelet, ReadsNothingBehindALinkToItsDropIns) {
  tree_.directory("etc/kubelet.d");
  std::filesystem::create_directory_symlink("etc/kubelet.d", tree_.path("d"));
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet", "--config-dir=/d"}});
  for (const auto choice : {config::TargetChoice::kAuto, config::TargetChoice::kKubeletDropin}) {
    config_.target = choice;
    EXPECT_EQ(find()->target, Target::kNone);
    EXPECT_THAT(find()->target_reason, HasSubstr("--config-dir=/d: it is a symbolic link"));
  }
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet", "--config-dir=/d/"}});
  EXPECT_EQ(find()->target, Target::kKubeletDropin);
  EXPECT_EQ(find()->file, "/d/60-eviction-agent.conf");
}

TEST_F(FindKubelet, WhatTheTargetHoldsIsRead) {
  add_rke2();
  tree_.file(std::string{kRke2DropIns}.substr(1) + "/60-eviction-agent.conf", "# ours\n");
  EXPECT_EQ(find()->file_content, "# ours\n");
}

TEST_F(FindKubelet, ATargetThatCannotBeReadIsAProblem) {
  add_rke2();
  tree_.directory(std::string{kRke2DropIns}.substr(1) + "/60-eviction-agent.conf");
  const auto kubelet = find();
  EXPECT_FALSE(kubelet->file_content);
  EXPECT_THAT(kubelet->problems, SizeIs(1));
}

TEST_F(FindKubelet, OfTheNodeIsInNoPod) {
  add({.pid = 500, .comm = "kubelet", .argv = {"kubelet"}, .start = 1, .cgroup = kPod});
  add({.pid = 600, .comm = "k3s-server", .argv = {"/bin/k3s server"}, .start = 2, .cgroup = kPod});
  const auto none = find();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kAbsent);
  EXPECT_THAT(none.error().remedy, HasSubstr("hostPID"));
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet"}});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->pid, 1000);
  EXPECT_THAT(kubelet->problems, IsEmpty());
}

TEST_F(FindKubelet, IsNoneOfAnotherUsersProcesses) {
  add({.pid = 700, .comm = "kubelet", .argv = {"kubelet", "--config-dir=/tmp/d"}, .start = 100});
  tree_.file("proc/700/status", "Name:\tkubelet\nUid:\t1000\t0\t0\t0\n");
  EXPECT_FALSE(find());
  add({.pid = 800, .comm = "kubelet", .argv = {"kubelet"}, .start = 200});
  tree_.file("proc/800/status", "Name:\tkubelet\nUid:\t0\t0\t0\t0\n");
  EXPECT_EQ(find()->pid, 800);
  tree_.file("proc/800/status", "Name:\tkubelet\n");
  EXPECT_THAT(find()->problems, SizeIs(1)) << "whose it is cannot be known";
}

TEST_F(FindKubelet, TheOldestOfSeveralIsTakenAndReported) {
  add({.pid = 700, .comm = "kubelet", .argv = {"kubelet", "--v=1"}, .start = 200});
  add({.pid = 800, .comm = "kubelet", .argv = {"kubelet", "--v=2"}, .start = 100});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->pid, 800);
  ASSERT_THAT(kubelet->problems, SizeIs(1));
  EXPECT_THAT(kubelet->problems[0].what, HasSubstr("several kubelets"));
}

/// RKE2 starts its kubelet again while the old one may still be a zombie.
TEST_F(FindKubelet, OneThatIsEndingIsPassedOver) {
  add({.pid = 700, .comm = "kubelet", .argv = {}, .start = 100});
  add({.pid = 800, .comm = "kubelet", .argv = {"kubelet"}, .start = 200});
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->pid, 800);
  EXPECT_THAT(kubelet->problems, IsEmpty());
}

TEST_F(FindKubelet, WithoutACommandLineIsAnError) {
  add({.pid = 700, .comm = "kubelet", .argv = {}});
  const auto ending = find();
  ASSERT_FALSE(ending);
  EXPECT_EQ(ending.error().kind, ErrorKind::kVanished);
  EXPECT_EQ(ending.error().path, tree_.path("proc/700/cmdline"));
  std::filesystem::remove(tree_.path("proc/700/cmdline"));
  tree_.directory("proc/700/cmdline");
  const auto unreadable = find();
  ASSERT_FALSE(unreadable);
  EXPECT_EQ(unreadable.error().kind, ErrorKind::kMalformed);
}

TEST_F(FindKubelet, AmongUnreadableProcessesIsFound) {
  tree_.file("proc/10/stat", "garbage").directory("proc/11").file("proc/uptime", "1 1");
  add({.pid = 12, .comm = "kubelet) S 1 (", .argv = {"x"}});
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet"}});
  EXPECT_EQ(find()->pid, 1000);
}

TEST_F(FindKubelet, IsNoneOnANodeWithoutOne) {
  add({.pid = 1, .comm = "systemd", .argv = {"/sbin/init"}});
  add({.pid = 2, .comm = "kubelet-wrapper", .argv = {"kubelet"}});
  add({.pid = 3, .comm = "k3s", .argv = {"k3s", "kubectl", "get", "pods"}});
  const auto kubelet = find();
  ASSERT_FALSE(kubelet);
  EXPECT_EQ(kubelet.error().kind, ErrorKind::kAbsent);
}

TEST_F(FindKubelet, VersionIsOnlyThatOfAKubernetesRelease) {
  struct Case {
    std::string exe;
    std::optional<int> minor;
  };

  int pid = 0;
  for (const Case& test : {Case{"/var/lib/minikube/binaries/v1.30.1/kubelet", 30},
                           Case{"/opt/v2.0.1/v1.29.4/kubelet", 29},
                           Case{"/opt/v1.30/kubelet", std::nullopt},
                           Case{"/opt/v3.2.1/kubelet", std::nullopt},
                           Case{"/var/lib/vendor/kubelet", std::nullopt},
                           Case{"/v", std::nullopt}}) {
    SCOPED_TRACE(test.exe);
    add({.pid = ++pid,
         .comm = "kubelet",
         .argv = {"kubelet"},
         .start = 1000 - pid,
         .exe = test.exe});
    const auto kubelet = find();
    ASSERT_TRUE(kubelet);
    ASSERT_EQ(kubelet->pid, pid);
    EXPECT_EQ(kubelet->version ? std::optional{kubelet->version->minor} : std::nullopt, test.minor);
  }
}

TEST_F(FindKubelet, TheOperatorsVersionCounts) {
  add_rke2();
  config_.kubelet_version = config::KubeletVersion{1, 30, 4, ""};
  const auto kubelet = find();
  EXPECT_EQ(kubelet->version->minor, 30);
  EXPECT_THAT(kubelet->version_source, HasSubstr("agent's configuration"));
}

TEST_F(FindKubelet, TheOperatorsTargetCounts) {
  struct Case {
    TargetChoice choice;
    Target target;
    std::string file;
  };

  add_rke2();
  const std::string drop_in = std::string{kRke2DropIns} + "/60-eviction-agent.conf";
  for (const Case& test : {Case{TargetChoice::kAuto, Target::kRke2Dropin, drop_in},
                           Case{TargetChoice::kRke2Dropin, Target::kRke2Dropin, drop_in},
                           Case{TargetChoice::kKubeletDropin, Target::kKubeletDropin, drop_in},
                           Case{TargetChoice::kK3sDropin, Target::kK3sDropin, drop_in},
                           Case{TargetChoice::kRke2Args,
                                Target::kRke2Args,
                                "/etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml"},
                           Case{TargetChoice::kK3sArgs,
                                Target::kK3sArgs,
                                "/etc/rancher/k3s/config.yaml.d/99-z50-eviction-agent.yaml"},
                           Case{TargetChoice::kNone, Target::kNone, ""}}) {
    config_.target = test.choice;
    const auto kubelet = find();
    ASSERT_TRUE(kubelet);
    SCOPED_TRACE(to_text(test.target));
    EXPECT_EQ(kubelet->target, test.target);
    EXPECT_EQ(kubelet->file, test.file);
  }
}

TEST_F(FindKubelet, ADropInNeedsADirectoryThatTheKubeletReads) {
  add({.pid = 900, .comm = "rke2"});
  add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet"}, .parent = 900});
  for (const TargetChoice choice :
       {TargetChoice::kRke2Dropin, TargetChoice::kK3sDropin, TargetChoice::kKubeletDropin}) {
    config_.target = choice;
    const auto kubelet = find();
    ASSERT_TRUE(kubelet);
    EXPECT_EQ(kubelet->target, Target::kNone);
    EXPECT_EQ(kubelet->file, "") << "not even the file found without the choice";
    EXPECT_THAT(kubelet->target_reason, HasSubstr("no --config-dir"));
  }
}

TEST(AgentFolder, IsThatOfRke2AndK3s) {
  struct Case {
    const char* supervisor;
    std::vector<std::string> arguments;
    std::optional<std::string> folder;
  };

  const std::string kubeconfig = "--kubeconfig=/data/agent/kubelet.kubeconfig";
  for (const Case& one : std::vector<Case>{
           {"rke2", {"--config-dir", "/data/agent/etc/kubelet.conf.d/"}, "/data/agent"},
           {"systemd", {"--config-dir=/data/agent/etc/kubelet.conf.d"}, "/data/agent"},
           {"rke2", {kubeconfig}, "/data/agent"},
           {"systemd", {kubeconfig}, std::nullopt},
           {"rke2", {"--kubeconfig=/etc/kubelet.kubeconfig"}, std::nullopt},
           {"systemd", {"--config-dir=/etc/kubelet.conf.d"}, std::nullopt},
           {"rke2", {}, std::nullopt}}) {
    Kubelet kubelet;
    kubelet.supervisor = one.supervisor;
    kubelet.arguments = one.arguments;
    EXPECT_EQ(agent_folder(kubelet), one.folder) << testing::PrintToString(one.arguments);
  }
}

TEST(TargetText, IsWhatThePlanShows) {
  struct Case {
    Target target;
    const char* text;
    bool drop_in;
  };

  for (const Case& test : {Case{Target::kRke2Dropin, "rke2-dropin", true},
                           Case{Target::kK3sDropin, "k3s-dropin", true},
                           Case{Target::kKubeletDropin, "kubelet-dropin", true},
                           Case{Target::kRke2Args, "rke2-args", false},
                           Case{Target::kK3sArgs, "k3s-args", false},
                           Case{Target::kNone, "none", false}}) {
    EXPECT_EQ(to_text(test.target), test.text);
    EXPECT_EQ(is_drop_in(test.target), test.drop_in);
  }
}

}  // namespace
}  // namespace eviction::agent
