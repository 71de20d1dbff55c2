// SPDX-License-Identifier: Apache-2.0
#include "config/go_parse.h"

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using namespace std::chrono_literals;

template <class T>
struct Row {
  std::string text;
  std::optional<T> value;
};

TEST(GoFloat, ReadsWhatGoReads) {
  const std::vector<Row<float>> rows{{"5", 5.0F},
                                     {"+10", 10.0F},
                                     {"-0", -0.0F},
                                     {"1.", 1.0F},
                                     {".5", 0.5F},
                                     {"1e1", 10.0F},
                                     {"1E3", 1000.0F},
                                     {"1e+2", 100.0F},
                                     {"1e-50", 0.0F},
                                     {"1e-400", 0.0F},
                                     {"0x1p4", 16.0F},
                                     {"0X1P4", 16.0F},
                                     {"0x.8p1", 1.0F},
                                     {"0x1.8p0", 1.5F},
                                     {"0x1p-200", 0.0F},
                                     {"1_0", 10.0F},
                                     {"1e1_0", 1e10F},
                                     {"0x_1p4", 16.0F},
                                     {"0x1_0p4", 256.0F},
                                     {"1_0.5", 10.5F},
                                     {"3.4028235e38", 3.4028235e38F},
                                     {"3.402823567e38", 3.4028235e38F},
                                     {"007", 7.0F},
                                     {"", std::nullopt},
                                     {".", std::nullopt},
                                     {"+", std::nullopt},
                                     {" 1", std::nullopt},
                                     {"1 ", std::nullopt},
                                     {"1,5", std::nullopt},
                                     {"1e", std::nullopt},
                                     {"1e+", std::nullopt},
                                     {"1d", std::nullopt},
                                     {"1f", std::nullopt},
                                     {"1p4", std::nullopt},
                                     {"0b1", std::nullopt},
                                     {"0x1", std::nullopt},
                                     {"0xp4", std::nullopt},
                                     {"0x.p1", std::nullopt},
                                     {"0x1p", std::nullopt},
                                     {"1__0", std::nullopt},
                                     {"_1", std::nullopt},
                                     {"1_", std::nullopt},
                                     {"1_.5", std::nullopt},
                                     {"1e39", std::nullopt},
                                     {"-1e39", std::nullopt},
                                     {"3.4028236e38", std::nullopt},
                                     {"infi", std::nullopt},
                                     {"+nan", std::nullopt},
                                     {"-NaN", std::nullopt}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(parse_go_float32(row.text), row.value);
  }
}

TEST(GoFloat, KnowsInfinityAndNanInAnyCase) {
  for (const char* text : {"inf", "+Inf", "INFINITY", "infinity"}) {
    EXPECT_EQ(parse_go_float32(text), std::numeric_limits<float>::infinity()) << text;
  }
  EXPECT_EQ(parse_go_float32("-iNf"), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(*parse_go_float32("NaN")));
  EXPECT_TRUE(std::isnan(*parse_go_float32("nan")));
}

// 1 + 2^-24 + 2^-60 lies just above the middle of two floats; a double in between would be rounded
// down to the middle and then to the even neighbour 1.
TEST(GoFloat, RoundsOnce) {
  const std::optional<float> value = parse_go_float32("1.000000059604644776257891");
  ASSERT_TRUE(value);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(*value), 0x3f800001U);
}

TEST(GoDuration, ReadsWhatGoReads) {
  const std::vector<Row<std::chrono::nanoseconds>> rows{
      {"0", 0ns},
      {"-0", 0ns},
      {"+0", 0ns},
      {"30s", 30s},
      {"+5s", 5s},
      {"-5s", -5s},
      {"1m30s", 90s},
      {"1h2m3s", 3723s},
      {"1.5h", 90min},
      {".5h", 30min},
      {"1.h", 1h},
      {"1us", 1us},
      {"1\u00b5s", 1us},
      {"1\u03bcs", 1us},
      {"1ms1ns", 1000001ns},
      {"0h0m", 0ns},
      {"1s1s", 2s},
      {"1.99999999999999999999999999999s", 2s},
      {"9223372036854775807ns", std::chrono::nanoseconds::max()},
      {"-9223372036854775808ns", std::chrono::nanoseconds::min()},
      {"2562047h47m16.854775807s", std::chrono::nanoseconds::max()},
      {"", std::nullopt},
      {"-", std::nullopt},
      {"30", std::nullopt},
      {"00", std::nullopt},
      {"0.", std::nullopt},
      {".s", std::nullopt},
      {"s", std::nullopt},
      {"1d", std::nullopt},
      {"1S", std::nullopt},
      {"1 s", std::nullopt},
      {" 1s", std::nullopt},
      {"1s ", std::nullopt},
      {"1h-1m", std::nullopt},
      {"1e3s", std::nullopt},
      {"1_0s", std::nullopt},
      {"0s0", std::nullopt},
      {"1min", std::nullopt},
      {"9223372036854775808ns", std::nullopt},
      {"2562047h47m16.854775808s", std::nullopt},
      {"9223372036.854775808s", std::nullopt},
      {"3000000h", std::nullopt},
      {"99999999999999999999s", std::nullopt}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(parse_go_duration(row.text), row.value);
  }
}

TEST(GoInt, ReadsWhatGoReads) {
  const std::vector<Row<std::int64_t>> rows{{"0", 0},
                                            {"-7", -7},
                                            {"+7", 7},
                                            {"010", 8},
                                            {"0x1F", 31},
                                            {"0o17", 15},
                                            {"0b101", 5},
                                            {"1_000", 1000},
                                            {"0x_ff", 255},
                                            {"9223372036854775807", INT64_MAX},
                                            {"-9223372036854775808", INT64_MIN},
                                            {"9223372036854775808", std::nullopt},
                                            {"", std::nullopt},
                                            {"-", std::nullopt},
                                            {"08", std::nullopt},
                                            {"0x", std::nullopt},
                                            {"1_", std::nullopt},
                                            {"1.0", std::nullopt},
                                            {" 1", std::nullopt}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(parse_go_int(row.text), row.value);
  }
}

}  // namespace
}  // namespace eviction::config
