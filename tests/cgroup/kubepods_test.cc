// SPDX-License-Identifier: Apache-2.0
#include "cgroup/kubepods.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kUid = "f158345b-e16c-4a46-bdeb-38435e86e110";
constexpr const char* kOther = "a4ea6a1b-eb67-423a-9da9-d0ff47db9a4f";
constexpr const char* kHash = "3b25954ce5a6187bdf7c807e8eb28283";
constexpr const char* kSystemdPod = "podf158345b_e16c_4a46_bdeb_38435e86e110.slice";

TEST(PodUid, Names) {
  struct Case {
    std::string_view name;
    std::optional<std::string> uid;
  };

  const std::vector<Case> cases{
      {"kubepods-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", kUid},
      {"kubepods-burstable-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", kUid},
      {"kubepods-besteffort-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", kUid},
      {"kubelet-kubepods-burstable-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", kUid},
      {"kubepods-burstable-pod3b25954ce5a6187bdf7c807e8eb28283.slice", kHash},
      {"podf158345b-e16c-4a46-bdeb-38435e86e110", kUid},
      {"pod3b25954ce5a6187bdf7c807e8eb28283", kHash},
      {"kubepods.slice", {}},
      {"kubepods-burstable.slice", {}},
      {"kubepods-burstable-pod.slice", {}},
      {"pod", {}},
      {"", {}},
      {"xpodf158345b-e16c-4a46-bdeb-38435e86e110", {}},
      {"podf158345b-e16c-4a46-bdeb-38435e86e11", {}},
      {"podf158345b-e16c-4a46-bdeb-38435e86e1100", {}},
      {"podf158345b-e16c-4a46-bdeb-38435e86e11g", {}},
      {"podf158345b-e16c-4a46-bdeb+38435e86e110", {}},
      {"podf158345b--16c-4a46-bdeb-38435e86e110", {}},
      {"pod3b25954ce5a6187bdf7c807e8eb2828_", {}},
      {"podf158345b_e16c_4a46_bdeb_38435e86e110.slice", {}},
      {"kubepods-burstable-podf158345b_e16c_4a46_bdeb_38435e86e110", {}},
      {"machine-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", {}},
      {"mykubepods-podf158345b_e16c_4a46_bdeb_38435e86e110.slice", {}},
      {"machine-libpod_pod_3b25954ce5a6187bdf7c807e8eb28283.slice", {}},
  };
  for (const Case& expected : cases) {
    EXPECT_EQ(pod_uid(expected.name), expected.uid) << expected.name;
  }
}

RC_GTEST_PROP(PodUid, BothDriversNameTheSamePod, ()) {
  std::string uid;
  for (const int length : {8, 4, 4, 4, 12}) {
    uid += uid.empty() ? "" : "-";
    for (int digit = 0; digit < length; ++digit) {
      uid += *rc::gen::elementOf(std::string{"0123456789abcdef"});
    }
  }
  std::string escaped = uid;
  std::replace(escaped.begin(), escaped.end(), '-', '_');
  RC_ASSERT(pod_uid("pod" + uid) == uid);
  RC_ASSERT(pod_uid("kubepods-burstable-pod" + escaped + ".slice") == uid);
  RC_ASSERT(pod_uid_of_path("/x/pod" + uid + "/y") == uid);
}

TEST(PodUid, OfAPathIsTheOutermost) {
  const std::string pod = std::string{"/kubepods/burstable/pod"} + kUid;
  EXPECT_EQ(pod_uid_of_path(pod + "/0123"), kUid);
  EXPECT_EQ(pod_uid_of_path(pod), kUid);
  EXPECT_EQ(pod_uid_of_path(pod + "/0123/kubepods/pod" + kOther), kUid);
  EXPECT_EQ(pod_uid_of_path("/system.slice/containerd.service"), std::nullopt);
  EXPECT_EQ(pod_uid_of_path("/"), std::nullopt);
  EXPECT_EQ(pod_uid_of_path(""), std::nullopt);
}

TEST(ContainerId, Names) {
  EXPECT_EQ(container_id("cri-containerd-0a1b.scope"), "0a1b");
  EXPECT_EQ(container_id("crio-0a1b.scope"), "0a1b");
  EXPECT_EQ(container_id("docker-0a1b.scope"), "0a1b");
  EXPECT_EQ(container_id("0a1b.scope"), "0a1b");
  EXPECT_EQ(container_id("0a1b"), "0a1b");
  EXPECT_EQ(container_id("cri-containerd-0a1b"), "cri-containerd-0a1b");
  EXPECT_EQ(container_id(""), "");
}

TEST(Kubepods, Words) {
  EXPECT_EQ(to_text(QosClass::kGuaranteed), "Guaranteed");
  EXPECT_EQ(to_text(QosClass::kBurstable), "Burstable");
  EXPECT_EQ(to_text(QosClass::kBestEffort), "BestEffort");
  EXPECT_EQ(to_text(CgroupDriver::kSystemd), "systemd");
  EXPECT_EQ(to_text(CgroupDriver::kCgroupfs), "cgroupfs");
}

/// A cgroup v2 tree; v1 once use_v1() was called first.
class KubepodsTest : public testing::Test {
 protected:
  KubepodsTest() { tree_.file("fs/cgroup/cgroup.controllers", "memory\n"); }

  void use_v1() {
    std::filesystem::remove_all(tree_.path("fs"));
    tree_.file("fs/cgroup/memory/memory.usage_in_bytes", "0\n");
    root_ = "fs/cgroup/memory/";
  }

  void file(const std::string& relative, std::string_view content) {
    tree_.file(root_ + relative, content);
  }

  void memory(const std::string& cgroup, const std::string& current) {
    file(cgroup + "/memory.current", current + '\n');
    file(cgroup + "/memory.stat", "anon 1\nfile 2\ninactive_file 10\n");
    file(cgroup + "/memory.max", "max\n");
    file(cgroup + "/memory.events", "oom 3\n");
  }

  void directory(const std::string& relative) { tree_.directory(root_ + relative); }

  Result<std::string> find() {
    return find_kubepods(*open_hierarchy(*Directory::open(tree_.path())));
  }

  Result<Kubepods> read(const std::string& path) {
    Buffer buffer;
    return read_kubepods(*open_hierarchy(*Directory::open(tree_.path())), path, buffer);
  }

  tests::TemporaryTree tree_;
  std::string root_ = "fs/cgroup/";
};

TEST_F(KubepodsTest, ReadsThePressureOfTheClasses) {
  const auto pressure = [this](const std::string& cgroup, int total) {
    memory(cgroup, "100");
    file(cgroup + "/memory.pressure",
         "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(total) + '\n');
  };
  pressure("kubepods", 30);
  pressure("kubepods/burstable", 20);
  directory("kubepods/besteffort");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  ASSERT_TRUE(kubepods->pressure.all && kubepods->pressure.burstable);
  EXPECT_EQ(kubepods->pressure.all->some.total, std::chrono::microseconds{30});
  EXPECT_EQ(kubepods->pressure.burstable->some.total, std::chrono::microseconds{20});
  EXPECT_FALSE(kubepods->pressure.besteffort);
  EXPECT_THAT(kubepods->problems, IsEmpty());
}

// Pods that are missing ask for nothing: a threshold would seem to fit.
TEST_F(KubepodsTest, WithoutFilesLeftToOpenNoPodIsMissing) {
  memory("kubepods", "100");
  memory("kubepods/burstable", "100");
  memory("kubepods/burstable/pod11111111-1111-1111-1111-111111111111", "50");
  memory("kubepods/besteffort/pod22222222-2222-2222-2222-222222222222", "50");
  const auto hierarchy = open_hierarchy(*Directory::open(tree_.path()));
  ASSERT_TRUE(hierarchy);
  Buffer buffer;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int first_free = ::dup(0);
  ASSERT_GE(first_free, 0);
  ::close(first_free);
  int errors = 0;
  for (rlim_t left = 0; left < 8; ++left) {
    const rlimit few{static_cast<rlim_t>(first_free) + left, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto kubepods = read_kubepods(*hierarchy, "kubepods", buffer);
    ::setrlimit(RLIMIT_NOFILE, &before);
    errors += kubepods ? 0 : 1;
    EXPECT_TRUE(!kubepods || kubepods->pods.size() == 2) << left;
  }
  EXPECT_GE(errors, 2) << "kubepods, and a class of it";
  EXPECT_LT(errors, 8) << "with room for all it has to do";
}

TEST_F(KubepodsTest, ReadsWhatReclaimCostTheClasses) {
  const auto reclaim = [this](const std::string& cgroup, int refaults) {
    memory(cgroup, "100");
    file(cgroup + "/memory.stat",
         "anon 4096\nworkingset_refault_file " + std::to_string(refaults) + "\npgscan_direct 2\n");
  };
  reclaim("kubepods", 30);
  reclaim("kubepods/burstable", 20);
  directory("kubepods/besteffort");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  ASSERT_TRUE(kubepods->reclaim.all && kubepods->reclaim.burstable);
  EXPECT_EQ(kubepods->reclaim.all->workingset_refault_file, 30U);
  EXPECT_EQ(kubepods->reclaim.burstable->workingset_refault_file, 20U);
  EXPECT_EQ(kubepods->reclaim.burstable->pgscan_direct, 2U);
  EXPECT_FALSE(kubepods->reclaim.besteffort);
  EXPECT_THAT(kubepods->problems, IsEmpty());
}

TEST_F(KubepodsTest, FindsEveryShape) {
  struct Case {
    const char* cgroup = "";
    std::optional<std::string> found;
  };

  const std::vector<Case> cases{
      {"kubepods.slice", "kubepods.slice"},
      {"kubepods", "kubepods"},
      {"kubelet.slice/kubelet-kubepods.slice", "kubelet.slice/kubelet-kubepods.slice"},
      {"foo/kubepods", "foo/kubepods"},
      {"a/b/c/kubepods", "a/b/c/kubepods"},
      {"a/b/c/d/kubepods", {}},
      {"kubepods-burstable.slice", {}},
      {"mykubepods.slice", {}},
      {"podf158345b-e16c-4a46-bdeb-38435e86e110/kubepods", {}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.cgroup);
    std::filesystem::remove_all(tree_.path("fs"));
    file("cgroup.controllers", "memory\n");
    directory(expected.cgroup);
    const auto found = find();
    EXPECT_EQ(found.has_value(), expected.found.has_value());
    if (expected.found) {
      EXPECT_EQ(found, *expected.found);
    }
  }
}

TEST_F(KubepodsTest, NoneGetsARemedy) {
  directory("system.slice/kubelet.service");
  const auto found = find();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(found.error().path, tree_.path("fs/cgroup"));
  EXPECT_THAT(found.error().remedy, HasSubstr("kubelet"));
}

TEST_F(KubepodsTest, TheUppermostTreeCounts) {
  directory("a/kubepods");
  directory("z.slice/z-kubepods.slice/kubepods");
  directory("kubepods/burstable");
  EXPECT_EQ(find(), "kubepods");
}

TEST_F(KubepodsTest, AnotherDriversLeftoversAreNotTheTree) {
  memory("kubepods", "32768");
  memory("kubepods.slice", "317345792");
  EXPECT_EQ(find(), "kubepods.slice");
  memory("kubepods", "400000000");
  EXPECT_EQ(find(), "kubepods");
}

TEST_F(KubepodsTest, ReadsTheSystemdDriversTree) {
  const std::string guaranteed = std::string{"kubepods.slice/kubepods-"} + kSystemdPod;
  const std::string burstable =
      "kubepods.slice/kubepods-burstable.slice/"
      "kubepods-burstable-pod3b25954ce5a6187bdf7c807e8eb28283.slice";
  const std::string best_effort =
      "kubepods.slice/kubepods-besteffort.slice/"
      "kubepods-besteffort-poda4ea6a1b_eb67_423a_9da9_d0ff47db9a4f.slice";
  memory("kubepods.slice", "600");
  memory(guaranteed, "100");
  memory(burstable, "200");
  memory(best_effort, "300");
  file(guaranteed + "/memory.max", "4096\n");
  file(burstable + "/cri-containerd-bb.scope/cgroup.procs", "30\n0\n4\n30\n");
  file(burstable + "/cri-containerd-aa.scope/cgroup.procs", "");

  const auto kubepods = read("kubepods.slice");
  ASSERT_TRUE(kubepods) << to_text(kubepods.error());
  EXPECT_EQ(kubepods->driver, CgroupDriver::kSystemd);
  EXPECT_EQ(kubepods->path, "kubepods.slice");
  EXPECT_EQ(kubepods->memory->working_set(), Bytes{590});
  EXPECT_THAT(kubepods->problems, IsEmpty());
  EXPECT_EQ(kubepods->vanished, 0U);
  ASSERT_THAT(kubepods->pods, SizeIs(3));

  const PodCgroup& first = kubepods->pods[0];
  EXPECT_EQ(first.uid, kUid);
  EXPECT_EQ(first.qos, QosClass::kGuaranteed);
  EXPECT_EQ(first.path, guaranteed);
  EXPECT_EQ(first.memory.current, Bytes{100});
  EXPECT_EQ(first.memory.max->bytes, Bytes{4096});
  EXPECT_EQ(first.memory.events->oom, 3U);
  EXPECT_EQ(first.memory.working_set(), Bytes{90});

  const PodCgroup& second = kubepods->pods[1];
  EXPECT_EQ(second.uid, kHash);
  EXPECT_EQ(second.qos, QosClass::kBurstable);
  ASSERT_TRUE(second.memory.max);
  EXPECT_EQ(second.memory.max->bytes, std::nullopt);
  ASSERT_THAT(second.containers, SizeIs(2));
  EXPECT_EQ(second.containers[0].name, "cri-containerd-aa.scope");
  EXPECT_EQ(second.containers[0].id, "aa");
  EXPECT_THAT(second.containers[0].pids, IsEmpty());
  EXPECT_EQ(second.containers[1].id, "bb");
  EXPECT_THAT(second.containers[1].pids, ElementsAre(4, 30));

  EXPECT_EQ(kubepods->pods[2].uid, kOther);
  EXPECT_EQ(kubepods->pods[2].qos, QosClass::kBestEffort);
}

TEST_F(KubepodsTest, ReadsTheCgroupfsDriversTree) {
  const std::string guaranteed = std::string{"a/kubepods/pod"} + kUid;
  const std::string burstable = std::string{"a/kubepods/burstable/pod"} + kOther;
  memory(guaranteed, "100");
  memory(burstable, "200");
  file(burstable + "/0a1b/cgroup.procs", "7\n");
  const auto kubepods = read("a/kubepods");
  ASSERT_TRUE(kubepods) << to_text(kubepods.error());
  EXPECT_EQ(kubepods->driver, CgroupDriver::kCgroupfs);
  EXPECT_FALSE(kubepods->memory);
  ASSERT_THAT(kubepods->pods, SizeIs(2));
  EXPECT_EQ(kubepods->pods[0].uid, kUid);
  EXPECT_EQ(kubepods->pods[0].qos, QosClass::kGuaranteed);
  EXPECT_EQ(kubepods->pods[1].path, burstable);
  EXPECT_EQ(kubepods->pods[1].containers.at(0).id, "0a1b");
}

TEST_F(KubepodsTest, ReadsNestedSystemdNames) {
  const std::string pod =
      std::string{"k.slice/k-kubepods.slice/k-kubepods-burstable.slice/k-kubepods-burstable-"} +
      kSystemdPod;
  memory(pod, "100");
  const auto kubepods = read(*find());
  ASSERT_TRUE(kubepods);
  ASSERT_THAT(kubepods->pods, SizeIs(1));
  EXPECT_EQ(kubepods->pods[0].uid, kUid);
  EXPECT_EQ(kubepods->pods[0].qos, QosClass::kBurstable);
}

TEST_F(KubepodsTest, ReadsVersion1) {
  use_v1();
  const std::string pod = std::string{"kubepods/besteffort/pod"} + kUid;
  file(pod + "/memory.usage_in_bytes", "100\n");
  file(pod + "/memory.limit_in_bytes", "9223372036854771712\n");
  file(pod + "/memory.stat", "cache 99\ntotal_inactive_file 40\n");
  file(pod + "/0a1b/cgroup.procs", "7\n");
  const auto kubepods = read(*find());
  ASSERT_TRUE(kubepods);
  ASSERT_THAT(kubepods->pods, SizeIs(1));
  const PodCgroup& read = kubepods->pods[0];
  EXPECT_EQ(read.memory.working_set(), Bytes{60});
  EXPECT_EQ(read.memory.max->bytes, std::nullopt);
  EXPECT_FALSE(read.memory.events);
  EXPECT_THAT(read.containers.at(0).pids, ElementsAre(7));
  EXPECT_THAT(kubepods->problems, IsEmpty());
}

TEST_F(KubepodsTest, ProcessesOfNestedCgroupsBelongToTheContainerThatHasNoneItself) {
  const std::string pod = std::string{"kubepods/pod"} + kUid;
  memory(pod, "100");
  file(pod + "/0a1b/cgroup.procs", "");
  file(pod + "/0a1b/init.scope/cgroup.procs", "2\n");
  file(pod + "/0a1b/x/y/cgroup.procs", "3\n");
  file(pod + "/0a1b/x/y/z/cgroup.procs", "4\n");
  file(pod + "/0a1b/x/y/z/deeper/cgroup.procs", "5\n");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  EXPECT_THAT(kubepods->pods.at(0).containers.at(0).pids, ElementsAre(2, 3));
}

TEST_F(KubepodsTest, APodThatIsGoneIsCounted) {
  directory(std::string{"kubepods/pod"} + kUid);
  memory(std::string{"kubepods/pod"} + kOther, "100");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  EXPECT_EQ(kubepods->vanished, 1U);
  ASSERT_THAT(kubepods->pods, SizeIs(1));
  EXPECT_EQ(kubepods->pods[0].uid, kOther);
  EXPECT_THAT(kubepods->problems, IsEmpty());
}

TEST_F(KubepodsTest, AFileThatAKernelLacksIsNoProblem) {
  const std::string pod = std::string{"kubepods/pod"} + kUid;
  file(pod + "/memory.current", "100\n");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  const PodCgroup& read = kubepods->pods.at(0);
  EXPECT_EQ(read.memory.working_set(), Bytes{100});
  EXPECT_FALSE(read.memory.stat);
  EXPECT_FALSE(read.memory.max);
  EXPECT_FALSE(read.memory.events);
  EXPECT_THAT(kubepods->problems, IsEmpty());
}

// Of a cgroup below which nothing was killed for a limit, memory.events.local tells nothing more.
TEST_F(KubepodsTest, TellsWhoseOwnLimitWasReached) {
  const std::string pod = "kubepods/burstable/pod" + std::string{kUid};
  memory("kubepods", "600");
  memory(pod, "100");
  file("kubepods/burstable/memory.events.local", "max 9\noom 4\noom_kill 0\n");
  file(pod + "/memory.events.local", "oom 2\noom_kill 1\n");
  auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  EXPECT_EQ(kubepods->pods.at(0).memory.own_oom, 2U);
  EXPECT_FALSE(kubepods->memory->own_oom);  // Linux before 5.2
  EXPECT_EQ(kubepods->qos_oom.burstable, 4U);
  EXPECT_FALSE(kubepods->qos_oom.besteffort);
  file(pod + "/memory.events", "oom 0\noom_kill 3\n");
  EXPECT_EQ(read("kubepods")->pods.at(0).memory.own_oom, 0U);
}

TEST_F(KubepodsTest, AMalformedFileIsAProblemAndThePodStays) {
  for (const char* const name :
       {"memory.current", "memory.stat", "memory.max", "memory.events", "0a1b/cgroup.procs"}) {
    SCOPED_TRACE(name);
    const std::string pod = std::string{"kubepods/pod"} + kUid;
    memory(pod, "100");
    file(pod + "/0a1b/cgroup.procs", "1\n");
    file(pod + '/' + name, "garbage\n");
    const auto kubepods = read("kubepods");
    ASSERT_TRUE(kubepods);
    ASSERT_THAT(kubepods->problems, SizeIs(1));
    EXPECT_EQ(kubepods->problems[0].kind, ErrorKind::kMalformed);
    EXPECT_EQ(kubepods->problems[0].path, tree_.path("fs/cgroup/" + pod + '/' + name));
    ASSERT_THAT(kubepods->pods, SizeIs(1));
    const CgroupMemory& read = kubepods->pods[0].memory;
    EXPECT_EQ(read.current.has_value(), name != std::string{"memory.current"});
    EXPECT_EQ(read.stat.has_value(), name != std::string{"memory.stat"});
    EXPECT_EQ(read.max.has_value(), name != std::string{"memory.max"});
    EXPECT_EQ(read.events.has_value(), name != std::string{"memory.events"});
    EXPECT_EQ(kubepods->pods[0].containers.at(0).pids.empty(),
              name == std::string{"0a1b/cgroup.procs"});
  }
}

TEST_F(KubepodsTest, MalformedPids) {
  const std::string pod = std::string{"kubepods/pod"} + kUid;
  memory(pod, "100");
  for (const char* const text : {"-1\n", "1 2\n", "1\n\n2\n", "4294967296\n", "1\r\n"}) {
    file(pod + "/0a1b/cgroup.procs", text);
    EXPECT_THAT(read("kubepods")->problems, SizeIs(1)) << text;
  }
}

TEST_F(KubepodsTest, WithoutKubepodsThereIsNothing) {
  EXPECT_EQ(read("kubepods.slice").error().kind, ErrorKind::kAbsent);
}

TEST_F(KubepodsTest, OtherCgroupsAreNoPods) {
  directory("kubepods/system");
  directory("kubepods/burstable/x");
  tree_.file("fs/cgroup/kubepods/podf158345b-e16c-4a46-bdeb-38435e86e110", "a file");
  const auto kubepods = read("kubepods");
  ASSERT_TRUE(kubepods);
  EXPECT_THAT(kubepods->pods, IsEmpty());
  EXPECT_EQ(kubepods->vanished, 0U);
}

}  // namespace
}  // namespace eviction::cgroup
