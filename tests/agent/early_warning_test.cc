// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/early_warning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

WarningInput input(std::optional<double> probability, Bytes headroom, const std::string& pressure) {
  WarningInput input{
      .forecast = {}, .headroom = headroom, .low_headroom = 2_GiB, .pressure = pressure};
  input.forecast.horizons[2].probability = probability;
  return input;
}

const std::string kStalls = "tasks stall";

TEST(EarlyWarning, NeedsAllThreeAtTwoLooks) {
  const WarningInput all = input(0.5, 1_GiB, kStalls);
  for (const WarningInput& part : {input(0.24, 1_GiB, kStalls),
                                   input(std::nullopt, 1_GiB, kStalls),
                                   input(0.9, 3_GiB, kStalls),
                                   input(0.9, 1_GiB, "")}) {
    EarlyWarning warning;
    EXPECT_FALSE(warning.see(all));
    for (int look = 0; look < 10; ++look) {
      EXPECT_FALSE(warning.see(part)) << warning.reason();
    }
    EXPECT_FALSE(warning.see(all)) << "the first look is long past";
    EXPECT_TRUE(warning.see(all));
    EXPECT_TRUE(warning.on());
  }
}

TEST(EarlyWarning, EndsOnlyWithSomeDistanceAndAtThreeLooks) {
  EarlyWarning warning;
  EXPECT_FALSE(warning.see(input(0.5, 1_GiB, kStalls)));
  EXPECT_TRUE(warning.see(input(0.5, 1_GiB, kStalls)));
  for (int look = 0; look < 10; ++look) {
    EXPECT_FALSE(warning.see(input(0.2, 2_GiB + 500_MiB, "")));
  }
  EXPECT_FALSE(warning.see(input(0.1, 1_GiB, kStalls)));
  EXPECT_FALSE(warning.see(input(0.1, 1_GiB, kStalls)));
  EXPECT_FALSE(warning.see(input(0.2, 1_GiB, kStalls)));
  EXPECT_FALSE(warning.see(input(0.2, 4_GiB, "")));
  EXPECT_FALSE(warning.see(input(std::nullopt, 1_GiB, "")));
  EXPECT_TRUE(warning.see(input(0.1, 1_GiB, "")));
  EXPECT_FALSE(warning.on());
}

TEST(EarlyWarning, SaysWhy) {
  EarlyWarning warning;
  warning.see(input(0.5, 1_GiB, kStalls));
  EXPECT_THAT(warning.reason(), HasSubstr("50 %"));
  EXPECT_THAT(warning.reason(), HasSubstr(kStalls));
  WarningInput silent = input(std::nullopt, 1_GiB, kStalls);
  silent.forecast.horizons[2].absent = "too few";
  warning.see(silent);
  EXPECT_EQ(warning.reason(), "no probability: too few");
}

TEST(LowHeadroom, IsWhatTheNodeLosesInFiveMinutesButNoLessThanAFiftieth) {
  EXPECT_EQ(low_headroom(100_GiB, std::nullopt), 2_GiB);
  EXPECT_EQ(low_headroom(100_GiB, 1_GiB), 2_GiB);
  EXPECT_EQ(low_headroom(100_GiB, 5_GiB), 5_GiB);
}

Observation with_psi(int avg10, int avg60) {
  Observation seen;
  seen.pressure.emplace();
  seen.pressure->some.avg10 = avg10;
  seen.pressure->some.avg60 = avg60;
  return seen;
}

TEST(PressureTrend, WithPsiLooksAtItsAverages) {
  PressureTrend trend;
  trend.see(seconds{10}, with_psi(99, 0));
  EXPECT_THAT(trend.rising(), IsEmpty());
  trend.see(seconds{20}, with_psi(300, 400));
  EXPECT_THAT(trend.rising(), IsEmpty()) << "it falls";
  trend.see(seconds{30}, with_psi(500, 400));
  EXPECT_THAT(trend.rising(), HasSubstr("5.0 % of the last 10 s"));
}

Observation without_psi(std::uint64_t stalls, std::uint64_t scanned, std::uint64_t refaults) {
  Observation seen;
  seen.vmstat.emplace();
  seen.vmstat->allocstall = stalls;
  seen.vmstat->pgscan_direct = scanned;
  seen.vmstat->workingset_refault_file = refaults;
  return seen;
}

TEST(PressureTrend, WithoutPsiEachOfTheCountersTells) {
  PressureTrend trend;
  trend.see(seconds{0}, without_psi(1000, 50'000, 70'000));
  EXPECT_THAT(trend.rising(), IsEmpty()) << "of a counter one look tells no rate";
  trend.see(seconds{10}, without_psi(1009, 52'000, 72'000));
  EXPECT_THAT(trend.rising(), IsEmpty()) << "too little";
  trend.see(seconds{20}, without_psi(1109, 52'000, 72'000));
  EXPECT_THAT(trend.rising(), HasSubstr("10 allocations that had to reclaim a second"));
  trend.see(seconds{30}, without_psi(1109, 152'000, 72'000));
  EXPECT_THAT(trend.rising(), HasSubstr("10000 pages scanned"));
  trend.see(seconds{40}, without_psi(1109, 152'000, 172'000));
  EXPECT_THAT(trend.rising(), HasSubstr("10000 file pages read back"));
  trend.see(seconds{50}, without_psi(1109, 152'000, 172'000));
  EXPECT_THAT(trend.rising(), IsEmpty());
}

TEST(PressureTrend, WhatGoesOnForMinutesRisesNoLonger) {
  PressureTrend trend;
  int risen = 0;
  for (int look = 0; look < 100; ++look) {
    trend.see(seconds{look * 10}, without_psi(static_cast<std::uint64_t>(look) * 500, 0, 0));
    risen += trend.rising().empty() ? 0 : 1;
  }
  EXPECT_GT(risen, 10);
  EXPECT_LT(risen, 40);
  EXPECT_THAT(trend.rising(), IsEmpty());
}

}  // namespace
}  // namespace eviction::agent
