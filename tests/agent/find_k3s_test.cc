// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/kubelet_process.h"
#include "tests/agent/find_kubelet.h"

namespace eviction::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FindK3s : public FindKubelet {
 protected:
  /// k3s overwrites its argv; the kernel shows what is left of it as empty words.
  void add_k3s(const std::string& comm = "k3s-server", const std::string& unit = "k3s.service") {
    const std::string verb = comm == "k3s-agent" ? "agent" : "server";
    add({.pid = 2000,
         .comm = comm,
         .argv = {"/usr/local/bin/k3s " + verb, "", "", ""},
         .cgroup = "/system.slice/" + unit,
         .exe = "/var/lib/rancher/k3s/data/5a7b0c/bin/k3s"});
    tree_.file("etc/systemd/system/" + unit, "ExecStart=/usr/local/bin/k3s " + verb + " \\\n");
    tree_.directory("var/lib/rancher/k3s/agent");
  }
};

TEST_F(FindK3s, ServerFrom132HasADropIn) {
  add_k3s();
  tree_.directory("var/lib/rancher/k3s/agent/etc/kubelet.conf.d");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->pid, 2000);
  EXPECT_TRUE(kubelet->embedded);
  EXPECT_EQ(kubelet->supervisor, "k3s");
  EXPECT_THAT(kubelet->arguments,
              ElementsAre("--config-dir=/var/lib/rancher/k3s/agent/etc/kubelet.conf.d",
                          "--kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig"));
  EXPECT_EQ(kubelet->target, Target::kK3sDropin);
  EXPECT_EQ(kubelet->file, "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/60-eviction-agent.conf");
  EXPECT_FALSE(kubelet->version);
  EXPECT_THAT(kubelet->problems, IsEmpty());
}

TEST_F(FindK3s, AgentUpTo131TakesArguments) {
  add_k3s("k3s-agent", "k3s-agent.service");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_TRUE(kubelet->embedded);
  EXPECT_EQ(kubelet->target, Target::kK3sArgs);
  EXPECT_EQ(kubelet->file, "/etc/rancher/k3s/config.yaml.d/99-z50-eviction-agent.yaml");
  EXPECT_THAT(kubelet->problems, IsEmpty());
}

TEST_F(FindK3s, FlagsComeFromTheUnit) {
  add_k3s();
  tree_.file("etc/systemd/system/k3s.service",
             "ExecStart=/usr/local/bin/k3s server --data-dir=/data \\\n"
             "  '--kubelet-arg' 'eviction-hard=memory.available<1Gi'\n");
  tree_.directory("data/agent/etc/kubelet.conf.d");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_THAT(kubelet->arguments,
              ElementsAre("--config-dir=/data/agent/etc/kubelet.conf.d",
                          "--eviction-hard=memory.available<1Gi",
                          "--kubeconfig=/data/agent/kubelet.kubeconfig"));
  EXPECT_EQ(kubelet->file, "/data/agent/etc/kubelet.conf.d/60-eviction-agent.conf");
}

TEST_F(FindK3s, FlagsAndDropInsMakeItsSettings) {
  add_k3s();
  tree_.file("var/lib/rancher/k3s/agent/etc/kubelet.conf.d/00-k3s-defaults.conf",
             "apiVersion: kubelet.config.k8s.io/v1beta1\n"
             "kind: KubeletConfiguration\n"
             "evictionHard: {nodefs.available: 5%}\n");
  EXPECT_TRUE(find()->loaded.settings.eviction_hard->contains("nodefs.available"));
  tree_.file("etc/rancher/k3s/config.yaml", "kubelet-arg: eviction-hard=memory.available<1Gi\n");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  const auto& hard = kubelet->loaded.settings.eviction_hard;
  ASSERT_TRUE(hard);
  EXPECT_EQ(hard->size(), 1U) << "a flag replaces the whole map";
  EXPECT_EQ(hard->at("memory.available").source, "--eviction-hard");
}

TEST_F(FindK3s, ConfigFileComesFromTheEnvironment) {
  using namespace std::string_literals;
  add_k3s();
  tree_.file("proc/2000/environ", "PATH=/bin\0K3S_CONFIG_FILE=/opt/k3s.yaml\0"s);
  tree_.file("opt/k3s.yaml", "kubelet-arg: root-dir=/data/kubelet\n");
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  EXPECT_EQ(kubelet->root_dir, "/data/kubelet");
  EXPECT_EQ(kubelet->file, "/opt/k3s.yaml.d/99-z50-eviction-agent.yaml");
}

TEST_F(FindK3s, WithoutAUnitIsAProblem) {
  add_k3s();
  std::filesystem::remove(tree_.path("etc/systemd/system/k3s.service"));
  const auto kubelet = find();
  ASSERT_TRUE(kubelet);
  ASSERT_THAT(kubelet->problems, SizeIs(1));
  EXPECT_THAT(kubelet->problems[0].what, HasSubstr("flags k3s was started with are unknown"));
}

TEST_F(FindK3s, DoesNotStartWithABadConfiguration) {
  add_k3s();
  tree_.file("etc/rancher/k3s/config.yaml", "kubelet-arg: [\n");
  EXPECT_THAT(find()->loaded.errors, ElementsAre(HasSubstr("/etc/rancher/k3s/config.yaml:2: ")));
}

TEST_F(FindK3s, TakesArgumentsOnlyWhereItsDataIs) {
  using namespace std::string_literals;
  add_k3s();
  config_.kubelet_version = config::KubeletVersion{1, 31, 9, ""};
  EXPECT_EQ(find()->target, Target::kK3sArgs);
  config_.kubelet_version->minor = 32;
  EXPECT_EQ(find()->target, Target::kNone);
  EXPECT_THAT(find()->target_reason, HasSubstr("k3s/agent/etc/kubelet.conf.d is not there"));
  config_.kubelet_version.reset();
  tree_.file("proc/2000/environ", "K3S_DATA_DIR=/data/k3s\0"s);
  EXPECT_EQ(find()->target, Target::kNone);
  EXPECT_THAT(find()->target_reason, HasSubstr("/data/k3s/agent is not there"));
  tree_.directory("data/k3s/agent/etc/kubelet.conf.d");
  EXPECT_EQ(find()->file, "/data/k3s/agent/etc/kubelet.conf.d/60-eviction-agent.conf");
}

TEST_F(FindK3s, OurArgumentsHideNothingThatOthersSet) {
  add_k3s();
  tree_.file("etc/rancher/k3s/config.yaml",
             "kubelet-arg: ['eviction-hard=memory.available<2Gi']\n");
  tree_.file("etc/rancher/k3s/config.yaml.d/99-z50-eviction-agent.yaml",
             "kubelet-arg+: ['eviction-hard=memory.available<1Gi']\n");
  auto kubelet = find();
  EXPECT_EQ(kubelet->loaded.settings.eviction_hard->at("memory.available").value, "1Gi");
  EXPECT_EQ(kubelet->without_file.eviction_hard->at("memory.available").value, "2Gi");
  EXPECT_THAT(kubelet->overridden, IsEmpty());
  tree_.file("etc/systemd/system/k3s.service",
             "ExecStart=k3s server --kubelet-arg eviction-hard=memory.available<3Gi\n");
  kubelet = find();
  EXPECT_EQ(kubelet->without_file.eviction_hard->at("memory.available").value, "3Gi");
  EXPECT_EQ(kubelet->overridden["eviction-hard"], "--kubelet-arg in ExecStart of its unit");
}

TEST_F(FindK3s, LearnsItsVersionFromItsNodeObject) {
  add_k3s();
  auto kubelet = find();
  ASSERT_EQ(kubelet->target, Target::kK3sArgs);
  cgroup::Buffer buffer;
  config_.kubelet_version = config::KubeletVersion{1, 32, 1, "+k3s1"};
  learn_version(*kubelet,
                config_,
                *cgroup::Directory::open(tree_.path("proc")),
                *cgroup::Directory::open(tree_.path()),
                buffer);
  EXPECT_EQ(kubelet->target, Target::kNone);
  EXPECT_EQ(kubelet->version_source, "its Node object");
}

TEST_F(FindK3s, OfAContainerImageRunsUnderItsOwnName) {
  add_k3s("k3s");
  EXPECT_TRUE(find()->embedded);
}

TEST_F(FindK3s, AKubeletOfItsOwnComesFirst) {
  add_k3s();
  add({.pid = 3000, .comm = "kubelet", .argv = {"kubelet"}, .start = 5000});
  EXPECT_EQ(find()->pid, 3000);
}

}  // namespace
}  // namespace eviction::agent
