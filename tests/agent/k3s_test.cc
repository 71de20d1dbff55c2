// SPDX-License-Identifier: Apache-2.0
#include "agent/k3s.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kConfig = "etc/rancher/k3s/config.yaml";
constexpr const char* kDropIns = "var/lib/rancher/k3s/agent/etc/kubelet.conf.d";
constexpr const char* kDefaultHard = "--eviction-hard=imagefs.available<5%,nodefs.available<5%";
constexpr const char* kDefaultReclaim =
    "--eviction-minimum-reclaim=imagefs.available=10%,nodefs.available=10%";

struct Composed : K3sKubelet {
  std::string config_folder;
  std::vector<Error> errors;
  std::vector<Error> problems;
};

class K3s : public testing::Test {
 protected:
  [[nodiscard]] Composed compose(const K3sStart& start) const {
    const auto root = cgroup::Directory::open(tree_.path());
    cgroup::Buffer buffer;
    const K3sConfig config = read_k3s_config(*root, start, {}, buffer);
    return {compose_k3s(*root, config), config.folder, config.errors, config.problems};
  }

  /// command: what follows "k3s server".
  Composed read(const std::vector<std::string>& command = {}, const std::string& config = {}) {
    K3sStart start{.command = {"/usr/local/bin/k3s", "server"}, .config_file = config};
    start.command.insert(start.command.end(), command.begin(), command.end());
    return compose(start);
  }

  void drop_in(const std::string& name, const std::string& text) {
    tree_.file("etc/rancher/k3s/config.yaml.d/" + name, text);
  }

  tests::TemporaryTree tree_;
};

TEST_F(K3s, WithoutConfigurationHasTheDefaultsOf131) {
  const Composed kubelet = read();
  EXPECT_EQ(kubelet.data_dir, "/var/lib/rancher/k3s");
  EXPECT_EQ(kubelet.config_folder, "/etc/rancher/k3s/config.yaml.d");
  EXPECT_FALSE(kubelet.config_dir);
  EXPECT_THAT(kubelet.arguments, ElementsAre(kDefaultHard, kDefaultReclaim));
  EXPECT_THAT(kubelet.problems, IsEmpty());
}

TEST_F(K3s, From132HasADropInDirectoryAndNoSuchFlags) {
  tree_.directory(kDropIns);
  const Composed kubelet = read();
  EXPECT_TRUE(kubelet.config_dir);
  EXPECT_THAT(kubelet.arguments,
              ElementsAre("--config-dir=/var/lib/rancher/k3s/agent/etc/kubelet.conf.d"));
}

TEST_F(K3s, CopiesTheOperatorsConfigFromOn132) {
  tree_.file(kConfig, "kubelet-arg: [config=/etc/kubelet.yaml, config-dir=/etc/kubelet.d, v=2]\n");
  EXPECT_THAT(read().arguments, Contains("--config=/etc/kubelet.yaml"));
  tree_.directory(kDropIns);
  EXPECT_THAT(read().arguments,
              ElementsAre("--config-dir=/var/lib/rancher/k3s/agent/etc/kubelet.conf.d", "--v=2"));
}

TEST_F(K3s, AFlagOfTheOperatorRemovesItsDefault) {
  tree_.file(kConfig, "kubelet-arg: eviction-hard=memory.available<1Gi\n");
  EXPECT_THAT(read().arguments,
              ElementsAre("--eviction-hard=memory.available<1Gi", kDefaultReclaim));
}

TEST_F(K3s, AKeyReplacesAndAKeyWithPlusAppends) {
  tree_.file(kConfig, "kubelet-arg:\n- a=1\n- b=2\nnode-name: n\n");
  drop_in("10.yaml", "kubelet-arg+: c=3\n");
  EXPECT_THAT(read().arguments,
              ElementsAre("--a=1", "--b=2", "--c=3", kDefaultHard, kDefaultReclaim));
  drop_in("20.yaml", "kubelet-arg: [d=4]\n");
  EXPECT_THAT(read().arguments, ElementsAre("--d=4", kDefaultHard, kDefaultReclaim));
  drop_in("30.yaml", "kubelet-arg+:\n- e=5\n");
  EXPECT_THAT(read().arguments, ElementsAre("--d=4", "--e=5", kDefaultHard, kDefaultReclaim));
}

TEST_F(K3s, APlusWithoutAValueBeforeItSets) {
  drop_in("10.yaml", "kubelet-arg+: a=1\n");
  EXPECT_THAT(read().arguments, ElementsAre("--a=1", kDefaultHard, kDefaultReclaim));
}

/// Harvester's 99-max-pods.yaml wipes what sorts before it.
TEST_F(K3s, DropInsSortBytewise) {
  drop_in("99-max-pods.yaml", "kubelet-arg: max-pods=200\n");
  drop_in("99-z50-eviction-agent.yaml", "kubelet-arg+: b=2\n");
  drop_in("100-wiped.yaml", "kubelet-arg: a=1\n");
  drop_in("95-wiped.yaml", "kubelet-arg: a=2\n");
  EXPECT_THAT(read().arguments,
              ElementsAre("--b=2", kDefaultHard, kDefaultReclaim, "--max-pods=200"));
}

TEST_F(K3s, DropInsEndInYamlOrYmlOfAnyCase) {
  drop_in("1.yaml", "kubelet-arg+: a=1\n");
  drop_in("2.yml", "kubelet-arg+: b=1\n");
  drop_in("3.YML", "kubelet-arg+: c=1\n");
  drop_in("4.Yaml", "kubelet-arg+: d=1\n");
  drop_in("5.yaml.bak", "kubelet-arg+: x=1\n");
  drop_in("6.conf", "kubelet-arg+: x=1\n");
  drop_in("yaml", "kubelet-arg+: x=1\n");
  drop_in("7.yaml/8.yaml", "kubelet-arg+: x=1\n");
  EXPECT_THAT(read().arguments,
              ElementsAre("--a=1", "--b=1", "--c=1", "--d=1", kDefaultHard, kDefaultReclaim));
  EXPECT_THAT(read().errors, IsEmpty());
}

TEST_F(K3s, CommandLineFollowsTheFiles) {
  tree_.file(kConfig, "kubelet-arg: v=1\n");
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"--kubelet-arg=v=2", "--node-name", "x"},
                                             {"--node-name=x", "--kubelet-arg", "v=2"},
                                             {"-kubelet-arg", "v=2"}}) {
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_THAT(read(command).arguments,
                ElementsAre(kDefaultHard, kDefaultReclaim, "--v=1", "--v=2"));
  }
}

TEST_F(K3s, OtherFlagsAreNotTheKubelets) {
  EXPECT_THAT(
      read({"--kube-proxy-arg=v=2", "--kubelet-argument=v=2", "kubelet-arg=v=2", "--kubelet-arg"})
          .arguments,
      ElementsAre(kDefaultHard, kDefaultReclaim));
}

TEST_F(K3s, TheRuntimeMayBeAnother) {
  const auto endpoint = [](const Composed& kubelet) {
    constexpr std::string_view kFlag = "--container-runtime-endpoint=";
    for (const std::string& argument : kubelet.arguments) {
      if (argument.starts_with(kFlag)) {
        return argument.substr(kFlag.size());
      }
    }
    return std::string{};
  };
  const std::string docker = "unix:///run/k3s/cri-dockerd/cri-dockerd.sock";
  EXPECT_EQ(endpoint(read()), "") << "its own containerd";
  EXPECT_EQ(endpoint(read({"--docker"})), docker);
  EXPECT_EQ(endpoint(read({"--container-runtime-endpoint", "/run/crio/crio.sock"})),
            "unix:///run/crio/crio.sock");
  tree_.file(kConfig, "container-runtime-endpoint: unix:///run/crio/crio.sock\n");
  EXPECT_EQ(endpoint(read()), "unix:///run/crio/crio.sock");
  EXPECT_EQ(endpoint(read({"--kubelet-arg=container-runtime-endpoint=unix:///x"})), "unix:///x");
  drop_in("1.yaml", "docker: true\n");
  EXPECT_EQ(endpoint(read()), docker) << "the other is where docker listens";
  EXPECT_EQ(endpoint(read({"--docker=false"})), "unix:///run/crio/crio.sock");
  tree_.directory(kDropIns);
  EXPECT_EQ(endpoint(read()), "") << "a drop-in of its own has it";
}

TEST_F(K3s, DataDirMayBeElsewhere) {
  tree_.directory("a/agent/etc/kubelet.conf.d").directory("b/agent/etc/kubelet.conf.d");
  tree_.file(kConfig, "data-dir: /a\n");
  EXPECT_EQ(read().data_dir, "/a");
  EXPECT_THAT(read().arguments, ElementsAre("--config-dir=/a/agent/etc/kubelet.conf.d"));
  EXPECT_EQ(read({"--data-dir=/b"}).data_dir, "/b");
  EXPECT_EQ(read({"-d", "/b"}).data_dir, "/b");
  drop_in("1.yaml", "data-dir:\n");
  EXPECT_EQ(read().data_dir, "/var/lib/rancher/k3s");
}

// Source: k3s v1.36 pkg/cli/cmds: the flag, which a file's key stands for, comes before its
// variable.
TEST_F(K3s, DataDirMayComeFromTheEnvironment) {
  const K3sStart start{.command = {"/usr/local/bin/k3s", "server"}, .data_dir = "/e"};
  tree_.directory("e/agent");
  EXPECT_EQ(compose(start).data_dir, "/e");
  EXPECT_TRUE(compose(start).has_agent);
  tree_.file(kConfig, "data-dir: /f\n");
  EXPECT_EQ(compose(start).data_dir, "/f");
  EXPECT_FALSE(compose(start).has_agent);
}

TEST_F(K3s, DataDirIsWrittenInAnyWay) {
  tree_.directory("a/b/agent/etc/kubelet.conf.d");
  for (const char* data_dir : {"/a/b/", "/a//b", "//a/./b//", "/a/x/../b"}) {
    EXPECT_THAT(read({"-d", data_dir}).arguments,
                ElementsAre("--config-dir=/a/b/agent/etc/kubelet.conf.d"))
        << data_dir;
  }
}

TEST_F(K3s, ConfigFileMayBeElsewhere) {
  tree_.file("opt/k3s.yaml", "kubelet-arg: a=1\n")
      .file("opt/k3s.yaml.d/1.yaml", "kubelet-arg+: b=1\n");
  tree_.file(kConfig, "kubelet-arg: c=1\n");
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"--config", "/opt/k3s.yaml"}, {"--config=/opt/k3s.yaml"}, {"-c", "/opt/k3s.yaml"}}) {
    EXPECT_THAT(read(command).arguments,
                ElementsAre("--a=1", "--b=1", kDefaultHard, kDefaultReclaim));
  }
  EXPECT_EQ(read({}, "/opt/k3s.yaml").config_folder, "/opt/k3s.yaml.d");
  EXPECT_THAT(read({"--config=/etc/rancher/k3s/config.yaml"}, "/opt/k3s.yaml").arguments,
              Contains("--a=1"))
      << "the environment comes first";
}

TEST_F(K3s, BadFilesAreReportedAndTheOthersStillCount) {
  struct Case {
    const char* name;
    const char* text;
    std::size_t line;
  };

  for (const Case& test : {Case{"no YAML", "kubelet-arg: [a=1\nb: {", 2},
                           Case{"a reserved sign", "a: `b\n", 1},
                           Case{"YAML 1.2", "%YAML 1.2\n---\na: b\n", 1},
                           Case{"tab", "a:\n\t- b\n", 2},
                           Case{"a list", "- kubelet-arg=a=1\n", 1},
                           Case{"a scalar", "kubelet-arg=a=1\n", 1},
                           Case{"a map for a list", "node-name: n\nkubelet-arg:\n  a: 1\n", 3},
                           Case{"a map in the list", "kubelet-arg:\n- b=1\n- a: 1\n", 3},
                           Case{"a list in the list", "kubelet-arg: [[a=1]]\n", 1}}) {
    SCOPED_TRACE(test.name);
    drop_in("10.yaml", test.text);
    drop_in("20.yaml", "kubelet-arg+: z=1\n");
    const Composed kubelet = read();
    ASSERT_THAT(kubelet.errors, SizeIs(1));
    EXPECT_EQ(kubelet.errors[0].kind, ErrorKind::kMalformed);
    EXPECT_EQ(kubelet.errors[0].path, tree_.path("etc/rancher/k3s/config.yaml.d/10.yaml"));
    EXPECT_EQ(kubelet.errors[0].line, test.line);
    EXPECT_THAT(kubelet.errors[0].remedy, Not(IsEmpty()));
    EXPECT_THAT(kubelet.arguments, Contains("--z=1"));
  }
}

TEST_F(K3s, FilesThatCannotBeReadAreReported) {
  tree_.directory(kConfig);
  tree_.file("etc/rancher/k3s/config.yaml.d", "");
  EXPECT_THAT(read().errors, SizeIs(2));
}

TEST_F(K3s, EmptyFilesAndForeignContentAreFine) {
  tree_.file(kConfig, "");
  drop_in("1.yaml", "# nothing but a comment\n");
  drop_in("2.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n");
  drop_in("3.yaml", "kubelet-arg:\n- ''\n- ~\n");
  const Composed kubelet = read();
  EXPECT_THAT(kubelet.errors, IsEmpty());
  EXPECT_THAT(kubelet.arguments, ElementsAre(kDefaultHard, kDefaultReclaim));
}

TEST_F(K3s, DeepNestingIsReported) {
  tree_.file(kConfig, std::string(100'000, '['));
  EXPECT_THAT(read().errors, SizeIs(1));
  tree_.file(kConfig, "kubelet-arg: " + std::string(100'000, '{'));
  EXPECT_THAT(read().errors, SizeIs(1));
}

TEST_F(K3s, AHugeFileIsReported) {
  tree_.file(kConfig, std::string((std::size_t{1} << 20) + 1, '#'));
  const Composed kubelet = read();
  ASSERT_THAT(kubelet.errors, SizeIs(1));
  EXPECT_EQ(kubelet.errors[0].kind, ErrorKind::kTooLarge);
}

TEST_F(K3s, AStartScriptIsReported) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"/bin/sh", "-c", "exec k3s server --kubelet-arg=v=2"},
        std::vector<std::string>{"/usr/local/bin/k3s", "server", "$K3S_ARGS"}}) {
    const Composed kubelet = compose({.command = command});
    ASSERT_THAT(kubelet.problems, SizeIs(1));
    EXPECT_THAT(kubelet.problems[0].what, HasSubstr("ExecStart"));
  }
  EXPECT_THAT(compose({}).problems, IsEmpty()) << "an unknown one is the caller's";
}

/// Source: k3s v1.36 pkg/util/args.go GetArgs().
TEST(MergeKubeletArgs, FollowsK3s) {
  struct Case {
    std::vector<std::string> given;
    std::vector<std::string> expected;
  };

  for (const Case& test : {Case{{}, {"--d=0", "--e=0"}},
                           Case{{"d=1"}, {"--d=1", "--e=0"}},
                           Case{{"--d=1"}, {"--d=1", "--e=0"}},
                           Case{{"d+=1"}, {"--d=0", "--d=1", "--e=0"}},
                           Case{{"d-=1"}, {"--d=1", "--d=0", "--e=0"}},
                           Case{{"d=1", "d=2"}, {"--d=1", "--d=2", "--e=0"}},
                           Case{{"d=1", "d+=2"}, {"--d=1", "--d=2", "--e=0"}},
                           Case{{"d=1", "d-=2"}, {"--d=2", "--d=1", "--e=0"}},
                           Case{{"f"}, {"--d=0", "--e=0", "--f=true"}},
                           Case{{"f=a=b"}, {"--d=0", "--e=0", "--f=a=b"}},
                           Case{{"f="}, {"--d=0", "--e=0", "--f="}},
                           Case{{"b=1", "a=1"}, {"--a=1", "--b=1", "--d=0", "--e=0"}}}) {
    SCOPED_TRACE(testing::PrintToString(test.given));
    EXPECT_EQ(merge_kubelet_args({{"d", "0"}, {"e", "0"}}, test.given), test.expected);
  }
}

}  // namespace
}  // namespace eviction::agent
