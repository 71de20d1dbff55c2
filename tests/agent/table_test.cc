// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <regex>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/render.h"
#include "tests/agent/sample_plan.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::sample_plan;

/// Characters of each line, as a terminal shows UTF-8.
std::size_t widest(const std::string& page) {
  std::istringstream lines{page};
  std::string line;
  std::size_t width = 0;
  while (std::getline(lines, line)) {
    const auto count = std::count_if(line.begin(), line.end(), [](char byte) {
      return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
    });
    width = std::max(width, static_cast<std::size_t>(count));
  }
  return width;
}

std::string without_colour(const std::string& page) {
  return std::regex_replace(page, std::regex{"\x1b\\[[0-9;]*m"}, "");
}

TEST(PlanTable, ShowsTheArithmeticAndTheResult) {
  const std::string page = to_table(sample_plan(), false);
  EXPECT_THAT(page, HasSubstr("4 GiB RAM"));
  EXPECT_THAT(page, HasSubstr("704 MiB"));
  EXPECT_THAT(page, HasSubstr("K + R + w - a"));
  for (const char* term : {"250 MiB", "50 MiB", "30 MiB", "10 MiB", "320 MiB"}) {
    EXPECT_THAT(page, HasSubstr(term));
  }
  EXPECT_THAT(page, HasSubstr("instrument soft"));
  EXPECT_THAT(page, HasSubstr("soft 736 MiB"));
  EXPECT_THAT(page, HasSubstr("short by 240 MiB"));
  EXPECT_THAT(page, HasSubstr("largest fall in one reaction time"));
  EXPECT_THAT(page, HasSubstr("ok requests-fit"));
  EXPECT_THAT(page, HasSubstr("?  settled"));
  EXPECT_THAT(page, HasSubstr("60-eviction-agent.conf"));
  EXPECT_THAT(page, HasSubstr("+  memory.available: 736Mi"));
  EXPECT_THAT(page, HasSubstr("4 GiB now -> 4 GiB after"));
  EXPECT_THAT(page, HasSubstr("default/web"));
  EXPECT_THAT(page, HasSubstr("BestEffort pods are refused"));
  EXPECT_THAT(page, HasSubstr("/proc/vmstat:7"));
  EXPECT_THAT(page, HasSubstr("report it"));
}

TEST(PlanTable, ARefusingGuardStandsOut) {
  Plan plan = sample_plan();
  plan.guards.push_back({"calm", false, "pressure is 12 %"});
  const std::string page = to_table(plan, false);
  EXPECT_THAT(page, HasSubstr("NO calm"));
  EXPECT_THAT(page, HasSubstr("refused"));
}

TEST(PlanTable, SaysWhyTheNextVictimIsNotKnown) {
  Plan plan = sample_plan();
  plan.next_victims.reset();
  plan.next_victims_absent = "priorities are not known";
  EXPECT_THAT(to_table(plan, false), HasSubstr("priorities are not known"));
}

TEST(PlanTable, NothingKnownIsNoFailure) {
  const std::string page = to_table(Plan{}, true);
  EXPECT_THAT(page, HasSubstr("unknown"));
  EXPECT_THAT(page, HasSubstr("nothing to apply"));
}

TEST(PlanTable, ColourOnlyWhenAsked) {
  const Plan plan = sample_plan();
  const std::string plain = to_table(plan, false);
  const std::string coloured = to_table(plan, true);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  EXPECT_THAT(coloured, HasSubstr("\x1b[32m"));
  EXPECT_EQ(without_colour(coloured), plain);
}

TEST(PlanTable, LongNamesStayInTheirColumns) {
  Plan plan = sample_plan();
  plan.next_victims->front().name = std::string(253, 'x');
  plan.observation.kernel = std::string(60, 'k') + ' ' + std::string(60, 'k');
  plan.sizing.reason = std::string(70, 'r') + ' ' + std::string(70, 'r');
  plan.sizing.terms.front().name = std::string(80, 't');
  plan.guards.front().name = std::string(80, 'g');
  plan.workloads[WorkloadClass::kVm].working_set = Bytes{INT64_MAX};
  const std::string page = to_table(plan, false);
  EXPECT_LE(widest(page), 100U);
  EXPECT_THAT(page, HasSubstr("…"));
}

TEST(PlanTable, NamesCannotSteerTheTerminal) {
  Plan plan = sample_plan();
  plan.next_victims->front().name =
      "a\x1b]0;x\x07\n\xc2\x9b"
      "31m\xff";
  plan.observation.kernel = "\x1b[2J";
  plan.observation.problems.front().path = "/proc/\x1b[H";
  plan.diff = "+x\x1b[2J\n";
  EXPECT_THAT(to_table(plan, false), Not(testing::ContainsRegex("[\x01-\x09\x0b-\x1f\x7f]")));
  EXPECT_THAT(to_table(plan, false), Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(to_table(plan, false), Not(HasSubstr("\xff")));
}

TEST(PlanTable, ManyVictimsAreCounted) {
  Plan plan = sample_plan();
  plan.next_victims = std::vector<Pod>(5, plan.observation.pods[0]);
  EXPECT_THAT(to_table(plan, false), HasSubstr("and 2 more"));
  plan.next_victims->resize(3);
  EXPECT_THAT(to_table(plan, false), Not(HasSubstr("more\n")));
}

TEST(FindingsTable, ShowsRemedyAndVerdict) {
  const std::vector<Finding> findings = {{"psi", Severity::kWarning, "off", "boot with psi=1"},
                                         {"swap", Severity::kOk, "none", ""}};
  const std::string page = to_table(findings, false);
  EXPECT_THAT(page, HasSubstr("warning psi"));
  EXPECT_THAT(page, HasSubstr("-> boot with psi=1"));
  EXPECT_THAT(page, HasSubstr("this node is fit"));
  EXPECT_EQ(without_colour(to_table(findings, true)), page);
}

}  // namespace
}  // namespace eviction::agent
