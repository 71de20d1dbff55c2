// SPDX-License-Identifier: Apache-2.0
#include "config/wording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): for "a\0b"s

TEST(InQuotes, EscapesWhatWouldBreakALine) {
  EXPECT_EQ(in_quotes("a b=ü"), "\"a b=ü\"");
  EXPECT_EQ(in_quotes("a\n\0\x1b\x7f"s), R"("a\x0a\x00\x1b\x7f")");
  EXPECT_EQ(in_quotes(R"(say "\")"), R"("say \"\\\"")");
}

TEST(InQuotes, CutsAfterAHundredBytes) {
  EXPECT_EQ(in_quotes(std::string(100, 'a')), '"' + std::string(100, 'a') + '"');
  EXPECT_EQ(in_quotes(std::string(101, 'a')), '"' + std::string(100, 'a') + "...\"");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string_view> names{"risk", "growth-ceiling", "output"};
  EXPECT_EQ(nearest("rsik", names), "risk");
  EXPECT_EQ(nearest("Risk", names), "risk");
  EXPECT_EQ(nearest("growth_ceilling", names), "growth-ceiling");
  EXPECT_EQ(nearest("out", names), "output");
  EXPECT_EQ(nearest("risk", names), "risk");
}

TEST(Nearest, IsAbsentForAnythingElse) {
  EXPECT_EQ(nearest("swap", {"risk", "growth-ceiling"}), std::nullopt);
  EXPECT_EQ(nearest("", {"risk"}), std::nullopt);
  EXPECT_EQ(nearest("risk", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(10000, 'r'), {"risk"}), std::nullopt);
}

TEST(Wrapped, BreaksBetweenWords) {
  EXPECT_EQ(wrapped("one two three four", "# ", 9), "# one two\n# three\n# four\n");
  EXPECT_EQ(wrapped("one", "", 80), "one\n");
}

TEST(Wrapped, LeavesALongWordWhole) {
  EXPECT_EQ(wrapped("a bbbbbbbbbb c", "  ", 5), "  a\n  bbbbbbbbbb\n  c\n");
}

}  // namespace
}  // namespace eviction::config
