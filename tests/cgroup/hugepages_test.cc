// SPDX-License-Identifier: Apache-2.0
#include "cgroup/hugepages.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace)

class HugepagesTest : public testing::Test {
 protected:
  Result<std::vector<HugepagePool>> read() {
    Buffer buffer;
    return read_hugepages(*Directory::open(tree_.path()), buffer);
  }

  void pool(const std::string& size, const std::string& total) {
    const std::string folder = "kernel/mm/hugepages/hugepages-" + size;
    tree_.file(folder + "/nr_hugepages", total)
        .file(folder + "/free_hugepages", "20\n")
        .file(folder + "/resv_hugepages", "10\n");
  }

  tests::TemporaryTree tree_;
};

TEST_F(HugepagesTest, AKernelWithoutThemHasNoPools) {
  const auto pools = read();
  ASSERT_TRUE(pools);
  EXPECT_TRUE(pools->empty());
  EXPECT_EQ(total_size(*pools), Bytes{0});
}

TEST_F(HugepagesTest, PoolsInOrderOfPageSize) {
  pool("1048576kB", "3\n");
  pool("2048kB", "200\n");
  tree_.directory("kernel/mm/hugepages/other").file("kernel/mm/hugepages/hugepages-1kB", "");
  const auto pools = read();
  ASSERT_TRUE(pools) << to_text(pools.error());
  ASSERT_EQ(pools->size(), 2U);
  EXPECT_EQ(pools->front().page_size, 2_MiB);
  EXPECT_EQ(pools->front().total, 200);
  EXPECT_EQ(pools->front().free, 20);
  EXPECT_EQ(pools->front().reserved, 10);
  EXPECT_EQ(pools->front().size(), 400_MiB);
  EXPECT_EQ(pools->back().page_size, 1_GiB);
  EXPECT_EQ(total_size(*pools), 3_GiB + 400_MiB);
}

TEST_F(HugepagesTest, AnUnreadablePoolIsNamed) {
  pool("2048kB", "-1\n");
  const auto pools = read();
  ASSERT_FALSE(pools);
  EXPECT_EQ(pools.error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(pools.error().path, tree_.path("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"));

  tree_.directory("kernel/mm/hugepages/hugepages-16kB");
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
}

TEST_F(HugepagesTest, AnAbsurdPoolSaturates) {
  pool("1048576kB", "9223372036854775807\n");
  EXPECT_EQ(total_size(*read()), Bytes{std::numeric_limits<std::int64_t>::max()});
}

}  // namespace
}  // namespace eviction::cgroup
