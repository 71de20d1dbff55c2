// SPDX-License-Identifier: Apache-2.0
#include "agent/pods.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using cgroup::QosClass;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kUid = "f158345b-e16c-4a46-bdeb-38435e86e110";
constexpr const char* kStaticUid = "3b25954ce5a6187bdf7c807e8eb28283";

cgroup::Directory open(const tests::TemporaryTree& tree) {
  return std::move(cgroup::Directory::open(tree.path()).value());
}

TEST(PodNames, ComeFromTheLogFolders) {
  const std::string long_name(255 - 2 - 1 - 36, 'n');  // a folder's name has 255 bytes at most
  tests::TemporaryTree tree;
  tree.directory(std::string{"var/log/pods/kube-system_etcd-node1_"} + kStaticUid)
      .directory("var/log/pods/p_" + long_name + "_" + kUid);
  const auto names = read_pod_names(open(tree));
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 2U);
  EXPECT_EQ(names->at(kStaticUid).name_space, "kube-system");
  EXPECT_EQ(names->at(kStaticUid).name, "etcd-node1");
  EXPECT_EQ(names->at(kUid).name_space, "p");
  EXPECT_EQ(names->at(kUid).name, long_name);
}

TEST(PodNames, OtherEntriesAreNoPods) {
  tests::TemporaryTree tree;
  const std::string uid = kUid;
  for (const std::string& folder : {std::string{"lost+found"},
                                    uid,
                                    "_" + uid,
                                    "default_" + uid,
                                    "_name_" + uid,
                                    "default__" + uid,
                                    std::string{"default_name_"},
                                    std::string{"default_name_not-a-uid"},
                                    "default_na_me_" + uid,
                                    "default_name_" + uid + ".bak"}) {
    tree.directory("var/log/pods/" + folder);
  }
  tree.file("var/log/pods/default_file_" + uid, "");
  const auto names = read_pod_names(open(tree));
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, IsEmpty());
}

TEST(PodNames, WithoutTheFolderAreAbsent) {
  const tests::TemporaryTree tree;
  const auto names = read_pod_names(open(tree));
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().kind, ErrorKind::kAbsent);
}

TEST(VmUid, IsThatOfALauncher) {
  EXPECT_EQ(vm_uid({"/usr/bin/virt-launcher-monitor", "--name", "web-01", "--uid", "8c74"}),
            "8c74");
  EXPECT_EQ(vm_uid({"/usr/bin/virt-launcher", "--uid=8c74", "--namespace", "prod"}), "8c74");
  EXPECT_EQ(vm_uid({"virt-launcher", "--uid", "8c74"}), "8c74");
}

TEST(VmUid, IsEmptyForALauncherThatNamesNone) {
  EXPECT_EQ(vm_uid({"/usr/bin/virt-launcher"}), "");
  EXPECT_EQ(vm_uid({"/usr/bin/virt-launcher", "--uid"}), "");
  EXPECT_EQ(vm_uid({"/usr/bin/virt-launcher", "--uids=8c74"}), "");
}

TEST(VmUid, IsAbsentForAnythingElse) {
  const std::vector<std::vector<std::string>> others = {
      {},
      {""},
      {"/usr/bin/qemu-system-x86_64", "-name", "guest=prod_web-01", "--uid", "8c74"},
      {"/usr/bin/virt-launcher-something", "--uid", "8c74"},
      {"/usr/bin/virt-launchers"},
      {"/usr/bin/virt-launcher/sh"},
      {"/bin/sh", "/usr/bin/virt-launcher", "--uid", "8c74"},
      {"virtqemud"}};
  for (const auto& argv : others) {
    EXPECT_FALSE(vm_uid(argv)) << testing::PrintToString(argv);
  }
}

class PodProcess : public testing::Test {
 protected:
  /// One process: its score and the words of its command line.
  void process(int pid, int score, const std::vector<std::string>& argv) {
    std::string cmdline;
    for (const std::string& word : argv) {
      cmdline += word + '\0';
    }
    const std::string folder = std::to_string(pid);
    tree_.file(folder + "/oom_score_adj", std::to_string(score) + "\n");
    tree_.file(folder + "/cmdline", cmdline);
  }

  PodProcesses read(const std::vector<std::vector<int>>& containers) {
    cgroup::PodCgroup pod;
    for (const auto& pids : containers) {
      pod.containers.push_back({.name = {}, .id = {}, .pids = pids});
    }
    const cgroup::Directory proc = open(tree_);
    cgroup::Buffer buffer;
    return read_pod_processes(proc, pod, buffer);
  }

  tests::TemporaryTree tree_;
};

TEST_F(PodProcess, OfAVmPodTellsItsUidAndScore) {
  process(10, -998, {"/pause"});
  process(20, 935, {"/usr/bin/virt-launcher-monitor", "--uid", "8c74"});
  process(21, 935, {"/usr/bin/virt-launcher", "--uid", "8c74"});
  process(22, 935, {"/usr/bin/qemu-system-x86_64"});
  process(30, 998, {"/usr/bin/virt-tail"});
  const PodProcesses pod = read({{10}, {20, 21, 22}, {30}});
  EXPECT_EQ(pod.vm, "8c74");
  EXPECT_THAT(pod.oom_score_adj, ElementsAre(935, 998));
}

TEST_F(PodProcess, OfALauncherThatIsNotTheFirstIsFoundToo) {
  process(20, 935, {"/usr/bin/tini"});
  process(21, 935, {"/usr/bin/virt-launcher", "--uid=8c74"});
  EXPECT_EQ(read({{20, 21}}).vm, "8c74");
}

TEST_F(PodProcess, QemuAloneIsNoVm) {
  process(20, 1000, {"/usr/bin/qemu-system-x86_64", "-m", "4096"});
  const PodProcesses pod = read({{20}});
  EXPECT_FALSE(pod.vm);
}

TEST_F(PodProcess, TheFirstOfAContainerTellsTheScore) {
  process(20, 900, {"postgres"});
  process(21, 1000, {"postgres: a child that raised its own"});
  EXPECT_THAT(read({{21, 20}}).oom_score_adj, ElementsAre(900));
}

TEST_F(PodProcess, OneThatIsGoneLeavesTheScoreToTheNext) {
  process(21, 900, {"worker"});
  EXPECT_THAT(read({{20, 21}}).oom_score_adj, ElementsAre(900));
}

TEST_F(PodProcess, AllOfThemGoneTellNothing) {
  const PodProcesses pod = read({{20}, {21, 22}});
  EXPECT_FALSE(pod.vm);
  EXPECT_THAT(pod.oom_score_adj, IsEmpty());
}

WorkloadClass class_of(const char* uid,
                       QosClass qos,
                       const PodProcesses& processes,
                       bool hotplug = false) {
  cgroup::PodCgroup pod;
  pod.uid = uid;
  pod.qos = qos;
  return classify(pod, processes, hotplug);
}

TEST(Classify, AVmIsOneWhateverElseItIs) {
  const PodProcesses vm{.vm = "8c74", .oom_score_adj = {935}};
  EXPECT_EQ(class_of(kUid, QosClass::kBurstable, vm), WorkloadClass::kVm);
  EXPECT_EQ(class_of(kUid, QosClass::kBurstable, vm, true), WorkloadClass::kVm);
  const PodProcesses without_uid{.vm = "", .oom_score_adj = {-997}};
  EXPECT_EQ(class_of(kUid, QosClass::kGuaranteed, without_uid), WorkloadClass::kVm);
}

TEST(Classify, AStaticPodIsSystem) {
  EXPECT_EQ(class_of(kStaticUid, QosClass::kBurstable, {}), WorkloadClass::kSystem);
  EXPECT_EQ(class_of(kStaticUid, QosClass::kBestEffort, {}), WorkloadClass::kSystem);
}

TEST(Classify, ANodeCriticalPodIsSystem) {
  const PodProcesses critical{.vm = {}, .oom_score_adj = {-997}};
  EXPECT_EQ(class_of(kUid, QosClass::kBurstable, critical), WorkloadClass::kSystem);
  EXPECT_EQ(class_of(kUid, QosClass::kBestEffort, critical), WorkloadClass::kSystem);
  EXPECT_EQ(class_of(kUid, QosClass::kGuaranteed, critical), WorkloadClass::kContainer)
      << "every Guaranteed pod has this score";
}

TEST(Classify, AHotplugPodServesAVm) {
  EXPECT_EQ(class_of(kUid, QosClass::kGuaranteed, {}, true), WorkloadClass::kVmAuxiliary);
}

TEST(Classify, TheRestAreContainers) {
  EXPECT_EQ(class_of(kUid, QosClass::kBestEffort, {}), WorkloadClass::kContainer);
  const PodProcesses usual{.vm = {}, .oom_score_adj = {975}};
  EXPECT_EQ(class_of(kUid, QosClass::kBurstable, usual), WorkloadClass::kContainer);
}

TEST(HotplugContainer, IsAFolderBelowThePods) {
  tests::TemporaryTree tree;
  tree.directory(std::string{"data/kubelet/pods/"} + kUid + "/containers/hotplug-disk")
      .directory(std::string{"data/kubelet/pods/"} + kStaticUid + "/containers/compute");
  const cgroup::Directory root = open(tree);
  EXPECT_TRUE(has_hotplug_container(root, "/data/kubelet", kUid));
  EXPECT_FALSE(has_hotplug_container(root, "/data/kubelet", kStaticUid));
  EXPECT_FALSE(has_hotplug_container(root, "/var/lib/kubelet", kUid));
}

}  // namespace
}  // namespace eviction::agent
