// SPDX-License-Identifier: Apache-2.0
#include "tests/support/constructed_node.h"

#include <stdexcept>

#include <gmock/gmock.h>

#include "tests/support/kubelets.h"
#include "tests/support/node_probe.h"
#include "tests/support/source_tree.h"
#include "tests/support/temporary_tree.h"

namespace eviction::tests {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::filesystem::path kRecorded =
    std::filesystem::path{kFixtures} / "kubelet-1.36-dropin-pods";

ConstructedNode recorded_4g() {
  ConstructedNode node;
  node.mem_total = Bytes{4'007'132LL * 1024};  // all numbers: proc/meminfo of the recorded node
  node.kernel = {.slab_reclaimable = 18'160_KiB,
                 .slab_unreclaimable = 23'396_KiB,
                 .page_tables = 4'904_KiB,
                 .kernel_stack = 3'184_KiB,
                 .percpu = 808_KiB};
  node.outside_pods = {.anon = 1'067'940_KiB,
                       .shmem = 1'116_KiB,
                       .inactive_file = 145'224_KiB,
                       .active_file = 44'160_KiB};
  return node;
}

std::string read(const TemporaryTree& tree, const std::string& path) {
  return read_text(tree.path(path));
}

TEST(ConstructedNode, ChoosesTheMinimumFreeMemoryTheRecordedKernelChose) {
  const TemporaryTree tree;
  write(recorded_4g(), tree.path());
  EXPECT_EQ(read(tree, "proc/sys/vm/min_free_kbytes"),
            read_text(kRecorded / "proc/sys/vm/min_free_kbytes"));
}

TEST(ConstructedNode, ReservesWhatTheRecordedKernelReservesToTwoPercent) {
  const TemporaryTree tree;
  write(recorded_4g(), tree.path());
  const ZoneSums built = sum_zones(tree.path());
  const ZoneSums recorded = sum_zones(kRecorded);
  EXPECT_EQ(recorded.reserve_pages * 4, 124'012);  // 121.105 MiB, in KiB
  EXPECT_NEAR(static_cast<double>(built.reserve_pages),
              static_cast<double>(recorded.reserve_pages),
              0.02 * static_cast<double>(recorded.reserve_pages));
  const std::int64_t recorded_low = recorded.low_pages - recorded.boost_pages;
  EXPECT_NEAR(static_cast<double>(built.low_pages),
              static_cast<double>(recorded_low),
              0.02 * static_cast<double>(recorded_low));
  EXPECT_EQ(built.managed_pages, recorded.managed_pages);
}

TEST(ConstructedNode, WatermarkBoostRaisesLowButNotTheReserve) {
  const TemporaryTree plain;
  write(recorded_4g(), plain.path());
  ConstructedNode node = recorded_4g();
  node.watermark_boost = 4_MiB;
  const TemporaryTree boosted;
  write(node, boosted.path());
  EXPECT_EQ(sum_zones(boosted.path()).low_pages, sum_zones(plain.path()).low_pages + 1024);
  EXPECT_EQ(sum_zones(boosted.path()).reserve_pages, sum_zones(plain.path()).reserve_pages);
  // the floor under the cache is the low watermarks here, so it rises with them
  EXPECT_EQ(read_fields(boosted.path("proc/meminfo"))["MemAvailable:"] + 4096,
            read_fields(plain.path("proc/meminfo"))["MemAvailable:"]);
}

TEST(ConstructedNode, HalfOfASmallCacheIsNotAvailable) {
  ConstructedNode node = recorded_4g();
  node.kernel.slab_reclaimable = Bytes{};
  node.outside_pods.inactive_file = 30_MiB;
  node.outside_pods.active_file = 10_MiB;
  const TemporaryTree tree;
  write(node, tree.path());
  auto meminfo = read_fields(tree.path("proc/meminfo"));
  EXPECT_EQ(meminfo["MemAvailable:"],
            meminfo["MemFree:"] - sum_zones(tree.path()).reserve_pages * 4 + 20'480);
}

// The kernel's MemAvailable on the recorded node, whose free memory differs by what meminfo does
// not name: the difference between the two files must be that difference.
TEST(ConstructedNode, AvailableFollowsFreeAsOnTheRecordedNode) {
  const TemporaryTree tree;
  write(recorded_4g(), tree.path());
  auto built = read_fields(tree.path("proc/meminfo"));
  auto recorded = read_fields(kRecorded / "proc/meminfo");
  const std::int64_t unnamed = built["MemFree:"] - recorded["MemFree:"];
  EXPECT_NEAR(static_cast<double>(built["MemAvailable:"] - unnamed),
              static_cast<double>(recorded["MemAvailable:"]),
              4096);
}

// memory requests and scores of the pods in the recorded tree
TEST(ConstructedNode, ScoresProcessesAsTheRecordedKubeletDid) {
  struct Case {
    const char* name;
    Bytes request;
    Qos qos;
    bool node_critical;
    const char* score;
  };

  const std::vector<Case> cases{
      {"256Mi", 256_MiB, Qos::kBurstable, false, "935\n"},
      {"400Mi", 400_MiB, Qos::kBurstable, false, "898\n"},
      {"100Mi", 100_MiB, Qos::kBurstable, false, "975\n"},
      {"static and critical", 50_MiB, Qos::kBurstable, true, "-997\n"},
      {"no request", 0_MiB, Qos::kBurstable, false, "999\n"},
      {"all of it", 3913_MiB, Qos::kBurstable, false, "3\n"},
      {"guaranteed", 100_MiB, Qos::kGuaranteed, false, "-997\n"},
      {"best effort", 0_MiB, Qos::kBestEffort, false, "1000\n"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    ConstructedNode node = recorded_4g();
    node.pods = {container_pod("only", one.request, 1_MiB)};
    node.pods[0].qos = one.qos;
    node.pods[0].node_critical = one.node_critical;
    const TemporaryTree tree;
    write(node, tree.path());
    EXPECT_EQ(read(tree, "proc/10001/oom_score_adj"), "-998\n");  // the sandbox
    EXPECT_EQ(read(tree, "proc/10002/oom_score_adj"), one.score);
  }
}

TEST(ConstructedNode, WritesTheCheckpointsThatTheKubeletsWrite) {
  ConstructedNode node = recorded_4g();
  ConstructedPod pod = container_pod("vm", 256_MiB, 1_MiB);
  pod.uid = "f158345b-e16c-4a46-bdeb-38435e86e110";
  pod.containers[0].name = "compute";
  pod.containers[0].limit = 700_MiB;
  node.pods = {pod};
  node.checkpoint = CheckpointStyle::kAllocatedPods;
  const TemporaryTree tree;
  write(node, tree.path());
  const std::string entry =
      R"(\"f158345b-e16c-4a46-bdeb-38435e86e110\":{\"ContainerResources\":{\"compute\":{\"limits\":)"
      R"({\"memory\":\"700Mi\"},\"requests\":{\"memory\":\"256Mi\"}}},\"PodLevelResources\":null})";
  EXPECT_THAT(read_text(kRecorded / "var/lib/kubelet/allocated_pods_state"), HasSubstr(entry));
  EXPECT_THAT(read(tree, "var/lib/kubelet/allocated_pods_state"),
              StartsWith(R"({"data":"{\"entries\":{)" + entry));

  node.checkpoint = CheckpointStyle::kPodStatusManager;
  write(node, tree.path());
  EXPECT_THAT(
      read(tree, "var/lib/kubelet/pod_status_manager_state"),
      StartsWith(R"({"data":"{\"allocationEntries\":{\"f158345b-e16c-4a46-bdeb-38435e86e110)"
                 R"(\":{\"compute\":{\"limits\":{\"memory\":\"700Mi\"},\"requests\")"));
}

TEST(ConstructedNode, WritesAVirtualMachineLikeTheRecordedOne) {
  ConstructedNode node = recorded_4g();
  node.pods = {virtual_machine_pod("web-01", 512_MiB, 150, 64_MiB)};
  node.pods[0].vm_uid = "8c74c87b-98bd-5d1d-9558-f51a56201e68";
  const TemporaryTree tree;
  write(node, tree.path());
  EXPECT_EQ(read(tree, "proc/10002/cmdline"), read_text(kRecorded / "proc/1764/cmdline"));
  EXPECT_EQ(read(tree, "proc/10002/comm"), read_text(kRecorded / "proc/1764/comm"));
  EXPECT_EQ(read(tree, "proc/10003/cmdline"), read_text(kRecorded / "proc/1777/cmdline"));
  EXPECT_EQ(read(tree, "proc/10006/comm"), read_text(kRecorded / "proc/1779/comm"));
  EXPECT_THAT(read(tree, "proc/10003/stat"), StartsWith("10003 (virt-launcher) S 10002 "));
  EXPECT_THAT(read(tree, "proc/10004/stat"), StartsWith("10004 (virtqemud) S 10003 "));
  EXPECT_THAT(read(tree, "proc/10006/stat"), StartsWith("10006 (qemu-system-x86) S 10003 "));
}

TEST(ConstructedNode, NamesPodCgroupsAsBothDriversDo) {
  ConstructedPod pod = container_pod("only", 1_MiB, 1_MiB);
  pod.uid = "aa-bb";

  struct Case {
    const char* name;
    CgroupNames names;
    const char* cgroup_root;
    Qos qos;
    const char* path;
  };

  const std::vector<Case> cases{
      {"burstable",
       CgroupNames::kSystemd,
       "",
       Qos::kBurstable,
       "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaa_bb.slice"},
      {"best effort",
       CgroupNames::kSystemd,
       "",
       Qos::kBestEffort,
       "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podaa_bb.slice"},
      {"guaranteed",
       CgroupNames::kSystemd,
       "",
       Qos::kGuaranteed,
       "kubepods.slice/kubepods-podaa_bb.slice"},
      {"cgroupfs", CgroupNames::kCgroupfs, "", Qos::kBurstable, "kubepods/burstable/podaa-bb"},
      {"cgroupfs guaranteed", CgroupNames::kCgroupfs, "", Qos::kGuaranteed, "kubepods/podaa-bb"},
      {"in a container",
       CgroupNames::kCgroupfs,
       "docker/f00",
       Qos::kBestEffort,
       "docker/f00/kubepods/besteffort/podaa-bb"},
      {"in a slice",
       CgroupNames::kSystemd,
       "kubelet.slice",
       Qos::kBurstable,
       "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
       "kubelet-kubepods-burstable-podaa_bb.slice"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    ConstructedNode node = recorded_4g();
    node.names = one.names;
    node.cgroup_root = one.cgroup_root;
    pod.qos = one.qos;
    node.pods = {pod};
    const TemporaryTree tree;
    write(node, tree.path());
    EXPECT_TRUE(std::filesystem::is_directory(tree.path(std::string{"sys/fs/cgroup/"} + one.path)));
    EXPECT_THAT(read(tree, "proc/10002/cgroup"), StartsWith(std::string{"0::/"} + one.path + "/"));
  }
}

TEST(ConstructedNode, CountsAKillAtALimitWhereTheKernelCountsIt) {
  ConstructedNode node = recorded_4g();
  node.pods = {container_pod("only", 1_MiB, 1_MiB)};
  node.pods[0].containers[0].limit_oom_kills = 2;
  const TemporaryTree tree;
  write(node, tree.path());
  EXPECT_THAT(read(tree, "sys/fs/cgroup/kubepods.slice/memory.events"), HasSubstr("oom_kill 2\n"));
  EXPECT_THAT(read(tree, "sys/fs/cgroup/kubepods.slice/memory.events.local"),
              HasSubstr("oom_kill 0\n"));
}

TEST(ConstructedNode, LimitsKubepodsToTheCapacityLessTheReserve) {
  ConstructedNode node = recorded_4g();
  const std::string max = "sys/fs/cgroup/kubepods.slice/memory.max";
  const TemporaryTree tree;
  write(node, tree.path());
  EXPECT_EQ(read(tree, max), read_text(kRecorded / max));
  node.reserved = 1_GiB;
  write(node, tree.path());
  EXPECT_EQ(read(tree, max), "3029561344\n");  // 4103303168 - 1073741824
  node.kubepods_limited = false;
  write(node, tree.path());
  EXPECT_EQ(read(tree, max), "max\n");
}

TEST(ConstructedNode, RefusesMoreMemoryThanThereIs) {
  ConstructedNode node = recorded_4g();
  node.pods = {container_pod("too-big", 1_GiB, 8_GiB)};
  const TemporaryTree tree;
  EXPECT_THROW(write(node, tree.path()), std::invalid_argument);
}

TEST(ConstructedNode, PutsV1ControllersWhereEachLayoutHasThem) {
  ConstructedNode node = recorded_4g();
  node.pods = {container_pod("only", 1_MiB, 1_MiB)};
  node.layout = CgroupLayout::kV1;
  const TemporaryTree v1;
  write(node, v1.path());
  EXPECT_THAT(read(v1, "proc/10002/cgroup"), HasSubstr(":memory:/kubepods.slice/"));
  EXPECT_FALSE(std::filesystem::exists(v1.path("sys/fs/cgroup/unified")));
  EXPECT_EQ(read(v1, "sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes"),
            "9223372036854771712\n");
  node.layout = CgroupLayout::kHybrid;
  const TemporaryTree hybrid;
  write(node, hybrid.path());
  EXPECT_TRUE(std::filesystem::exists(hybrid.path("sys/fs/cgroup/unified/cgroup.controllers")));
  EXPECT_TRUE(std::filesystem::exists(hybrid.path("sys/fs/cgroup/memory/memory.stat")));
  node.layout = CgroupLayout::kNone;
  const TemporaryTree none;
  write(node, none.path());
  EXPECT_FALSE(std::filesystem::exists(none.path("sys/fs/cgroup/memory")));
  EXPECT_EQ(read(none, "proc/10002/cgroup").find("memory"), std::string::npos);
}

}  // namespace
}  // namespace eviction::tests
