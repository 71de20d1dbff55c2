// SPDX-License-Identifier: Apache-2.0
#include "cgroup/hierarchy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using testing::HasSubstr;

class HierarchyTest : public testing::Test {
 protected:
  Result<Hierarchy> open() { return open_hierarchy(*Directory::open(tree_.path())); }

  void expect_absent() {
    const auto hierarchy = open();
    ASSERT_FALSE(hierarchy);
    EXPECT_EQ(hierarchy.error().kind, ErrorKind::kAbsent);
    EXPECT_THAT(hierarchy.error().remedy, HasSubstr("cgroup_enable=memory"));
  }

  tests::TemporaryTree tree_;
};

TEST_F(HierarchyTest, Version2) {
  tree_.file("fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
  const auto hierarchy = open();
  ASSERT_TRUE(hierarchy) << to_text(hierarchy.error());
  EXPECT_EQ(hierarchy->mode, CgroupMode::kV2);
  EXPECT_EQ(hierarchy->root.path(), tree_.path("fs/cgroup"));
  EXPECT_EQ(hierarchy->files().current, "memory.current");
  EXPECT_EQ(hierarchy->files().max, "memory.max");
  EXPECT_EQ(hierarchy->files().events, "memory.events");
  EXPECT_EQ(hierarchy->files().events_local, "memory.events.local");
  EXPECT_EQ(hierarchy->files().pressure, "memory.pressure");
}

TEST_F(HierarchyTest, Version2WithoutTheMemoryController) {
  tree_.file("fs/cgroup/cgroup.controllers", "cpu memoryless pids\n");
  expect_absent();
  tree_.file("fs/cgroup/cgroup.controllers", "");
  expect_absent();
}

TEST_F(HierarchyTest, TheMemoryControllerMayBeTheOnlyOne) {
  tree_.file("fs/cgroup/cgroup.controllers", "memory");
  EXPECT_TRUE(open());
}

TEST_F(HierarchyTest, Version1) {
  tree_.file("fs/cgroup/memory/memory.usage_in_bytes", "1\n");
  const auto hierarchy = open();
  ASSERT_TRUE(hierarchy) << to_text(hierarchy.error());
  EXPECT_EQ(hierarchy->mode, CgroupMode::kV1);
  EXPECT_EQ(hierarchy->root.path(), tree_.path("fs/cgroup/memory"));
  EXPECT_EQ(hierarchy->files().current, "memory.usage_in_bytes");
  EXPECT_EQ(hierarchy->files().max, "memory.limit_in_bytes");
  EXPECT_EQ(hierarchy->files().events, "");
  EXPECT_EQ(hierarchy->files().pressure, "");
}

TEST_F(HierarchyTest, HybridUsesVersion1) {
  tree_.file("fs/cgroup/memory/memory.stat", "cache 1\n").directory("fs/cgroup/unified");
  const auto hierarchy = open();
  ASSERT_TRUE(hierarchy) << to_text(hierarchy.error());
  EXPECT_EQ(hierarchy->mode, CgroupMode::kHybrid);
  EXPECT_EQ(hierarchy->files().current, "memory.usage_in_bytes");
}

TEST_F(HierarchyTest, NoneGetsARemedy) {
  expect_absent();
  tree_.directory("fs/cgroup/cpu");
  expect_absent();
  tree_.directory("fs/cgroup/memory");
  expect_absent();
}

TEST_F(HierarchyTest, AnUnreadableTreeIsNotAnAbsentOne) {
  tree_.directory("fs/cgroup/cgroup.controllers");
  EXPECT_EQ(open().error().kind, ErrorKind::kMalformed);
}

TEST(Hierarchy, Modes) {
  EXPECT_EQ(to_text(CgroupMode::kV2), "v2");
  EXPECT_EQ(to_text(CgroupMode::kV1), "v1");
  EXPECT_EQ(to_text(CgroupMode::kHybrid), "hybrid");
  EXPECT_EQ(to_text(CgroupMode::kNone), "none");
}

}  // namespace
}  // namespace eviction::cgroup
