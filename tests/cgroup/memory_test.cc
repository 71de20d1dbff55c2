// SPDX-License-Identifier: Apache-2.0
#include "cgroup/memory.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)

TEST(MemoryStat, Version2) {
  const auto stat = parse_memory_stat(
      "anon 1\n"
      "file 2\n"
      "kernel 99\n"
      "shmem 3\n"
      "inactive_anon 99\n"
      "inactive_file 4\n"
      "active_file 5\n"
      "slab_reclaimable 6\n"
      "slab_unreclaimable 7\n"
      "slab 13\n");
  ASSERT_TRUE(stat) << to_text(stat.error());
  EXPECT_EQ(stat->anon, Bytes{1});
  EXPECT_EQ(stat->file, Bytes{2});
  EXPECT_EQ(stat->shmem, Bytes{3});
  EXPECT_EQ(stat->inactive_file, Bytes{4});
  EXPECT_EQ(stat->active_file, Bytes{5});
  EXPECT_EQ(stat->slab_reclaimable, Bytes{6});
  EXPECT_EQ(stat->slab_unreclaimable, Bytes{7});
}

TEST(MemoryStat, Version1TakesTheHierarchicalKeys) {
  const auto stat = parse_memory_stat(
      "cache 91\n"
      "rss 92\n"
      "shmem 93\n"
      "inactive_file 94\n"
      "active_file 95\n"
      "hierarchical_memory_limit 9223372036854771712\n"
      "total_cache 1\n"
      "total_rss 2\n"
      "total_shmem 3\n"
      "total_inactive_file 4\n"
      "total_active_file 5\n");
  ASSERT_TRUE(stat) << to_text(stat.error());
  EXPECT_EQ(stat->file, Bytes{1});
  EXPECT_EQ(stat->anon, Bytes{2});
  EXPECT_EQ(stat->shmem, Bytes{3});
  EXPECT_EQ(stat->inactive_file, Bytes{4});
  EXPECT_EQ(stat->active_file, Bytes{5});
  EXPECT_EQ(stat->slab_reclaimable, std::nullopt);
}

TEST(MemoryStat, MissingKeysAreAbsent) {
  const auto stat = parse_memory_stat("anon 1\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->inactive_file, std::nullopt);
}

TEST(MemoryStat, RefusesWhatNoKernelPrints) {
  struct Case {
    const char* name;
    std::string_view text;
  };

  const std::vector<Case> cases{
      {"empty", ""},
      {"negative", "anon -4096\n"},
      {"2^63", "anon 9223372036854775808\n"},
      {"no number", "anon \n"},
      {"duplicate", "anon 1\nanon 1\n"},
      {"cut key", "anon 1\nfil"},
      {"NUL byte", "anon 1\0\n"sv},
      {"CRLF", "anon 1\r\n"},
      {"v1 negative", "cache 1\ntotal_cache -1\n"},
  };
  for (const Case& bad : cases) {
    const auto stat = parse_memory_stat(bad.text);
    ASSERT_FALSE(stat) << bad.name;
    EXPECT_EQ(stat.error().kind, ErrorKind::kMalformed) << bad.name;
  }
}

TEST(MemoryEvents, Counters) {
  const auto events =
      parse_memory_events("low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->low, 1U);
  EXPECT_EQ(events->high, 2U);
  EXPECT_EQ(events->max, 3U);
  EXPECT_EQ(events->oom, 4U);
  EXPECT_EQ(events->oom_kill, 5U);
  EXPECT_EQ(events->oom_group_kill, 6U);
}

TEST(MemoryEvents, GroupKillsAreNewerThanTheRest) {
  const auto events = parse_memory_events("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->oom_group_kill, std::nullopt);
  EXPECT_EQ(events->oom, 0U);
}

TEST(MemoryEvents, RefusesWhatNoKernelPrints) {
  EXPECT_FALSE(parse_memory_events(""));
  EXPECT_FALSE(parse_memory_events("oom max\n"));
  EXPECT_FALSE(parse_memory_events("oom 1\noom 2\n"));
}

TEST(MemoryLimit, BytesOrNone) {
  struct Case {
    std::string_view text;
    std::optional<Bytes> bytes;
  };

  const std::vector<Case> cases{
      {"max\n", {}},
      {"max", {}},
      {"0\n", Bytes{0}},
      {"4103303168\n", Bytes{4103303168}},
      {"4103303168", Bytes{4103303168}},
      {"4611686018427387904\n", Bytes{std::int64_t{1} << 62}},
      {"4611686018427387905\n", {}},
      {"9223372036854771712\n", {}},
      {"9223372036854775807\n", {}},
  };
  for (const Case& expected : cases) {
    const auto limit = parse_memory_limit(expected.text);
    ASSERT_TRUE(limit) << expected.text;
    EXPECT_EQ(limit->bytes, expected.bytes) << expected.text;
  }
}

TEST(MemoryLimit, RefusesAllElse) {
  for (const std::string_view text : {""sv,
                                      "\n"sv,
                                      "Max\n"sv,
                                      "max \n"sv,
                                      "max\n\n"sv,
                                      "maximum\n"sv,
                                      "-1\n"sv,
                                      "1 2\n"sv,
                                      "1\n2\n"sv,
                                      "1k\n"sv,
                                      "1\r\n"sv,
                                      "1\0\n"sv,
                                      "9223372036854775808\n"sv,
                                      "18446744073709551616\n"sv}) {
    const auto limit = parse_memory_limit(text);
    ASSERT_FALSE(limit) << text;
    EXPECT_EQ(limit.error().kind, ErrorKind::kMalformed) << text;
  }
}

TEST(Memory, ReadersNameTheFile) {
  tests::TemporaryTree tree;
  const auto cgroup = Directory::open(tree.path());
  ASSERT_TRUE(cgroup);
  Buffer buffer;
  EXPECT_EQ(read_memory_stat(*cgroup, buffer).error().kind, ErrorKind::kAbsent);
  tree.file("memory.stat", "anon x\n")
      .file("memory.events", "oom x\n")
      .file("memory.max", "x\n")
      .file("memory.current", "x\n");
  EXPECT_EQ(read_memory_stat(*cgroup, buffer).error().path, tree.path("memory.stat"));
  EXPECT_EQ(read_memory_events(*cgroup, "memory.events", buffer).error().path,
            tree.path("memory.events"));
  EXPECT_EQ(read_memory_limit(*cgroup, "memory.max", buffer).error().path, tree.path("memory.max"));
  EXPECT_EQ(read_number(*cgroup, "memory.current", buffer).error().path,
            tree.path("memory.current"));
  tree.file("memory.current", "4096\n");
  EXPECT_EQ(read_number(*cgroup, "memory.current", buffer), 4096);
}

}  // namespace
}  // namespace eviction::cgroup
