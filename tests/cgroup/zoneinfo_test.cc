// SPDX-License-Identifier: Apache-2.0
#include "cgroup/zoneinfo.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cgroup/malformed.h"
#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace)

// As Linux 6.1 prints a populated zone; "high:" and "high_max:" belong to a CPU's page list.
constexpr std::string_view kNormal =
    "Node 0, zone   Normal\n"
    "  per-node stats\n"
    "      nr_inactive_anon 267382\n"
    "      low 1\n"
    "  pages free     284917\n"
    "        boost    1024\n"
    "        min      9415\n"
    "        low      11512\n"
    "        high     13609\n"
    "        promo    15706\n"
    "        spanned  524288\n"
    "        present  524288\n"
    "        managed  494171\n"
    "        cma      0\n"
    "        protection: (0, 7, 0)\n"
    "      nr_free_pages 284917\n"
    "      managed      1\n"
    "  pagesets\n"
    "    cpu: 0\n"
    "              count:    4333\n"
    "              high:     5273\n"
    "              batch:    63\n"
    "              high_min: 1\n"
    "              high_max: 9\n"
    "  vm stats threshold: 20\n"
    "  node_unreclaimable:  0\n"
    "  start_pfn:           1048576\n";

constexpr std::string_view kEmpty =
    "Node 0, zone  Movable\n"
    "  pages free     0\n"
    "        boost    0\n"
    "        min      32\n"
    "        low      32\n"
    "        high     32\n"
    "        spanned  0\n"
    "        present  0\n"
    "        managed  0\n"
    "        cma      0\n"
    "        protection: (0, 0, 0)\n";

std::string joined(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    all += text;
  }
  return all;
}

std::string replaced(std::string_view text, std::string_view old, std::string_view now) {
  std::string changed{text};
  const std::size_t at = changed.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return changed.replace(at, old.size(), now);
}

TEST(Zoneinfo, TheWatermarksAreTheZonesNotTheCpus) {
  const auto info = parse_zoneinfo(kNormal);
  ASSERT_TRUE(info) << to_text(info.error());
  ASSERT_EQ(info->zones.size(), 1U);
  const Zone& zone = info->zones.front();
  EXPECT_EQ(zone.node, 0);
  EXPECT_EQ(zone.name, "Normal");
  EXPECT_EQ(zone.free, 284917);
  EXPECT_EQ(zone.boost, 1024);
  EXPECT_EQ(zone.min, 9415);
  EXPECT_EQ(zone.low, 11512);
  EXPECT_EQ(zone.high, 13609);
  EXPECT_EQ(zone.managed, 494171);
  EXPECT_THAT(zone.protection, testing::ElementsAre(0, 7, 0));
}

TEST(Zoneinfo, ReserveLeavesTheBoostOutAndLowKeepsIt) {
  const auto info = parse_zoneinfo(joined({kNormal, kEmpty}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reserve_pages(), 13609 - 1024 + 7);  // the empty zone has no page to reserve
  EXPECT_EQ(info->low_watermark_pages(), 11512 + 32);
  EXPECT_EQ(info->managed_pages(), 494171);
}

TEST(Zoneinfo, AZoneReservesAtMostWhatItManages) {
  const auto info = parse_zoneinfo(replaced(kNormal, "(0, 7, 0)", "(0, 7, 500000)"));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reserve_pages(), 494171);
}

TEST(Zoneinfo, ABoostAboveHighIsNotNegativeReserve) {
  const auto info = parse_zoneinfo(replaced(kNormal, "boost    1024", "boost    20000"));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reserve_pages(), 7);
}

TEST(Zoneinfo, OlderKernelsPrintNoBoost) {
  const auto info = parse_zoneinfo(replaced(kNormal, "        boost    1024\n", ""));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->zones.front().boost, 0);
}

TEST(Zoneinfo, NodesWithoutMemoryAreNotCounted) {
  const std::string second = replaced(kNormal, "Node 0", "Node 1");
  const std::string third = replaced(kEmpty, "Node 0", "Node 2");
  const auto info = parse_zoneinfo(joined({kNormal, kEmpty, second, third}));
  ASSERT_TRUE(info) << to_text(info.error());
  EXPECT_EQ(info->zones.size(), 4U);
  EXPECT_EQ(info->numa_nodes(), 2U);
}

TEST(Zoneinfo, PageSizeFromMemTotal) {
  Zoneinfo info;
  EXPECT_EQ(info.page_size(4007132_KiB), 4_KiB);
  info.zones.resize(1);
  info.zones.front().managed = 1000;
  EXPECT_EQ(info.page_size(4000_KiB), 4_KiB);
  EXPECT_EQ(info.page_size(4010_KiB), 4_KiB);  // memory added between the two reads
  EXPECT_EQ(info.page_size(16000_KiB), 16_KiB);
  EXPECT_EQ(info.page_size(64000_KiB), 64_KiB);
}

TEST(Zoneinfo, RefusesWhatNoKernelPrints) {
  const std::vector<Malformed> cases{
      {"empty", "", 0},
      {"no zone", "  pages free     1\n", 1},
      {"no zone's name", replaced(kNormal, "zone   Normal", "zone   "), 1},
      {"no node", replaced(kNormal, "Node 0", "Node x"), 1},
      {"huge node", replaced(kNormal, "Node 0", "Node 4294967296"), 1},
      {"no free", replaced(kNormal, "pages free", "pages gone"), 1},
      {"no low", replaced(kNormal, "        low      11512\n", ""), 1},
      {"no high", replaced(kNormal, "        high     13609\n", ""), 1},
      {"no managed", replaced(kNormal, "        managed  494171\n", ""), 1},
      {"no protection", replaced(kEmpty, "        protection: (0, 0, 0)\n", ""), 1},
      {"cut", std::string{kEmpty.substr(0, kEmpty.find("managed"))}, 1},
      {"low twice", replaced(kNormal, "promo    15706", "low      11512"), 10},
      {"negative", replaced(kNormal, "high     13609", "high     -1"), 9},
      {"garbage", replaced(kNormal, "high     13609", "high     13609x"), 9},
      {"2^63", replaced(kNormal, "high     13609", "high     9223372036854775808"), 9},
      {"more pages than addresses", replaced(kNormal, "managed  4", "managed  99999999999999"), 13},
      {"open protection", replaced(kNormal, "(0, 7, 0)", "(0, 7, 0"), 15},
      {"empty protection", replaced(kNormal, "(0, 7, 0)", "()"), 15},
      {"protection of words", replaced(kNormal, "(0, 7, 0)", "(0, x, 0)"), 15},
      {"zone twice", joined({kEmpty, kEmpty}), 0},
      {"NUL byte", replaced(kNormal, "13609", std::string_view{"1\0", 2}), 9},
      {"CRLF", replaced(kNormal, "13609\n", "13609\r\n"), 9},
  };
  expect_malformed(cases, [](const std::string& text) { return parse_zoneinfo(text); });
}

TEST(Zoneinfo, ReadNamesTheFile) {
  tests::TemporaryTree tree;
  const auto proc = Directory::open(tree.path());
  ASSERT_TRUE(proc);
  Buffer buffer;
  EXPECT_EQ(read_zoneinfo(*proc, buffer).error().kind, ErrorKind::kAbsent);
  tree.file("zoneinfo", "x\n");
  EXPECT_EQ(read_zoneinfo(*proc, buffer).error().path, tree.path("zoneinfo"));
  tree.file("zoneinfo", kNormal);
  EXPECT_EQ(read_zoneinfo(*proc, buffer)->zones.size(), 1U);
}

}  // namespace
}  // namespace eviction::cgroup
