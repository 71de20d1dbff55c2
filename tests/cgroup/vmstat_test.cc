// SPDX-License-Identifier: Apache-2.0
#include "cgroup/vmstat.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cgroup/malformed.h"
#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

TEST(Vmstat, AllocstallIsTheSumOverTheZones) {
  const auto stat = parse_vmstat(
      "nr_free_pages 1\n"
      "workingset_refault_anon 2\n"
      "workingset_refault_file 3\n"
      "pswpin 4\n"
      "pswpout 5\n"
      "allocstall_dma 10\n"
      "allocstall_dma32 20\n"
      "allocstall_normal 30\n"
      "allocstall_movable 40\n"
      "allocstall_device 50\n"
      "pgscan_kswapd 6\n"
      "pgscan_direct 7\n"
      "pgscan_direct_throttle 99\n"
      "oom_kill 8\n");
  ASSERT_TRUE(stat) << to_text(stat.error());
  EXPECT_EQ(stat->allocstall, 150U);
  EXPECT_EQ(stat->workingset_refault_anon, 2U);
  EXPECT_EQ(stat->workingset_refault_file, 3U);
  EXPECT_EQ(stat->pswpin, 4U);
  EXPECT_EQ(stat->pswpout, 5U);
  EXPECT_EQ(stat->pgscan_kswapd, 6U);
  EXPECT_EQ(stat->pgscan_direct, 7U);
  EXPECT_EQ(stat->oom_kill, 8U);
}

TEST(Vmstat, HighmemCountsToo) {
  EXPECT_EQ(parse_vmstat("allocstall_normal 1\nallocstall_high 2\n")->allocstall, 3U);
}

TEST(Vmstat, OlderKernels) {
  // Before Linux 5.9 one refault counter, before 4.13 no oom_kill, before 4.10 one allocstall.
  const auto stat = parse_vmstat("workingset_refault 5\nallocstall 6\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->workingset_refault_file, 5U);
  EXPECT_EQ(stat->workingset_refault_anon, std::nullopt);
  EXPECT_EQ(stat->allocstall, 6U);
  EXPECT_EQ(stat->oom_kill, std::nullopt);
}

TEST(Vmstat, NoAllocstallCounterIsAbsentNotZero) {
  EXPECT_EQ(parse_vmstat("oom_kill 0\n")->allocstall, std::nullopt);
}

TEST(Vmstat, RefusesWhatNoKernelPrints) {
  const std::vector<Malformed> cases{
      {"empty", "", 0},
      {"negative", "pswpin 0\noom_kill -1\n", 2},
      {"2^64", "oom_kill 18446744073709551616\n", 1},
      {"duplicate", "oom_kill 1\noom_kill 1\n", 2},
      {"duplicate zone", "allocstall_dma 1\nallocstall_dma 1\n", 2},
      {"sum overflows", "allocstall_dma 18446744073709551615\nallocstall_normal 1\n", 0},
      {"no value", "oom_kill\n", 1},
      {"CRLF", "oom_kill 1\r\n", 1},
  };
  expect_malformed(cases, [](const std::string& text) { return parse_vmstat(text); });
}

TEST(Vmstat, ReadNamesTheFile) {
  tests::TemporaryTree tree;
  const auto proc = Directory::open(tree.path());
  ASSERT_TRUE(proc);
  Buffer buffer;
  EXPECT_EQ(read_vmstat(*proc, buffer).error().kind, ErrorKind::kAbsent);
  tree.file("vmstat", "oom_kill x\n");
  EXPECT_EQ(read_vmstat(*proc, buffer).error().path, tree.path("vmstat"));
  tree.file("vmstat", "oom_kill 3\n");
  EXPECT_EQ(read_vmstat(*proc, buffer)->oom_kill, 3U);
}

}  // namespace
}  // namespace eviction::cgroup
