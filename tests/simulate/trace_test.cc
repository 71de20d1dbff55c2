// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "agent/simulate/node.h"
#include "agent/simulate/run.h"
#include "agent/simulate/scenario.h"

namespace eviction::agent::simulate {
namespace {

TEST(Trace, PodsFollowTheirCourse) {
  const auto scenario = from_trace(
      "t_s,pod,note,pod_mem_mib\n"
      "100,a,x,1000\n"
      "160,a,x,2000\n"
      "160,virt-launcher-b,x,500\n",
      "trace",
      16 * 1024,
      1);
  ASSERT_TRUE(scenario.has_value());
  EXPECT_EQ(scenario->seconds, 60);
  ASSERT_EQ(scenario->pods.size(), 2U);
  EXPECT_EQ(scenario->pods[0].workload, WorkloadClass::kContainer);
  EXPECT_EQ(scenario->pods[1].workload, WorkloadClass::kVm);
  ModelNode node{scenario->node, scenario->pods, 1};
  EXPECT_EQ(node.pods()[0].mib(), 1000);
  for (int second = 1; second <= 30; ++second) {
    node.step(second, 1);
  }
  EXPECT_NEAR(node.pods()[0].mib(), 1500, 1);
  EXPECT_EQ(node.pods()[1].mib(), 0) << "not there before its first sample";
  for (int second = 31; second <= 60; ++second) {
    node.step(second, 1);
  }
  EXPECT_NEAR(node.pods()[0].mib(), 2000, 1);
  EXPECT_NEAR(node.pods()[1].mib(), 500, 1);
}

TEST(Trace, DatesAreTimesAndLongPausesAreCutOut) {
  const auto scenario = from_trace(
      "time,pod,mib\r\n"
      "2022-08-22 23:59:30,a,100\r\n"
      "2022-08-23 00:00:30,a,100\r\n"
      "2022-08-24 00:00:30,a,100\r\n",
      "trace",
      16 * 1024,
      1);
  ASSERT_TRUE(scenario.has_value());
  EXPECT_EQ(scenario->seconds, 60 + 60);
}

// As spreadsheets write it.
TEST(Trace, MayBeginWithAByteOrderMark) {
  const auto scenario = from_trace("\xEF\xBB\xBFt_s,pod,mib\r\n0,a,1\r\n", "trace", 0, 1);
  EXPECT_TRUE(scenario) << to_text(scenario.error());
}

// Jobs one after the other need no more room than one of them: none is turned away.
TEST(Trace, APodIsOnTheNodeOnlyWhileItIsThere) {
  constexpr int kJobs = 8;
  std::string text = "t_s,pod,mib\n";
  for (int at = 0; at < kJobs * 3600; at += 60) {
    text += fmt::format("{0},base,8000\n{0},job-{1},4000\n", at, at / 3600);
  }
  const auto scenario = from_trace(text, "trace", 20 * 1024, 1);
  ASSERT_TRUE(scenario);
  ModelNode node{scenario->node, scenario->pods, 1};
  const auto here = [&node] { return std::ranges::count_if(node.pods(), &ModelPod::is_here); };
  EXPECT_EQ(here(), 2);
  for (int second = 1; second <= 3 * 3600 + 1800; ++second) {
    node.step(second, 1);
  }
  EXPECT_EQ(here(), 2);
  EXPECT_TRUE(node.pods()[4].is_here());
  EXPECT_EQ(run(*scenario, "ours", {}).rejected, 0);
}

TEST(Trace, APodRequestsTheMiddleOfWhatItHeldWhileItWasThere) {
  const auto scenario = from_trace(
      "t_s,pod,mib\n0,base,1\n3600,base,1\n"
      "600,job,300\n660,job,100\n720,job,200\n1800,job,300\n1860,job,300\n"
      "2400,once,40\n",
      "trace",
      0,
      1);
  ASSERT_TRUE(scenario);
  EXPECT_EQ(scenario->pods[1].request, 300);
  EXPECT_EQ(scenario->pods[2].request, 40);
}

// The pods, the system and the kernel take 92 % of it at the highest.
TEST(Trace, TheNodeFits) {
  const auto scenario =
      from_trace("t_s,pod,mib\n0,a,30000\n60,a,50000\n120,a,20000\n", "trace", 0, 1);
  ASSERT_TRUE(scenario.has_value());
  ModelNode node{scenario->node, scenario->pods, 1};
  double least = scenario->node.capacity;
  for (int second = 1; second <= 120; ++second) {
    EXPECT_FALSE(node.step(second, 1).has_value());
    least = std::min(least, node.memory().mem_available);
  }
  EXPECT_NEAR(least / scenario->node.capacity, 0.08, 0.01);
}

TEST(Trace, ThePodsThatAreGoneNeedNoRoom) {
  const auto capacity = [](const char* samples) {
    return from_trace("t_s,pod,mib\n" + std::string{samples}, "trace", 0, 1)->node.capacity;
  };
  const double one = capacity("0,a,50000\n1800,c,0\n");
  EXPECT_NEAR(one, 50000 / 0.92, 3000);
  EXPECT_EQ(capacity("0,a,50000\n600,c,0\n1200,b,50000\n"), one);
  EXPECT_EQ(capacity("0,a,50000\n60,a,0\n60,b,50000\n"), one);
  EXPECT_GT(capacity("0,a,50000\n240,b,50000\n300,a,50000\n"), 1.9 * one);
}

TEST(Trace, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* text;
    std::size_t line;
    const char* what;
  };

  for (const Case& c : {Case{"", 0, "no samples"},
                        Case{"t_s,pod,mib\n", 0, "no samples"},
                        Case{"a,b\n1,2\n", 1, "does not name the columns"},
                        Case{"t_s,pod,mib\n1,a\n", 2, "a column is missing"},
                        Case{"t_s,pod,mib\n1,a,2\nx,a,2\n", 3, "is no time"},
                        Case{"t_s,pod,mib\n1e300,a,2\n", 2, "is no time"},
                        Case{"time,pod,mib\n2022-13-22 00:00:00,a,2\n", 2, "is no time"},
                        Case{"time,pod,mib\n2022-12-22 99:00:00,a,2\n", 2, "is no time"},
                        Case{"t_s,pod,mib\n1,a,-1\n", 2, "is no amount of MiB"},
                        Case{"t_s,pod,mib\n1,a,nan\n", 2, "is no amount of MiB"},
                        Case{"t_s,pod,mib\n1,a,1e10\n", 2, "is no amount of MiB"}}) {
    SCOPED_TRACE(c.text);
    const auto scenario = from_trace(c.text, "trace", 0, 1);
    ASSERT_FALSE(scenario.has_value());
    EXPECT_EQ(scenario.error().line, c.line);
    EXPECT_NE(scenario.error().what.find(c.what), std::string::npos) << scenario.error().what;
  }
}

TEST(Trace, MoreSamplesThanAreTakenAreAnError) {
  const std::string text = "t_s,pod,mib\n0,a,1\n60,a,1\n120,a,1\n";
  EXPECT_TRUE(from_trace(text, "trace", 0, 1, 3));
  const auto scenario = from_trace(text, "trace", 0, 1, 2);
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(scenario.error().line, 4U);
}

RC_GTEST_PROP(TraceProperty, AnyTextIsATraceOrAnError, (const std::string& text)) {
  const auto scenario = from_trace("t_s,pod,mib\n" + text, "trace", 0, 1);
  RC_ASSERT(!scenario || scenario->seconds > 0);
}

}  // namespace
}  // namespace eviction::agent::simulate
