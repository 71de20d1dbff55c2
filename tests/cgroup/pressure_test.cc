// SPDX-License-Identifier: Apache-2.0
#include "cgroup/pressure.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cgroup/malformed.h"
#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using std::chrono::microseconds;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace)
using testing::HasSubstr;

TEST(Pressure, SharesAreHundredthsOfAPercent) {
  const auto pressure = parse_pressure(
      "some avg10=0.05 avg60=12.30 avg300=100.00 total=11101198\n"
      "full avg10=0.00 avg60=1.00 avg300=99.99 total=3666332\n");
  ASSERT_TRUE(pressure) << to_text(pressure.error());
  EXPECT_EQ(pressure->some.avg10, 5);
  EXPECT_EQ(pressure->some.avg60, 1230);
  EXPECT_EQ(pressure->some.avg300, 10000);
  EXPECT_EQ(pressure->some.total, microseconds{11101198});
  ASSERT_TRUE(pressure->full);
  EXPECT_EQ(pressure->full->avg60, 100);
  EXPECT_EQ(pressure->full->avg300, 9999);
  EXPECT_EQ(pressure->full->total, microseconds{3666332});
}

TEST(Pressure, OfCpuMayLackFull) {
  const auto pressure = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  ASSERT_TRUE(pressure);
  EXPECT_FALSE(pressure->full);
}

TEST(Pressure, RefusesWhatNoKernelPrints) {
  const std::vector<Malformed> cases{
      {"empty", "", 0},
      {"blank", "\n", 1},
      {"full first", "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"some twice",
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
       2},
      {"third line",
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n\n",
       3},
      {"one decimal", "some avg10=0.0 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"three decimals", "some avg10=0.000 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"no decimals", "some avg10=0 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"negative", "some avg10=-0.01 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"negative decimals", "some avg10=0.-1 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"above 100", "some avg10=100.01 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"far above 100", "some avg10=18446744073709551615.00 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"other order", "some avg60=0.00 avg10=0.00 avg300=0.00 total=0\n", 1},
      {"no total", "some avg10=0.00 avg60=0.00 avg300=0.00\n", 1},
      {"total 2^63", "some avg10=0.00 avg60=0.00 avg300=0.00 total=9223372036854775808\n", 1},
      {"trailing word", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0 x\n", 1},
      {"trailing space", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0 \n", 1},
      {"two spaces", "some  avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 1},
      {"CRLF", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\r\n", 1},
      {"NUL byte", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\0\n"s, 1},
      {"cut", "some avg10=0.00 avg60=0.00 avg3", 1},
  };
  expect_malformed(cases, [](const std::string& text) { return parse_pressure(text); });
}

TEST(Pressure, AKernelWithoutItGetsARemedy) {
  tests::TemporaryTree tree;
  const auto proc = Directory::open(tree.path());
  ASSERT_TRUE(proc);
  Buffer buffer;
  const auto pressure = read_pressure(*proc, "pressure/memory", buffer);
  ASSERT_FALSE(pressure);
  EXPECT_EQ(pressure.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(pressure.error().path, tree.path("pressure/memory"));
  EXPECT_THAT(pressure.error().remedy, HasSubstr("psi=1"));
  EXPECT_THAT(pressure.error().remedy, HasSubstr("CONFIG_PSI"));
}

TEST(Pressure, IfKeptIsAbsentWhereThereIsNone) {
  tests::TemporaryTree tree;
  tree.file("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
      .file("broken", "some\n");
  const auto cgroup = Directory::open(tree.path());
  ASSERT_TRUE(cgroup);
  Buffer buffer;
  const auto kept = read_pressure_if_kept(*cgroup, "memory.pressure", buffer);
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((**kept).some.total, std::chrono::microseconds{7});
  for (const char* none : {"", "cpu.pressure"}) {
    const auto absent = read_pressure_if_kept(*cgroup, none, buffer);
    EXPECT_TRUE(absent && !*absent) << none;
  }
  const auto broken = read_pressure_if_kept(*cgroup, "broken", buffer);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, ErrorKind::kMalformed);
}

TEST(Pressure, ReadNamesAMalformedFile) {
  tests::TemporaryTree tree;
  tree.file("memory.pressure", "some\n");
  const auto cgroup = Directory::open(tree.path());
  ASSERT_TRUE(cgroup);
  Buffer buffer;
  const auto pressure = read_pressure(*cgroup, "memory.pressure", buffer);
  ASSERT_FALSE(pressure);
  EXPECT_EQ(to_text(pressure.error()),
            tree.path("memory.pressure") + ":1: no pressure line: \"some\"");
}

}  // namespace
}  // namespace eviction::cgroup
