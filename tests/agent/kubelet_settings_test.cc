// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_settings.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "config/drop_in.h"
#include "tests/agent/find_kubelet.h"

namespace eviction::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr const char* kHeader =
    "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
constexpr const char* kArguments = "etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml";

class KubeletSettingsTest : public FindKubelet {
 protected:
  /// RKE2's kubelet of 1.31 and earlier, with its defaults and what else argv shows.
  void add_rke2_131(const std::vector<std::string>& more = {},
                    const std::string& hard = "imagefs.available<5%,nodefs.available<5%") {
    add({.pid = 900, .comm = "rke2"});
    std::vector<std::string> argv = {"kubelet", "--eviction-hard=" + hard};
    argv.insert(argv.end(), more.begin(), more.end());
    add({.pid = 1000,
         .comm = "kubelet",
         .argv = argv,
         .parent = 900,
         .cgroup = "/system.slice/rke2-server.service"});
    unit("");
  }

  void unit(const std::string& flags) {
    tree_.file("usr/local/lib/systemd/system/rke2-server.service",
               "[Service]\nExecStart=/usr/local/bin/rke2 server " + flags + "\n");
  }

  void drop_in(const std::string& name, const std::string& text) {
    tree_.file(std::string{kRke2DropIns}.substr(1) + '/' + name, kHeader + text);
  }

  void our_drop_in() {
    tree_.file(std::string{kRke2DropIns}.substr(1) + "/60-eviction-agent.conf",
               config::render_drop_in({.hard = 1_GiB, .soft = 2_GiB, .reclaim = 64_MiB}));
  }

  static std::string path(const std::string& name) {
    return std::string{kRke2DropIns} + '/' + name;
  }
};

TEST_F(KubeletSettingsTest, OurDropInHidesNothingThatOthersSet) {
  add_rke2();
  our_drop_in();
  drop_in("50-admin.conf", "evictionHard: {memory.available: 2Gi, nodefs.available: 5%}\n");
  const auto kubelet = find();
  EXPECT_EQ(kubelet->loaded.settings.eviction_hard->at("memory.available").value, "1Gi");
  EXPECT_EQ(kubelet->without_file.eviction_hard->at("memory.available"),
            (config::Setting{"2Gi", path("50-admin.conf")}));
  EXPECT_FALSE(kubelet->without_file.eviction_soft);
  EXPECT_THAT(kubelet->overridden, IsEmpty());
}

TEST_F(KubeletSettingsTest, OurDropInHidesNoMainConfiguration) {
  tree_.directory("d").file("main.yaml",
                            std::string{kHeader} + "evictionHard: {memory.available: 2Gi}\n");
  tree_.file("d/60-eviction-agent.conf", config::render_drop_in({.hard = 1_GiB}));
  add({.pid = 1000,
       .comm = "kubelet",
       .argv = {"kubelet", "--config=/main.yaml", "--config-dir=/d"}});
  EXPECT_EQ(find()->without_file.eviction_hard->at("memory.available").source, "/main.yaml");
}

TEST_F(KubeletSettingsTest, AFlagOverridesOurDropIn) {
  for (const auto& [argument, flag] :
       {std::pair{"--eviction-hard=nodefs.available<5%", "eviction-hard"},
        std::pair{"--eviction-minimum-reclaim=", "eviction-minimum-reclaim"},
        std::pair{"--eviction-soft=", "eviction-soft"},
        std::pair{"--eviction-soft-grace-period=nodefs.available=5m", "eviction-soft-grace-period"},
        std::pair{"--eviction-max-pod-grace-period=60", "eviction-max-pod-grace-period"}}) {
    tree_.directory("d");
    add({.pid = 1000, .comm = "kubelet", .argv = {"kubelet", "--config-dir=/d", argument}});
    EXPECT_THAT(find()->overridden, ElementsAre(Pair(flag, std::string{"--"} + flag)));
  }
}

TEST_F(KubeletSettingsTest, ALaterDropInOverridesOursAndAnEarlierOneDoesNot) {
  const std::string all =
      "evictionHard: {memory.available: 3Gi}\nevictionSoft: {memory.available: 4Gi}\n"
      "evictionSoftGracePeriod: {memory.available: 1m}\nevictionMaxPodGracePeriod: 30\n"
      "evictionMinimumReclaim: {memory.available: 1Gi}\n";
  add_rke2();
  drop_in("50-admin.conf", all);
  drop_in("60-eviction-agent.conf-not", all);
  drop_in("70-disk.conf", "evictionHard: {nodefs.available: 5%}\n");
  EXPECT_THAT(find()->overridden, IsEmpty()) << "our file is not there yet";
  our_drop_in();
  EXPECT_THAT(find()->overridden, IsEmpty());
  drop_in("60-later/a.conf", all);
  EXPECT_THAT(find()->overridden,
              UnorderedElementsAre(Pair("eviction-hard", path("60-later/a.conf")),
                                   Pair("eviction-minimum-reclaim", path("60-later/a.conf")),
                                   Pair("eviction-soft", path("60-later/a.conf")),
                                   Pair("eviction-soft-grace-period", path("60-later/a.conf")),
                                   Pair("eviction-max-pod-grace-period", path("60-later/a.conf"))));
}

// RFC 7386: null deletes.
TEST_F(KubeletSettingsTest, ALaterDropInMayDeleteWhatOursSays) {
  add_rke2();
  drop_in("80-disk.conf", "evictionHard: {nodefs.available: 5%}\n");
  for (const char* text : {"evictionHard: {memory.available: null}\n", "evictionHard: null\n"}) {
    drop_in("70-admin.conf", text);
    EXPECT_THAT(find()->overridden, ElementsAre(Pair("eviction-hard", path("70-admin.conf"))))
        << text;
  }
  drop_in("90-admin.conf", "evictionHard: null\nevictionMaxPodGracePeriod: null\n");
  EXPECT_THAT(find()->overridden,
              UnorderedElementsAre(Pair("eviction-hard", path("70-admin.conf")),
                                   Pair("eviction-max-pod-grace-period", path("90-admin.conf"))));
}

TEST_F(KubeletSettingsTest, OurArgumentsHideNothingThatOthersSet) {
  add_rke2_131({}, "imagefs.available<5%,nodefs.available<5%,memory.available<1Gi");
  tree_.file(kArguments,
             config::render_kubelet_args({.hard = 1_GiB, .reclaim = 64_MiB},
                                         {"imagefs.available<5%,nodefs.available<5%", ""}));
  const config::SettingMap defaults = {{"imagefs.available", {"5%", "--eviction-hard"}},
                                       {"nodefs.available", {"5%", "--eviction-hard"}}};
  EXPECT_EQ(find()->without_file.eviction_hard, defaults);
  EXPECT_THAT(*find()->without_file.eviction_minimum_reclaim, SizeIs(2));
  EXPECT_THAT(find()->loaded.settings.eviction_hard.value(), SizeIs(3));
  tree_.file("etc/rancher/rke2/config.yaml",
             "kubelet-arg: ['eviction-hard=nodefs.available<20%,memory.available<2Gi']\n");
  const config::SettingMap administrators = {{"memory.available", {"2Gi", "--eviction-hard"}},
                                             {"nodefs.available", {"20%", "--eviction-hard"}}};
  EXPECT_EQ(find()->without_file.eviction_hard, administrators);
  EXPECT_THAT(find()->problems, IsEmpty());
}

TEST_F(KubeletSettingsTest, TheCommandLineOverridesOurArguments) {
  add_rke2_131();
  unit("--kubelet-arg=eviction-hard=memory.available<2Gi --kubelet-arg=v=2");
  EXPECT_THAT(find()->overridden,
              ElementsAre(Pair("eviction-hard", HasSubstr("--kubelet-arg in ExecStart"))));
  unit("--kubelet-arg=eviction-hard=nodefs.available<20%");
  EXPECT_THAT(find()->overridden, IsEmpty()) << "flags merge by key";
}

// A container seldom has the unit's file. What argv shows then tells whether anything is amiss.
TEST_F(KubeletSettingsTest, WithoutRke2sUnitArgvTellsWhetherFlagsAreMissing) {
  const std::string ours = config::render_kubelet_args(
      {.hard = 1_GiB}, {"imagefs.available<5%,nodefs.available<5%", ""});
  const std::string hard = "imagefs.available<5%,nodefs.available<5%,memory.available<1Gi";
  const auto is_known = [this] {
    std::filesystem::remove(tree_.path("usr/local/lib/systemd/system/rke2-server.service"));
    return find()->problems.empty();
  };
  add_rke2_131();
  EXPECT_TRUE(is_known());
  tree_.file(kArguments, ours);
  EXPECT_TRUE(is_known()) << "not yet in force";
  add_rke2_131({}, hard);
  EXPECT_TRUE(is_known());
  std::filesystem::remove(tree_.path(kArguments));
  EXPECT_FALSE(is_known());
  Journal journal;
  journal.phase = Phase::kCommitted;
  journal.after = ours;
  tree_.file(std::string{kArguments} + ".journal", render_journal(journal));
  EXPECT_TRUE(is_known()) << "withdrawn";
  add_rke2_131({"--eviction-hard=memory.available<2Gi"}, hard);
  EXPECT_FALSE(is_known());
  EXPECT_THAT(find()->problems.front().what, HasSubstr("flags rke2 was started with are unknown"));
}

// Together with ours a restart would put it in force.
TEST_F(KubeletSettingsTest, WhatRke2HasNotPutInForceYetIsAProblem) {
  const std::string file = "etc/rancher/rke2/config.yaml.d/10.yaml";
  add_rke2_131({"--system-reserved=memory=1Gi", "--container-runtime-endpoint=/run/c.sock"});
  tree_.file(file, "kubelet-arg+: ['system-reserved=memory=1Gi', 'max-pods=200']\n");
  EXPECT_THAT(find()->problems, IsEmpty());
  for (const char* text :
       {"kubelet-arg+: ['system-reserved=memory=3Gi']\n",
        "kubelet-arg+: ['system-reserved=memory=1Gi', 'kube-reserved=memory=1Gi']\n",
        "kubelet-arg: []\n"}) {
    tree_.file(file, text);
    ASSERT_THAT(find()->problems, SizeIs(1)) << text;
    EXPECT_THAT(find()->problems.front().what, HasSubstr("-reserved than this kubelet runs with"));
  }
}

TEST_F(KubeletSettingsTest, Rke2DoesNotStartWithABadConfiguration) {
  add_rke2_131();
  tree_.file("etc/rancher/rke2/config.yaml", "token: [abc\n");
  EXPECT_THAT(find()->loaded.errors, ElementsAre(HasSubstr("/etc/rancher/rke2/config.yaml:2: ")));
  tree_.file("etc/rancher/rke2/config.yaml", "token: abc\n");
  tree_.file("etc/rancher/rke2/config.yaml.d/50-rancher.yaml", "{\"token\": }}");
  EXPECT_THAT(find()->loaded.errors, ElementsAre(HasSubstr("50-rancher.yaml:1: ")));
}

/// Its kubelet alone is restarted for a drop-in.
TEST_F(KubeletSettingsTest, ABadConfigurationOfRke2DoesNotMatterToADropIn) {
  add_rke2();
  tree_.file("etc/rancher/rke2/config.yaml", "token: [abc\n");
  EXPECT_THAT(find()->loaded.errors, IsEmpty());
  EXPECT_THAT(find()->problems, IsEmpty());
}

// Source: k3s v1.30 pkg/configfilearg/parser.go, which RKE2 uses: a key without a '+' replaces; and
// see merge_kubelet_args(), apply_kubelet_flags().
TEST_F(KubeletSettingsTest, AFileBehindOursOverridesOurArguments) {
  const std::string folder = "etc/rancher/rke2/config.yaml.d/";
  add_rke2_131();
  tree_.file(folder + "99-max-pods.yaml", "kubelet-arg: max-pods=200\n");
  tree_.file(folder + "99-z50-eviction-agent.yaml", "kubelet-arg+:\n- v=1\n");
  tree_.file(folder + "99-z60.yaml", "kubelet-arg+:\n- v=2\n");
  tree_.file(folder + "99-z70.yaml", "node-label: [a=b]\n");
  tree_.file(folder + "99-z80.txt", "kubelet-arg: v=2\n");
  tree_.file(folder + "99-z81.yaml",
             "kubelet-arg+: [eviction-hard=nodefs.available<7%, "
             "eviction-hard-=memory.available<7Gi, eviction-max-pod-grace-period=0]\n");
  ASSERT_TRUE(find());
  EXPECT_THAT(find()->overridden, IsEmpty());
  const std::string last = "/" + folder + "99-z90.yml";
  for (const char* text : {"kubelet-arg: v=3\n", "kubelet-arg: []\n"}) {
    tree_.file(folder + "99-z90.yml", text);
    EXPECT_THAT(find()->overridden,
                UnorderedElementsAre(Pair("eviction-hard", last),
                                     Pair("eviction-minimum-reclaim", last),
                                     Pair("eviction-soft", last),
                                     Pair("eviction-soft-grace-period", last),
                                     Pair("eviction-max-pod-grace-period", last)));
    EXPECT_THAT(find()->problems, IsEmpty());
  }
  using Case = std::pair<const char*, const char*>;
  for (const auto& [argument, flag] :
       {Case{"eviction-hard=nodefs.available<7%,memory.available<7Gi", "eviction-hard"},
        Case{"--eviction_minimum_reclaim=memory.available=7Gi", "eviction-minimum-reclaim"},
        Case{"eviction-soft=memory.available<7Gi", "eviction-soft"},
        Case{"eviction-soft-grace-period=memory.available=1m", "eviction-soft-grace-period"},
        Case{"eviction-max-pod-grace-period=30", "eviction-max-pod-grace-period"}}) {
    tree_.file(folder + "99-z90.yml", std::string{"kubelet-arg+: [\""} + argument + "\"]\n");
    EXPECT_THAT(find()->overridden, ElementsAre(Pair(flag, last))) << argument;
  }
  tree_.file(folder + "10-broken.yaml", "kubelet-arg: [\n");
  EXPECT_THAT(find()->loaded.errors, ElementsAre(HasSubstr("10-broken.yaml:2: ")));
}

}  // namespace
}  // namespace eviction::agent
