// SPDX-License-Identifier: Apache-2.0
// All readers on the recorded nodes: a 4 GiB virtual machine (Debian 12, Linux 6.1, cgroup v2,
// psi=1). What is expected here was said by the kernel's arithmetic and, in truth/summary.json, by
// that node's own kubelet.
#include <cstdlib>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cgroup/hugepages.h"
#include "cgroup/kubepods.h"
#include "cgroup/meminfo.h"
#include "cgroup/pressure.h"
#include "cgroup/process.h"
#include "cgroup/vmstat.h"
#include "cgroup/zoneinfo.h"
#include "tests/support/source_tree.h"

namespace eviction::cgroup {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::IsEmpty;

class RecordedNode : public testing::TestWithParam<const char*> {
 protected:
  static Directory open(const std::string& relative) {
    auto directory =
        Directory::open(std::string{tests::kFixtures} + '/' + GetParam() + '/' + relative);
    EXPECT_TRUE(directory) << to_text(directory.error());
    return *std::move(directory);
  }

  Directory proc_ = open("proc");
  Directory sys_ = open("sys");
  Buffer buffer_;
};

TEST_P(RecordedNode, TotalReserveIsWhatTheKernelComputes) {
  const auto zoneinfo = read_zoneinfo(proc_, buffer_);
  ASSERT_TRUE(zoneinfo) << to_text(zoneinfo.error());
  EXPECT_EQ(zoneinfo->zones.size(), 5U);
  // DMA min(3840, 97 + 3855), DMA32 12656 + 1922, Normal 12585 without its boost: 121.1 MiB.
  EXPECT_EQ(zoneinfo->reserve_pages(), 3840 + 12656 + 1922 + 12585);
  EXPECT_EQ(zoneinfo->numa_nodes(), 1U);
  const auto meminfo = read_meminfo(proc_, buffer_);
  ASSERT_TRUE(meminfo) << to_text(meminfo.error());
  EXPECT_EQ(zoneinfo->page_size(meminfo->mem_total), 4_KiB);
  EXPECT_EQ(scale(4_KiB, zoneinfo->managed_pages(), 1), meminfo->mem_total);
}

// kubelet-available A and MemAvailable M differ by K + R + w - a: kernel memory, the kernel's
// reserve, the page cache it thinks it cannot reclaim, and the active cache the kubelet counts.
// Source: linux v6.1 mm/page_alloc.c si_mem_available(); kubelet v1.36 pkg/kubelet/eviction.
TEST_P(RecordedNode, TheTwoAvailablesDifferByKnownTerms) {
  const auto zoneinfo = read_zoneinfo(proc_, buffer_);
  const auto meminfo = read_meminfo(proc_, buffer_);
  const auto hierarchy = open_hierarchy(sys_);
  ASSERT_TRUE(zoneinfo && meminfo && hierarchy);
  const auto root = read_memory_stat(hierarchy->root, buffer_);
  ASSERT_TRUE(root) << to_text(root.error());

  const Bytes available = meminfo->mem_total - (*root->anon + *root->file - *root->inactive_file);
  const Bytes kernel =
      meminfo->mem_total - meminfo->mem_free - *root->anon - *root->file - *meminfo->kreclaimable;
  const Bytes reserve = scale(4_KiB, zoneinfo->reserve_pages(), 1);
  const Bytes low = scale(4_KiB, zoneinfo->low_watermark_pages(), 1);
  const Bytes cache = *meminfo->active_file + *meminfo->inactive_file;
  const Bytes floor =
      std::min(scale(cache, 1, 2), low) + std::min(scale(*meminfo->kreclaimable, 1, 2), low);

  const Bytes gap = available - *meminfo->mem_available;
  const Bytes terms = kernel + reserve + floor - *meminfo->active_file;
  EXPECT_LE(std::abs((gap - terms).value()), (4_MiB).value()) << to_human(gap - terms);
}

TEST_P(RecordedNode, EveryOtherFileReads) {
  const auto vmstat = read_vmstat(proc_, buffer_);
  ASSERT_TRUE(vmstat) << to_text(vmstat.error());
  EXPECT_TRUE(vmstat->oom_kill && vmstat->allocstall && vmstat->pgscan_direct &&
              vmstat->pgscan_kswapd && vmstat->workingset_refault_anon &&
              vmstat->workingset_refault_file && vmstat->pswpin && vmstat->pswpout);
  for (const char* const file : {"pressure/cpu", "pressure/io", "pressure/memory"}) {
    EXPECT_TRUE(read_pressure(proc_, file, buffer_)) << file;
  }
  const auto hierarchy = open_hierarchy(sys_);
  ASSERT_TRUE(hierarchy);
  EXPECT_EQ(hierarchy->mode, CgroupMode::kV2);
  EXPECT_TRUE(read_pressure(hierarchy->root, hierarchy->files().pressure, buffer_));
  const auto pids = list_pids(proc_);
  ASSERT_TRUE(pids);
  ASSERT_THAT(*pids, testing::Contains(1));
  for (const int pid : *pids) {
    EXPECT_TRUE(read_process_stat(proc_, pid, buffer_)) << pid;
    EXPECT_TRUE(read_cmdline(proc_, pid, buffer_)) << pid;
    EXPECT_TRUE(read_oom_score_adj(proc_, pid, buffer_)) << pid;
    EXPECT_TRUE(read_cgroup_path(proc_, pid, buffer_)) << pid;
  }
}

TEST_P(RecordedNode, TheProcessesOfAContainerSayTheSamePod) {
  const auto hierarchy = open_hierarchy(sys_);
  ASSERT_TRUE(hierarchy);
  const auto kubepods = read_kubepods(*hierarchy, *find_kubepods(*hierarchy), buffer_);
  ASSERT_TRUE(kubepods);
  int processes = 0;
  for (const PodCgroup& pod : kubepods->pods) {
    for (const ContainerCgroup& container : pod.containers) {
      for (const int pid : container.pids) {
        const auto path = read_cgroup_path(proc_, pid, buffer_);
        ASSERT_TRUE(path) << pid;
        EXPECT_EQ(pod_uid_of_path(*path), pod.uid) << pid;
        ++processes;
      }
    }
  }
  EXPECT_GT(processes, 0);
}

INSTANTIATE_TEST_SUITE_P(Nodes,
                         RecordedNode,
                         testing::Values("kubelet-1.20-flags",
                                         "kubelet-1.36-dropin-hugepages",
                                         "kubelet-1.36-dropin-pods"));

Kubepods kubepods_of(const char* node) {
  const auto sys = Directory::open(std::string{tests::kFixtures} + '/' + node + "/sys");
  const auto hierarchy = open_hierarchy(*sys);
  Buffer buffer;
  auto kubepods = read_kubepods(*hierarchy, *find_kubepods(*hierarchy), buffer);
  EXPECT_TRUE(kubepods) << to_text(kubepods.error());
  EXPECT_THAT(kubepods->problems, IsEmpty());
  EXPECT_EQ(kubepods->vanished, 0U);
  EXPECT_EQ(kubepods->path, "kubepods.slice");
  EXPECT_EQ(kubepods->driver, CgroupDriver::kSystemd);
  EXPECT_TRUE(kubepods->memory);
  return *std::move(kubepods);
}

std::map<std::string, std::optional<Bytes>> working_sets(const Kubepods& kubepods) {
  std::map<std::string, std::optional<Bytes>> sets;
  for (const PodCgroup& pod : kubepods.pods) {
    EXPECT_EQ(pod.qos, QosClass::kBurstable);
    sets[pod.uid] = pod.memory.working_set();
  }
  return sets;
}

TEST(RecordedPods, WorkingSetsAreTheKubelets) {
  EXPECT_THAT(working_sets(kubepods_of("kubelet-1.36-dropin-pods")),
              ElementsAre(std::pair{"3b25954ce5a6187bdf7c807e8eb28283", 42577920_B},
                          std::pair{"a4ea6a1b-eb67-423a-9da9-d0ff47db9a4f", 211722240_B},
                          std::pair{"f158345b-e16c-4a46-bdeb-38435e86e110", 317194240_B},
                          std::pair{"fac2a6cd-f466-41ae-a2b7-c5cfad28e578", 158601216_B}));
  EXPECT_THAT(working_sets(kubepods_of("kubelet-1.36-dropin-hugepages")),
              ElementsAre(std::pair{"3b25954ce5a6187bdf7c807e8eb28283", 42577920_B},
                          std::pair{"a4ea6a1b-eb67-423a-9da9-d0ff47db9a4f", 211722240_B},
                          std::pair{"b9835e1c-bd33-43be-bcde-036f5c73d64d", 1056403456_B},
                          std::pair{"f158345b-e16c-4a46-bdeb-38435e86e110", 317194240_B},
                          std::pair{"fac2a6cd-f466-41ae-a2b7-c5cfad28e578", 158601216_B}));
  EXPECT_THAT(working_sets(kubepods_of("kubelet-1.20-flags")),
              ElementsAre(std::pair{"ecde730f-6348-4830-be8b-50a215f94b95", 317280256_B}));
}

TEST(RecordedPods, AVirtLauncherPod) {
  const Kubepods kubepods = kubepods_of("kubelet-1.20-flags");
  const PodCgroup& pod = kubepods.pods.at(0);
  EXPECT_EQ(pod.memory.max->bytes, 700_MiB);
  ASSERT_EQ(pod.containers.size(), 2U);
  EXPECT_EQ(pod.containers[1].id,
            "9ebe2b9a3b044171202bf61083e058ca935a5f10d58e24297beb8b749a48899f");
  EXPECT_THAT(pod.containers[0].pids, ElementsAre(9926));
  EXPECT_THAT(pod.containers[1].pids, ElementsAre(9972, 9988, 9989, 9990));
}

TEST(RecordedHugepages, OfTheNodeThatHasThem) {
  const auto sys =
      Directory::open(std::string{tests::kFixtures} + "/kubelet-1.36-dropin-hugepages/sys");
  ASSERT_TRUE(sys);
  Buffer buffer;
  const auto pools = read_hugepages(*sys, buffer);
  ASSERT_TRUE(pools) << to_text(pools.error());
  ASSERT_EQ(pools->size(), 2U);
  EXPECT_EQ(pools->front().total, 200);
  EXPECT_EQ(total_size(*pools), 400_MiB);
}

}  // namespace
}  // namespace eviction::cgroup
