// SPDX-License-Identifier: Apache-2.0
#include "cgroup/key_value.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cgroup/malformed.h"

namespace eviction::cgroup {
namespace {

using namespace std::literals;  // NOLINT(google-build-using-namespace)

TEST(KeyValue, ParseDigits) {
  struct Case {
    std::string_view text;
    std::optional<std::uint64_t> number;
  };

  const std::vector<Case> cases{
      {"0", 0},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
      {"18446744073709551616", {}},
      {"", {}},
      {"-1", {}},
      {"+1", {}},
      {" 1", {}},
      {"1 ", {}},
      {"1\n", {}},
      {"0x10", {}},
      {"1\0"sv, {}},
  };
  for (const Case& expected : cases) {
    EXPECT_EQ(parse_digits(expected.text), expected.number) << expected.text;
  }
  EXPECT_EQ(parse_digits("1000", 1000), 1000U);
  EXPECT_EQ(parse_digits("1001", 1000), std::nullopt);
}

TEST(KeyValue, LinesCountFromOneAndNeedNoLastNewline) {
  Lines lines{"a\n\nb"};
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.line(), "a");
  EXPECT_EQ(lines.number(), 1U);
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.line(), "");
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.line(), "b");
  EXPECT_EQ(lines.number(), 3U);
  EXPECT_FALSE(lines.next());
}

TEST(KeyValue, QuoteKeepsAMessagePrintableAndShort) {
  EXPECT_EQ(quote("a\tb\x1b\xff"), R"("a?b??")");
  EXPECT_EQ(quote(std::string(61, 'x')), '"' + std::string(60, 'x') + "...\"");
}

class KeyValueTest : public testing::Test {
 protected:
  Result<void> parse(std::string_view text) {
    const std::array wanted{Wanted<Bytes>{"one", &one_}, Wanted<Bytes>{"two", &two_}};
    return parse_key_values<Bytes>(text, KeyFormat::kPlain, wanted);
  }

  std::optional<Bytes> one_;
  std::optional<Bytes> two_;
};

TEST_F(KeyValueTest, SkipsUnknownKeysAndLeavesMissingOnesEmpty) {
  ASSERT_TRUE(parse("zero 0\none 1\nonetwo 3\n"));
  EXPECT_EQ(one_, Bytes{1});
  EXPECT_EQ(two_, std::nullopt);
}

TEST_F(KeyValueTest, StopsAtTheLastWantedKey) {
  ASSERT_TRUE(parse("two 2\none 1\none"));
  EXPECT_EQ(two_, Bytes{2});
}

TEST_F(KeyValueTest, RefusesWhatNoKernelPrints) {
  const std::vector<Malformed> cases{
      {"empty", "", 0},
      {"key without a value", "one", 1},
      {"cut key", "one 1\ntw", 2},
      {"blank line", "\none 1\n", 1},
      {"key without a number", "one \n", 1},
      {"negative", "zero 0\none -1\n", 2},
      {"plus", "one +1\n", 1},
      {"trailing garbage", "one 1x\n", 1},
      {"trailing space", "one 1 \n", 1},
      {"two spaces", "one  1\n", 1},
      {"second number", "one 1 2\n", 1},
      {"fraction", "one 1.5\n", 1},
      {"2^63", "one 9223372036854775808\n", 1},
      {"duplicate", "one 1\nzero 0\none 1\n", 3},
      {"NUL byte", "zero 0\none 1\0\n"s, 2},
      {"NUL byte in an unknown line", "zero \0\n"s, 1},
      {"CRLF", "zero 0\r\none 1\r\n", 1},
  };
  expect_malformed(cases, [this](const std::string& text) {
    one_.reset();
    two_.reset();
    return parse(text);
  });
}

TEST(KeyValue, CountersUseAll64Bits) {
  std::optional<std::uint64_t> count;
  const std::array wanted{Wanted<std::uint64_t>{"n", &count}};
  ASSERT_TRUE(
      parse_key_values<std::uint64_t>("n 18446744073709551615\n", KeyFormat::kPlain, wanted));
  EXPECT_EQ(count, std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace eviction::cgroup
