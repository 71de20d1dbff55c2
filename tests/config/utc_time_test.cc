// SPDX-License-Identifier: Apache-2.0
#include "config/utc_time.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::config {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST(UtcTime, ReadsWhatTheApiServerWrites) {
  // date -u -d 2024-02-29T23:59:59Z +%s
  EXPECT_EQ(parse_utc("2024-02-29T23:59:59Z"), sys_seconds{seconds{1709251199}});
  EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), sys_seconds{});
}

TEST(UtcTime, RefusesWhatIsNoTime) {
  for (const std::string text : {"",
                                 "2024-02-29",
                                 "2023-02-29T00:00:00Z",
                                 "2024-13-01T00:00:00Z",
                                 "2024-00-10T00:00:00Z",
                                 "2024-01-32T00:00:00Z",
                                 "1969-12-31T23:59:59Z",
                                 "2024-01-01T24:00:00Z",
                                 "2024-01-01T00:60:00Z",
                                 "2024-01-01T00:00:60Z",
                                 "2024-01-01T00:00:00",
                                 "2024-01-01 00:00:00Z",
                                 "2024-01-01T00:00:00z",
                                 "2024-01-01T00:00:00+00:00",
                                 "2024-1-1T00:00:00Z000",
                                 "+024-01-01T00:00:00Z",
                                 "2024-01-01T00:00:00ZZ"}) {
    EXPECT_FALSE(parse_utc(text)) << text;
  }
}

RC_GTEST_PROP(UtcTime, GivesBackEverySecond, ()) {
  constexpr std::int64_t kEndOfYear9999 = 253'402'300'799;
  const auto count = *rc::gen::inRange<std::int64_t>(0, kEndOfYear9999 + 1);
  const sys_seconds at{seconds{count}};
  RC_ASSERT(parse_utc(to_utc(at)) == at);
}

TEST(Since, TakesAgesDatesAndTimes) {
  const sys_seconds now{seconds{1'000'000'000}};
  const auto from = [now](const char* text) { return parse_since(text)->from(now); };
  EXPECT_EQ(from("90s"), now - seconds{90});
  EXPECT_EQ(from("30m"), now - std::chrono::minutes{30});
  EXPECT_EQ(from("2h"), now - std::chrono::hours{2});
  EXPECT_EQ(from("7d"), now - std::chrono::hours{7 * 24});
  EXPECT_EQ(from("0s"), now);
  EXPECT_LT(from("999999999d"), now);
  EXPECT_EQ(from("2024-02-29"), sys_seconds{seconds{1709164800}});
  EXPECT_EQ(from("2024-02-29T00:00:01Z"), sys_seconds{seconds{1709164801}});
}

TEST(Since, SaysWhatItTakes) {
  for (const std::string text :
       {"", "s", "5", "-5m", "1.5h", "5w", "1000000000s", "yesterday", "2023-02-29", "5 m"}) {
    const auto since = parse_since(text);
    ASSERT_FALSE(since) << text;
    EXPECT_NE(since.error().remedy.find("30m"), std::string::npos);
  }
}

}  // namespace
}  // namespace eviction::config
