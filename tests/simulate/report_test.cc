// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/report.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace eviction::agent::simulate {
namespace {

Outcome outcome(const char* scenario, const char* policy, int oom_kills, double withheld) {
  Outcome one;
  one.scenario = scenario;
  one.policy = policy;
  one.hours = 1;
  one.oom_kills = oom_kills;
  one.withheld_gib_hours = withheld;
  one.samples = {{0, 2048, 1024, 512}, {1800, 1024, 100, 512}};
  return one;
}

Report report() {
  Report all{.outcomes = {outcome("one", "none", 3, 0),
                          outcome("one", "<b>&", 1, 5),
                          outcome("two", "none", 0, 0),
                          outcome("two", "<b>&", 1, 5)},
             .weights = {}};
  all.outcomes[1].restarts = 2;
  all.outcomes[1].needless_vm_evictions = 1;
  all.outcomes[1].events = {{600, "OOM kill", "pod"}, {700, "restart", ""}};
  return all;
}

TEST(Report, SumsHarmAndKnowsTheFront) {
  const std::vector<Total> all = totals(report());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].harm, 30);
  EXPECT_EQ(all[1].harm, 20 + 3 + 2);
  EXPECT_EQ(all[1].withheld_gib_hours, 10);
  EXPECT_EQ(all[0].off_front, 0);
  EXPECT_EQ(all[1].off_front, 1) << "in the second, where doing nothing was better";
}

TEST(Report, EachWeightIsHalvedAndDoubled) {
  const std::vector<Total> all = totals(report());
  EXPECT_EQ(all[1].harm_otherwise[0], 10 + 3 + 2);
  EXPECT_EQ(all[1].harm_otherwise[1], 40 + 3 + 2);
  EXPECT_EQ(all[1].harm_otherwise[2], 20 + 1.5 + 2);
  EXPECT_EQ(all[1].harm_otherwise[9], 20 + 3 + 4);
}

TEST(Report, ATableOfSeveralScenariosHasALineForEach) {
  const std::string text = to_table(report(), false);
  EXPECT_NE(text.find("\none  "), std::string::npos) << text;
  EXPECT_NE(text.find("\ntwo  "), std::string::npos) << text;
  EXPECT_NE(text.find("10!"), std::string::npos) << "off the front:\n" << text;
}

TEST(Report, JsonHasBytesAndEvents) {
  const auto json = to_json(report());
  EXPECT_EQ(json["outcomes"][1]["events"][0]["at_seconds"], 600);
  EXPECT_EQ(json["outcomes"][1]["harm"], 15);
  EXPECT_EQ(json["outcomes"][3]["on_front"], false);
  EXPECT_TRUE(json["outcomes"][0]["first"]["hard_bytes"].is_number_integer());
}

TEST(Report, TellsWhatIsNotInIt) {
  Report all = report();
  EXPECT_TRUE(to_json(all)["problem"].is_null());
  EXPECT_EQ(to_json(all)["outcomes"][0]["events_left_out"], 0);
  EXPECT_EQ(to_html(all).find("not drawn"), std::string::npos);
  all.problem = Error{ErrorKind::kMalformed, "/r", 0, "the rest is no recording"};
  all.outcomes[0].events_left_out = 7;
  EXPECT_EQ(to_json(all)["problem"], "/r: the rest is no recording");
  EXPECT_EQ(to_json(all)["outcomes"][0]["events_left_out"], 7);
  EXPECT_NE(to_html(all).find("7 later events are not drawn"), std::string::npos);
}

TEST(Report, ThePageIsSelfContainedAndEscapesNames) {
  const std::string page = to_html(report());
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<b>&"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;&amp;"), std::string::npos);
}

TEST(Report, ThePageHasNoControlCharactersAndNoBytesThatAreNotUtf8) {
  Report all = report();
  all.outcomes[0].events = {{600, "OOM kill", "a\xff\x1b[1m\x01ü"}};
  EXPECT_THAT(to_html(all), testing::HasSubstr("0.17 h: OOM kill a??[1m?ü<"));
}

}  // namespace
}  // namespace eviction::agent::simulate
