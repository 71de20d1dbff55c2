// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include <gtest/gtest.h>

#include "cgroup/kubepods.h"

namespace eviction::cgroup {
namespace {

TEST(CgroupMemory, WorkingSet) {
  CgroupMemory memory;
  EXPECT_EQ(memory.working_set(), std::nullopt);
  memory.current = Bytes{100};
  EXPECT_EQ(memory.working_set(), Bytes{100});
  memory.stat = MemoryStat{};
  EXPECT_EQ(memory.working_set(), Bytes{100});
  memory.stat->inactive_file = Bytes{30};
  EXPECT_EQ(memory.working_set(), Bytes{70});
  memory.stat->inactive_file = Bytes{101};
  EXPECT_EQ(memory.working_set(), Bytes{0});
}

TEST(CgroupMemory, WhatReclaimCannotTakeHasNoPageCache) {
  CgroupMemory memory;
  memory.current = Bytes{100};
  memory.stat = MemoryStat{};
  memory.stat->inactive_file = Bytes{30};
  EXPECT_EQ(memory.unreclaimable(), std::nullopt) << "the active part is not known";
  memory.stat->slab_reclaimable = Bytes{0};
  EXPECT_EQ(memory.unreclaimable(), std::nullopt);
  memory.stat->active_file = Bytes{20};
  EXPECT_EQ(memory.unreclaimable(), Bytes{50});
  memory.stat->slab_reclaimable = Bytes{5};
  EXPECT_EQ(memory.unreclaimable(), Bytes{45});
  memory.stat->active_file = Bytes{90};
  EXPECT_EQ(memory.unreclaimable(), Bytes{0}) << "the two files are read one after the other";
}

// usage_in_bytes of v1 has the slab of the pods in it, and memory.stat tells nothing of that.
TEST(CgroupMemory, WhatReclaimCannotTakeIsAnonAndShmemOnV1) {
  CgroupMemory memory;
  memory.current = Bytes{100};
  memory.stat = MemoryStat{};
  memory.stat->inactive_file = Bytes{30};
  memory.stat->active_file = Bytes{20};
  memory.stat->anon = Bytes{15};
  EXPECT_EQ(memory.unreclaimable(), std::nullopt);
  memory.stat->shmem = Bytes{5};
  EXPECT_EQ(memory.unreclaimable(), Bytes{20});
}

}  // namespace
}  // namespace eviction::cgroup
