// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/csv.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/plan.h"
#include "tests/agent/observed_node.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;

TEST(Csv, ReadsBackWhatItWrote) {
  const Observation seen = tests::observed("mixed-128g");
  std::string text = csv_header();
  Moment look{.at = sys_seconds{seconds{1'800'000'000}},
              .since_boot = seconds{5000},
              .mem_total = seen.meminfo->mem_total,
              .mem_available = seen.meminfo->mem_available,
              .seen = &seen};
  text += csv_row(look);
  look.seen = nullptr;
  look.mem_available = 5_GiB;
  text += csv_row(look);
  std::string again = csv_header();
  std::vector<Plan> plans;
  ASSERT_TRUE(read_csv(text, [&](const Moment& moment) {
    again += csv_row(moment);
    if (moment.seen != nullptr) {
      plans.push_back(make_plan(*moment.seen, config::AgentConfig{}));
    }
  }));
  EXPECT_EQ(again, text);
  ASSERT_EQ(plans.size(), 1U);
  const Plan plan = make_plan(seen, config::AgentConfig{});
  EXPECT_EQ(plans[0].memory.kubelet_available, plan.memory.kubelet_available);
  EXPECT_EQ(plans[0].memory.kernel, plan.memory.kernel);
  EXPECT_EQ(plans[0].sizing.growth->prior, plan.sizing.growth->prior);
}

TEST(Csv, TakesWhatOtherToolsWrite) {
  std::vector<Moment> moments;
  const Result<void> read = read_csv(
      "mem_available_bytes,note,t_s,mem_total_bytes\r\n1024,x,60,4096\n2048,,2026-11-22,4096\n",
      [&](const Moment& moment) { moments.push_back(moment); });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().line, 3U);
  ASSERT_EQ(moments.size(), 1U);
  EXPECT_EQ(moments[0].mem_available, Bytes{1024});
  EXPECT_EQ(moments[0].since_boot, seconds{60});
}

TEST(Csv, PassesOverEmptyLinesAndAByteOrderMark) {
  std::vector<seconds> times;
  const Result<void> read = read_csv(
      "\xef\xbb\xbf\n"
      "time,mem_total_bytes,mem_available_bytes\r\n\r\n"
      "60,4096,1024.000\n\n \n"
      "1970-01-01 00:02:00,4096,1024\n"
      "1970-01-01T00:03:00Z,4096,1024\n\n",
      [&](const Moment& moment) { times.push_back(moment.at.time_since_epoch()); });
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_THAT(times, testing::ElementsAre(seconds{60}, seconds{120}, seconds{180}));
}

// Nothing says what the kernel holds: not that it holds all that is in use.
TEST(Csv, WithoutCountsOfPagesTheNeedIsThatOfGrowth) {
  for (const char* text : {"t_s,mem_total_bytes,mem_available_bytes\n60,137438953472,34359738368\n",
                           "t_s,mem_total_bytes,mem_available_bytes,mem_free_bytes,"
                           "inactive_file_bytes,anon_bytes\n"
                           "60,137438953472,34359738368,1073741824,21474836480,96636764160\n"}) {
    std::optional<Plan> plan;
    ASSERT_TRUE(read_csv(text, [&plan](const Moment& moment) {
      plan = make_plan(*moment.seen, config::AgentConfig{});
    }));
    EXPECT_EQ(plan->memory.kubelet_available, 32_GiB);
    EXPECT_EQ(*plan->memory.kernel + *plan->memory.reserve, 0_B);
    ASSERT_TRUE(plan->sizing.need);
    EXPECT_GE(*plan->sizing.need, plan->sizing.growth->bytes);
    EXPECT_LT(*plan->sizing.need, plan->sizing.growth->bytes + 1_GiB);
  }
}

TEST(Csv, TellsWhichColumnIsMissing) {
  const auto error_of = [](std::string_view text) {
    return read_csv(text, [](const Moment&) {}).error().what;
  };
  EXPECT_THAT(error_of("t_s,mem_available_bytes\n1,2\n"), HasSubstr("no column mem_total_bytes"));
  EXPECT_THAT(error_of("mem_total_bytes\n1\n"), HasSubstr("no column time, mem_available_bytes"));
}

TEST(Csv, TellsLineColumnAndValueOfWhatIsNone) {
  const std::string head = "t_s,time,mem_total_bytes,mem_available_bytes,oom_kill\n";
  const auto error_of = [&head](std::string_view line) {
    const Result<void> read =
        read_csv(head + "1,,9,9,\n" + std::string{line} + "\n3,,9,9,\n", [](const Moment&) {});
    return read ? Error{} : read.error();
  };
  EXPECT_EQ(error_of("2,,9,9,0").what, "");
  EXPECT_EQ(error_of("2,,9,abc,0").line, 3U);
  EXPECT_THAT(error_of("2,,9,abc,0").what, HasSubstr("mem_available_bytes is \"abc\""));
  EXPECT_THAT(error_of("2,,9,9,-5").what, HasSubstr("oom_kill is \"-5\""));
  EXPECT_THAT(error_of("2,,,9,0").what, HasSubstr("mem_total_bytes is empty"));
  EXPECT_THAT(error_of("2,,9").what, HasSubstr("mem_available_bytes is empty"));
  EXPECT_THAT(error_of(",,9,9,0").what, HasSubstr("time is empty"));
  EXPECT_THAT(error_of("x,,9,9,0").what, HasSubstr("t_s is \"x\""));
  EXPECT_THAT(error_of("2,noon,9,9,0").what, HasSubstr("time is \"noon\""));
  EXPECT_THAT(error_of("2,253402300800,9,9,0").what, HasSubstr("time is \"253402300800\""));
  EXPECT_THAT(error_of("2,,9,9,\x1b[2J").what, HasSubstr("oom_kill is \"?[2J\""));
  EXPECT_THAT(error_of("2,,9,abc,0").remedy, HasSubstr("what follows it is not"));
}

TEST(Csv, RefusesWhatIsNone) {
  const std::string head = "mem_total_bytes,time,mem_available_bytes\n9,";
  EXPECT_TRUE(read_csv(head + "1,1\n", [](const Moment&) {}));
  for (const std::string& text : {std::string{},
                                  std::string{"\n"},
                                  std::string{"time\n1\n"},
                                  head + ",\n",
                                  head + "1\n",
                                  head + "1,-1\n",
                                  head + "1,1e9\n",
                                  head + "1,0.xyz\n",
                                  head + "1,137438953472.hello\n",
                                  head + "1970-01-01 00:02:00Z,1\n",
                                  head + "1970-01-01 00:02:60,1\n",
                                  head + "1,99999999999999999999\n",
                                  head + "999999999999999,1\n",
                                  head + std::string("1,1\0", 4) + "\n"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(read_csv(text, [](const Moment&) {}));
  }
}

}  // namespace
}  // namespace eviction::agent
