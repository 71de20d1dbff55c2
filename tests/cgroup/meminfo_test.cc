// SPDX-License-Identifier: Apache-2.0
#include "cgroup/meminfo.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cgroup/malformed.h"
#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using namespace literals;              // NOLINT(google-build-using-namespace)
using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kSmall =
    "MemTotal:        4007132 kB\n"
    "MemFree:         2617868 kB\n";

TEST(Meminfo, ReadsKibibytesUnderTheKernelsNames) {
  const auto info = parse_meminfo(
      "MemTotal:       1007132 kB\n"
      "MemFree:              1 kB\n"
      "MemAvailable:         2 kB\n"
      "Buffers:              3 kB\n"
      "Cached:               4 kB\n"
      "SwapCached:           5 kB\n"
      "Active(file):         6 kB\n"
      "Inactive(file):       7 kB\n"
      "SwapTotal:            8 kB\n"
      "SwapFree:             9 kB\n"
      "Zswap:               10 kB\n"
      "Zswapped:            11 kB\n"
      "AnonPages:           12 kB\n"
      "Shmem:               13 kB\n"
      "KReclaimable:        14 kB\n"
      "Slab:                15 kB\n"
      "SReclaimable:        16 kB\n"
      "SUnreclaim:          17 kB\n"
      "KernelStack:         18 kB\n"
      "PageTables:          19 kB\n"
      "SecPageTables:       20 kB\n"
      "Percpu:              21 kB\n"
      "HugePages_Total:     99\n"
      "Hugetlb:             22 kB\n");
  ASSERT_TRUE(info) << to_text(info.error());
  EXPECT_EQ(info->mem_total, 1007132_KiB);
  EXPECT_EQ(info->mem_free, 1_KiB);
  EXPECT_EQ(info->mem_available, 2_KiB);
  EXPECT_EQ(info->buffers, 3_KiB);
  EXPECT_EQ(info->cached, 4_KiB);
  EXPECT_EQ(info->swap_cached, 5_KiB);
  EXPECT_EQ(info->active_file, 6_KiB);
  EXPECT_EQ(info->inactive_file, 7_KiB);
  EXPECT_EQ(info->swap_total, 8_KiB);
  EXPECT_EQ(info->swap_free, 9_KiB);
  EXPECT_EQ(info->zswap, 10_KiB);
  EXPECT_EQ(info->zswapped, 11_KiB);
  EXPECT_EQ(info->anon_pages, 12_KiB);
  EXPECT_EQ(info->shmem, 13_KiB);
  EXPECT_EQ(info->kreclaimable, 14_KiB);
  EXPECT_EQ(info->slab, 15_KiB);
  EXPECT_EQ(info->s_reclaimable, 16_KiB);
  EXPECT_EQ(info->s_unreclaim, 17_KiB);
  EXPECT_EQ(info->kernel_stack, 18_KiB);
  EXPECT_EQ(info->page_tables, 19_KiB);
  EXPECT_EQ(info->sec_page_tables, 20_KiB);
  EXPECT_EQ(info->percpu, 21_KiB);
  EXPECT_EQ(info->hugetlb, 22_KiB);
}

TEST(Meminfo, LinesOfOtherKernelsAreAbsent) {
  const auto info = parse_meminfo(kSmall);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->mem_available, std::nullopt);
  EXPECT_EQ(info->kreclaimable, std::nullopt);
  EXPECT_EQ(info->hugetlb, std::nullopt);
}

TEST(Meminfo, RefusesWhatNoKernelPrints) {
  const std::vector<Malformed> cases{
      {"empty", "", 0},
      {"no MemFree", "MemTotal: 1 kB\n", 0},
      {"no MemTotal", "MemFree: 1 kB\n", 0},
      {"zero total", "MemTotal: 0 kB\nMemFree: 0 kB\n", 0},
      {"free above total", "MemTotal: 1 kB\nMemFree: 2 kB\n", 0},
      {"no kB", "MemTotal: 1\nMemFree: 1 kB\n", 1},
      {"MB", "MemTotal: 1 MB\nMemFree: 1 kB\n", 1},
      {"kB without a space", "MemTotal: 1kB\nMemFree: 1 kB\n", 1},
      {"no space before the number", "MemTotal:1 kB\nMemFree: 1 kB\n", 1},
      {"only kB", "MemTotal: kB\nMemFree: 1 kB\n", 1},
      {"garbage behind kB", "MemTotal: 1 kB x\nMemFree: 1 kB\n", 1},
      {"negative", "MemTotal: 1 kB\nMemFree: -1 kB\n", 2},
      {"2^53 KiB", "MemTotal: 9007199254740992 kB\nMemFree: 1 kB\n", 1},
      {"2^64 KiB", "MemTotal: 18446744073709551616 kB\nMemFree: 1 kB\n", 1},
      {"duplicate", "MemTotal: 1 kB\nMemFree: 1 kB\nMemTotal: 1 kB\n", 3},
      {"cut number's unit", "MemTotal: 2 kB\nMemFree: 1 k", 2},
      {"cut key", "MemTotal: 2 kB\nMemFree: 1 kB\nMemAv", 3},
      {"NUL byte", "MemTotal: 2 kB\nMemFree: 1\0 kB\n"s, 2},
      {"CRLF", "MemTotal: 2 kB\r\nMemFree: 1 kB\r\n", 1},
  };
  expect_malformed(cases, [](const std::string& text) { return parse_meminfo(text); });
}

TEST(Meminfo, TheLastNewlineMayBeMissing) {
  EXPECT_TRUE(parse_meminfo("MemTotal: 2 kB\nMemFree: 1 kB"));
}

TEST(Meminfo, ReadNamesTheFile) {
  tests::TemporaryTree tree;
  const auto proc = Directory::open(tree.path());
  ASSERT_TRUE(proc);
  Buffer buffer;
  const auto absent = read_meminfo(*proc, buffer);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(absent.error().path, tree.path("meminfo"));

  tree.file("meminfo", "MemTotal: x kB\n");
  const auto malformed = read_meminfo(*proc, buffer);
  ASSERT_FALSE(malformed);
  EXPECT_EQ(to_text(malformed.error()),
            tree.path("meminfo") + ":1: no number in \"MemTotal: x kB\"");

  tree.file("meminfo", kSmall);
  const auto info = read_meminfo(*proc, buffer);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->mem_total, 4007132_KiB);
}

}  // namespace
}  // namespace eviction::cgroup
