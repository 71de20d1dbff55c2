// SPDX-License-Identifier: Apache-2.0
#include "agent/csv_lines.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

using testing::ElementsAre;

TEST(Csv, GivesTheCellsOfEachLine) {
  CsvLines lines{"a,b\n1,,2\n,"};
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.cells(), ElementsAre("a", "b"));
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.cells(), ElementsAre("1", "", "2"));
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.cells(), ElementsAre("", ""));
  EXPECT_EQ(lines.number(), 3U);
  EXPECT_FALSE(lines.next());
}

// As spreadsheets write it.
TEST(Csv, PassesOverByteOrderMarkBlankLinesAndCarriageReturns) {
  CsvLines lines{"\xEF\xBB\xBF\r\n \t\na,b\r\n\r\n\xEF\xBB\xBF"};
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.cells(), ElementsAre("a", "b"));
  EXPECT_EQ(lines.number(), 3U);
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.cells(), ElementsAre("\xEF\xBB\xBF")) << "only one at the start is a mark";
  EXPECT_FALSE(lines.next());
  EXPECT_FALSE(CsvLines{""}.next());
}

TEST(Csv, TakesTimesOfBothForms) {
  const std::chrono::sys_seconds at{std::chrono::seconds{1709251199}};  // date -u -d ... +%s
  EXPECT_EQ(parse_csv_time("2024-02-29T23:59:59Z"), at);
  EXPECT_EQ(parse_csv_time("2024-02-29 23:59:59"), at);
  for (const std::string text : {"", " ", "1709251199", "2024-02-29", "2024-02-29 23:59:59Z"}) {
    EXPECT_FALSE(parse_csv_time(text)) << text;
  }
}

}  // namespace
}  // namespace eviction::agent
