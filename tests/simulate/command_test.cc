// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/command.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::agent::simulate {
namespace {

using testing::HasSubstr;

std::string error_of(const config::CommandLine& line) {
  const Result<Report> report = simulate(line, {}, nullptr);
  return report ? "" : to_text(report.error());
}

TEST(Simulate, RefusesWhatItDoesNotKnowWhateverRuns) {
  config::CommandLine line;
  line.simulate.suite = true;
  line.simulate.hours = 1;
  line.simulate.policies = "rke2-default";
  line.simulate.weather = "rain";
  EXPECT_THAT(error_of(line), HasSubstr("--weather: unknown \"rain\""));
  line.simulate.mix = "none";
  EXPECT_THAT(error_of(line), HasSubstr("--mix: unknown \"none\""));
  line.simulate.policies = "none";
  EXPECT_THAT(error_of(line), HasSubstr("--policy: there is no \"none\""));
}

TEST(Simulate, SaysWhichTraceCannotBeRead) {
  config::CommandLine line;
  line.simulate.trace = "/proc";
  EXPECT_THAT(error_of(line), HasSubstr("/proc: Is a directory"));
  line.simulate.trace = "/absent.csv";
  EXPECT_THAT(error_of(line), HasSubstr("/absent.csv: No such file or directory"));
}

// A larger one would leave no digit for the others, or none at all.
TEST(Simulate, AWeightHasABound) {
  config::CommandLine line;
  line.simulate.hours = 1;
  line.simulate.policies = "rke2-default";
  line.simulate.weights = "1000000,0,0.5,1,1";
  EXPECT_EQ(error_of(line), "");
  for (const char* const weights :
       {"1e308,1,1,1,1", "1,1000001,1,1,1", "1,1,-1,1,1", "nan,1,1,1,1"}) {
    line.simulate.weights = weights;
    EXPECT_THAT(error_of(line), HasSubstr("is no list of five numbers from 0 to 1000000"));
  }
}

// It would count twice in the totals.
TEST(Simulate, RunsAPolicyOnce) {
  config::CommandLine line;
  line.simulate.hours = 1;
  line.simulate.policies = "rke2-default,gke,rke2-default";
  EXPECT_THAT(error_of(line), HasSubstr("\"rke2-default\" is there twice"));
}

}  // namespace
}  // namespace eviction::agent::simulate
