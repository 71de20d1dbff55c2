// SPDX-License-Identifier: Apache-2.0
#include "cgroup/process.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kTail =
    " S 17 1801 448 0 -1 4194304 2126 1968 0 0 130 179 42 43 20 0 13 0 137047 2214268928 5211 "
    "18446744073709551615\n";

std::string stat_of(std::string_view comm) {
  return "1801 (" + std::string{comm} + ')' + std::string{kTail};
}

TEST(ProcessStat, TheNameMayHoldAnything) {
  for (const std::string_view comm : {"containerd-shim",
                                      "",
                                      "a b",
                                      "(sd-pam)",
                                      ") S 1 (",
                                      "a\nb",
                                      "))) 99 ((",
                                      "kworker/u8:2-events_unbound"}) {
    const auto stat = parse_process_stat(stat_of(comm));
    ASSERT_TRUE(stat) << comm;
    EXPECT_EQ(stat->comm, comm);
    EXPECT_EQ(stat->parent, 17) << comm;
    EXPECT_EQ(stat->start, 137047U) << comm;
  }
}

TEST(ProcessStat, RefusesWhatNoKernelPrints) {
  struct Case {
    const char* name;
    std::string text;
  };

  const std::vector<Case> cases{
      {"empty", ""},
      {"no name", "1801 S 17"},
      {"no PID", "(x)" + std::string{kTail}},
      {"open name", "1801 (x" + std::string{kTail}},
      {"crossed parentheses", "1801 ) (x" + std::string{kTail}},
      {"negative PID", "-1 (x)" + std::string{kTail}},
      {"no parent", "1801 (x) S"},
      {"negative parent", "1801 (x) S -17 1801 448 0"},
      {"cut before the start", "1801 (x) S 17 1801 448 0 -1 4194304 2126"},
      {"start is a word", "1801 (x) S 17 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 x 23"},
  };
  for (const Case& bad : cases) {
    const auto stat = parse_process_stat(bad.text);
    ASSERT_FALSE(stat) << bad.name;
    EXPECT_EQ(stat.error().kind, ErrorKind::kMalformed) << bad.name;
  }
}

class ProcessTest : public testing::Test {
 protected:
  Directory proc() { return *Directory::open(tree_.path()); }

  tests::TemporaryTree tree_;
  Buffer buffer_;
};

TEST_F(ProcessTest, StatNamesTheFile) {
  EXPECT_EQ(read_process_stat(proc(), 7, buffer_).error().kind, ErrorKind::kAbsent);
  tree_.file("7/stat", "x");
  EXPECT_EQ(read_process_stat(proc(), 7, buffer_).error().path, tree_.path("7/stat"));
  tree_.file("7/stat", stat_of("x"));
  EXPECT_EQ(read_process_stat(proc(), 7, buffer_)->parent, 17);
}

TEST_F(ProcessTest, CmdlineSplitsAtNul) {
  tree_.file("1/cmdline", "/usr/bin/virt-launcher\0--name\0\0a b\0"s)
      .file("2/cmdline", "")
      .file("3/cmdline", "nginx: worker process")
      .file("4/cmdline", "\0"s);
  EXPECT_THAT(read_cmdline(proc(), 1, buffer_).value(),
              ElementsAre("/usr/bin/virt-launcher", "--name", "", "a b"));
  EXPECT_THAT(read_cmdline(proc(), 2, buffer_).value(), IsEmpty());
  EXPECT_THAT(read_cmdline(proc(), 3, buffer_).value(), ElementsAre("nginx: worker process"));
  EXPECT_THAT(read_cmdline(proc(), 4, buffer_).value(), ElementsAre(""));
  EXPECT_EQ(read_cmdline(proc(), 5, buffer_).error().kind, ErrorKind::kAbsent);
}

TEST_F(ProcessTest, ALongCmdlineIsCut) {
  tree_.file("1/cmdline", "a\0"s + std::string(100'000, 'x'));
  const auto arguments = read_cmdline(proc(), 1, buffer_);
  ASSERT_TRUE(arguments);
  ASSERT_EQ(arguments->size(), 2U);
  EXPECT_EQ(arguments->back().size(), 65536U - 2);
}

TEST_F(ProcessTest, OomScoreAdj) {
  struct Case {
    const char* text = "";
    std::optional<int> number;
  };

  const std::vector<Case> cases{
      {"0\n", 0},
      {"-998\n", -998},
      {"-1000\n", -1000},
      {"1000\n", 1000},
      {"935", 935},
      {"", {}},
      {"\n", {}},
      {"-\n", {}},
      {"--1\n", {}},
      {"1001\n", {}},
      {"-1001\n", {}},
      {"1\n2\n", {}},
      {"1 \n", {}},
      {"1\n\n", {}},
  };
  for (const Case& expected : cases) {
    tree_.file("1/oom_score_adj", expected.text);
    const auto number = read_oom_score_adj(proc(), 1, buffer_);
    EXPECT_EQ(number.has_value(), expected.number.has_value()) << expected.text;
    if (expected.number) {
      EXPECT_EQ(number, *expected.number);
    }
  }
}

TEST_F(ProcessTest, CgroupPath) {
  struct Case {
    const char* name;
    const char* text;
    const char* path;
  };

  const std::vector<Case> cases{
      {"v2", "0::/kubepods.slice/x\n", "/kubepods.slice/x"},
      {"v1", "12:cpu,cpuacct:/a\n4:memory:/b\n1:name=systemd:/c\n", "/b"},
      {"hybrid", "4:memory:/b\n0::/d\n", "/b"},
      {"together with others", "4:pids,memory,cpu:/b\n", "/b"},
      {"colon in the path", "0::/a:b\n", "/a:b"},
      {"v2 among v1 without memory", "2:cpu:/a\n0::/d\n", "/d"},
      {"named memory", "2:name=memory:/a\n0::/d\n", "/d"},
  };
  for (const Case& expected : cases) {
    tree_.file("1/cgroup", expected.text);
    EXPECT_EQ(read_cgroup_path(proc(), 1, buffer_), expected.path) << expected.name;
  }
  for (const char* const absent : {"2:cpu:/a\n", ""}) {
    tree_.file("1/cgroup", absent);
    EXPECT_EQ(read_cgroup_path(proc(), 1, buffer_).error().kind, ErrorKind::kAbsent) << absent;
  }
  for (const char* const malformed : {"x\n", "0:\n", "\n", "2:cpu:/a\nx\n"}) {
    tree_.file("1/cgroup", malformed);
    EXPECT_EQ(read_cgroup_path(proc(), 1, buffer_).error().kind, ErrorKind::kMalformed)
        << malformed;
  }
}

TEST_F(ProcessTest, Environment) {
  tree_.file("1/environ", "PATH=/bin\0NODE_NAME=a=b\0EMPTY=\0NODE\0"s);
  EXPECT_EQ(read_environment(proc(), 1, "NODE_NAME", buffer_), "a=b");
  EXPECT_EQ(read_environment(proc(), 1, "EMPTY", buffer_), "");
  for (const char* const name : {"NODE", "ODE_NAME", "none"}) {
    const auto value = read_environment(proc(), 1, name, buffer_);
    ASSERT_FALSE(value) << name;
    EXPECT_EQ(value.error().kind, ErrorKind::kAbsent);
    EXPECT_EQ(value.error().path, tree_.path("1/environ"));
  }
}

TEST_F(ProcessTest, ListsPidsByNumber) {
  tree_.directory("10").directory("9").directory("self").directory("4294967296").file("8", "");
  EXPECT_THAT(list_pids(proc()).value(), ElementsAre(9, 10));
}

TEST(Process, BaseName) {
  EXPECT_EQ(base_name("/usr/bin/virt-launcher"), "virt-launcher");
  EXPECT_EQ(base_name("virt-launcher"), "virt-launcher");
  EXPECT_EQ(base_name("/usr/bin/"), "");
  EXPECT_EQ(base_name(""), "");
}

}  // namespace
}  // namespace eviction::cgroup
