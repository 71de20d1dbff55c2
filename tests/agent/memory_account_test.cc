// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/memory_account.h"

#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

/// 16 GiB: 6 free, 4 anon, 3 file (1 active, 1.5 inactive, 0.5 shared), 1 reclaimable slab, so the
/// kernel holds 2. One zone; 100 MiB reserved, 40 MiB low watermark.
Observation node() {
  Observation seen;
  seen.meminfo.emplace();
  seen.meminfo->mem_total = 16_GiB;
  seen.meminfo->mem_free = 6_GiB;
  seen.meminfo->anon_pages = 4_GiB;
  seen.meminfo->cached = 3_GiB - 100_MiB;
  seen.meminfo->buffers = 100_MiB;
  seen.meminfo->active_file = 1_GiB;
  seen.meminfo->inactive_file = 1536_MiB;
  seen.meminfo->kreclaimable = 1_GiB;
  // free - reserve + cache - low + slab - low, as the kernel computes it
  seen.meminfo->mem_available = 6_GiB - 100_MiB + 2560_MiB - 40_MiB + 1_GiB - 40_MiB;
  cgroup::Zone zone;
  zone.managed = (16_GiB).value() / 4096;
  zone.low = (40_MiB).value() / 4096;
  zone.high = (100_MiB).value() / 4096;
  seen.zoneinfo.emplace();
  seen.zoneinfo->zones = {zone};
  seen.cgroup_mode = cgroup::CgroupMode::kV2;
  seen.root_stat.emplace();
  seen.root_stat->anon = 4_GiB;
  seen.root_stat->file = 3_GiB;
  seen.root_stat->active_file = 1_GiB;
  seen.root_stat->inactive_file = 1536_MiB;
  seen.kubelet.emplace();
  seen.kubelet->version = config::KubeletVersion{1, 32, 3, ""};
  return seen;
}

TEST(MemoryAccount, AnonPlusFile) {
  const MemoryAccount memory = account(node());
  EXPECT_EQ(memory.formula, KubeletFormula::kAnonFile);
  EXPECT_EQ(memory.kubelet_available, 16_GiB - (7_GiB - 1536_MiB));
  EXPECT_EQ(memory.kernel, 2_GiB);
  EXPECT_EQ(memory.reserve, 100_MiB);
  EXPECT_EQ(memory.cache_floor, 80_MiB);
  EXPECT_EQ(memory.active_file, 1_GiB);
  EXPECT_EQ(*memory.gap,
            *memory.kernel + *memory.reserve + *memory.cache_floor - *memory.active_file);
}

// runc before 1.1.9: the root's usage is MemTotal - MemFree, so slab counts as used.
TEST(MemoryAccount, OldKubeletsCountEverythingButFreeAsUsed) {
  Observation seen = node();
  seen.kubelet->version = config::KubeletVersion{1, 26, 5, ""};
  const MemoryAccount memory = account(seen);
  EXPECT_EQ(memory.formula, KubeletFormula::kTotalFree);
  EXPECT_EQ(memory.kubelet_available, 6_GiB + 1536_MiB);
  EXPECT_EQ(memory.kernel, Bytes{} - 1_GiB);
  EXPECT_EQ(*memory.gap,
            *memory.kernel + *memory.reserve + *memory.cache_floor - *memory.active_file);
}

// 5 MiB map 5 GiB; 9,376 MiB are available.
TEST(MemoryAccount, PageTablesToComeAreInTheRatioOfThoseThereAre) {
  Observation seen = node();
  EXPECT_EQ(account(seen).page_tables_to_come, 0_B) << "how many there are is unknown";
  seen.meminfo->shmem = 1_GiB;
  seen.meminfo->page_tables = 4_MiB;
  seen.meminfo->sec_page_tables = 1_MiB;
  const Bytes to_come = account(seen).page_tables_to_come;
  EXPECT_EQ(to_come, scale(*seen.meminfo->mem_available, 1, 1024));
  seen.meminfo->page_tables = 1_GiB;
  EXPECT_EQ(account(seen).page_tables_to_come, scale(*seen.meminfo->mem_available, 1, 256))
      << "what is mapped by many at once says nothing of memory to come";
  seen.kubelet->version = config::KubeletVersion{1, 26, 5, ""};
  EXPECT_EQ(account(seen).page_tables_to_come, 0_B) << "to this kubelet they are used memory";
  seen = node();
  seen.meminfo->page_tables = 4_MiB;
  seen.meminfo->mem_available.reset();
  EXPECT_EQ(account(seen).page_tables_to_come, 0_B);
}

TEST(MemoryAccount, VersionOneUsesItsRootsUsage) {
  Observation seen = node();
  seen.cgroup_mode = cgroup::CgroupMode::kV1;
  seen.root_usage = 7500_MiB;
  seen.root_stat->inactive_file = 1500_MiB;
  const MemoryAccount memory = account(seen);
  EXPECT_EQ(memory.formula, KubeletFormula::kV1);
  EXPECT_EQ(memory.kubelet_available, 16_GiB - 6000_MiB);
}

TEST(MemoryAccount, MeminfoAloneIsEnough) {
  Observation seen = node();
  seen.cgroup_mode = cgroup::CgroupMode::kNone;
  seen.root_stat.reset();
  seen.kubelet.reset();
  const MemoryAccount memory = account(seen);
  EXPECT_EQ(memory.formula, KubeletFormula::kNone);
  EXPECT_EQ(memory.kubelet_available, account(node()).kubelet_available);
  EXPECT_EQ(memory.kernel, 2_GiB);
}

TEST(MemoryAccount, WithoutZoneinfoTheReserveFollowsFromTheIdentity) {
  Observation seen = node();
  seen.zoneinfo.reset();
  const MemoryAccount memory = account(seen);
  EXPECT_EQ(memory.reserve, 180_MiB) << "R + w in one term";
  EXPECT_EQ(memory.cache_floor, 0_B);
}

TEST(MemoryAccount, OutsideKubepodsIsWhatReclaimCannotTouch) {
  Observation seen = node();
  EXPECT_EQ(account(seen).outside_kubepods, std::nullopt);
  seen.kubepods.emplace();
  seen.kubepods->current = 3_GiB;
  seen.kubepods->max = cgroup::MemoryLimit{15_GiB};
  seen.kubepods->stat.emplace();
  seen.kubepods->stat->inactive_file = 256_MiB;
  seen.kubepods->stat->active_file = 128_MiB;
  seen.kubepods->stat->slab_reclaimable = 128_MiB;
  const MemoryAccount memory = account(seen);
  // used and unreclaimable: 16 - 6 free - 2.5 cache - 1 slab = 6.5; of it 2.5 in pods
  EXPECT_EQ(memory.outside_kubepods, 4_GiB);
  EXPECT_EQ(memory.reserved, 1_GiB);
}

TEST(MemoryAccount, NoMeminfoNoNumbers) {
  Observation seen = node();
  seen.meminfo.reset();
  const MemoryAccount memory = account(seen);
  EXPECT_EQ(memory.capacity, std::nullopt);
  EXPECT_EQ(memory.kubelet_available, std::nullopt);
  EXPECT_EQ(memory.reserve, std::nullopt);
}

}  // namespace
}  // namespace eviction::agent
