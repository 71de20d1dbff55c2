// SPDX-License-Identifier: Apache-2.0
#include "config/thresholds.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr Bytes kTenGi{std::int64_t{10} << 30};

KubeletVersion minor(int number) {
  return KubeletVersion{.major = 1, .minor = number, .patch = {}, .suffix = {}};
}

SettingMap settings(const Pairs& pairs) {
  SettingMap map;
  for (const auto& [key, value] : pairs) {
    map[key] = Setting{value, "test"};
  }
  return map;
}

/// Without the copy for Allocatable, so that a row is about one threshold only.
KubeletSettings hard(const Pairs& pairs) {
  KubeletSettings result;
  result.eviction_hard = settings(pairs);
  result.enforce_node_allocatable = {};
  return result;
}

KubeletSettings reclaim(const std::string& value) {
  KubeletSettings result = hard({{"memory.available", "100Mi"}});
  result.eviction_minimum_reclaim = settings({{"memory.available", value}});
  return result;
}

KubeletSettings soft(const std::string& value, const std::string& grace) {
  KubeletSettings result = hard({});
  result.eviction_soft = settings({{"memory.available", value}});
  result.eviction_soft_grace_period = settings({{"memory.available", grace}});
  return result;
}

struct Value {
  std::string text;
  std::optional<std::int64_t> bytes;  ///< of 10 GiB; absent: refused
};

// 5 % of 10 GiB is 536870920 and not 536870912, because the kubelet computes with a 32-bit float.
const std::vector<Value> kHardValues{{"100Mi", 104857600},
                                     {"1.5Gi", 1610612736},
                                     {"1", 1},
                                     {"100m", 1},
                                     {"1n", 1},
                                     {"1e3", 1000},
                                     {"10E", 0},
                                     {"9Ei", INT64_MAX},
                                     {"5%", 536870920},
                                     {"10%", 1073741840},
                                     {"15%", 1610612800},
                                     {"10.5%", 1127428880},
                                     {"+10%", 1073741840},
                                     {"10%%", 1073741840},
                                     {"1e1%", 1073741840},
                                     {"0x1p4%", 1717986880},
                                     {"1_0%", 1073741840},
                                     {"50%", 5368709120},
                                     {"0.0%", 0},
                                     {"-0%", 0},
                                     {"+0%", 0},
                                     {"00%", 0},
                                     {"100.0%", 10737418240},
                                     {"+100%", 10737418240},
                                     {"1e-400%", 0},
                                     {"NaN%", INT64_MIN},
                                     {"nan%", INT64_MIN},
                                     {"", std::nullopt},
                                     {"0", std::nullopt},
                                     {"0Mi", std::nullopt},
                                     {"-0", std::nullopt},
                                     {"-", std::nullopt},
                                     {"+", std::nullopt},
                                     {".", std::nullopt},
                                     {"Gi", std::nullopt},
                                     {"Pi", std::nullopt},
                                     {"-1", std::nullopt},
                                     {"-150Mi", std::nullopt},
                                     {"-1n", std::nullopt},
                                     {"1GB", std::nullopt},
                                     {"1K", std::nullopt},
                                     {"1 Gi", std::nullopt},
                                     {" 1Gi", std::nullopt},
                                     {"1Gi ", std::nullopt},
                                     {"9223372036854775808", std::nullopt},
                                     {"%", std::nullopt},
                                     {"%%", std::nullopt},
                                     {"-5%", std::nullopt},
                                     {"-15%", std::nullopt},
                                     {"-1e-30%", std::nullopt},
                                     {"100.1%", std::nullopt},
                                     {"101%", std::nullopt},
                                     {"Inf%", std::nullopt},
                                     {"-Inf%", std::nullopt},
                                     {"1e39%", std::nullopt},
                                     {"5 %", std::nullopt},
                                     {" 5%", std::nullopt},
                                     {"5% ", std::nullopt},
                                     {"5%5", std::nullopt},
                                     {"1_%", std::nullopt},
                                     {"0x1%", std::nullopt},
                                     {"five%", std::nullopt},
                                     {"5,5%", std::nullopt}};

TEST(Thresholds, ReadsHardValuesAsTheKubelet) {
  for (const Value& row : kHardValues) {
    SCOPED_TRACE(row.text);
    const ParsedThresholds parsed =
        parse_thresholds(hard({{"memory.available", row.text}}), minor(36));
    if (!row.bytes) {
      EXPECT_THAT(parsed.errors, SizeIs(1));
      EXPECT_THAT(parsed.thresholds, IsEmpty());
      continue;
    }
    ASSERT_THAT(parsed.errors, IsEmpty());
    ASSERT_THAT(parsed.thresholds, SizeIs(1));
    EXPECT_EQ(threshold_bytes(parsed.thresholds[0].value, kTenGi).value(), *row.bytes);
  }
}

TEST(Thresholds, ReadsSoftValuesAsHardOnes) {
  for (const Value& row : kHardValues) {
    SCOPED_TRACE(row.text);
    const ParsedThresholds parsed = parse_thresholds(soft(row.text, "30s"), minor(36));
    EXPECT_EQ(parsed.errors.empty(), row.bytes.has_value());
    EXPECT_EQ(parsed.thresholds.size(), row.bytes ? 1U : 0U);
  }
}

TEST(Thresholds, DropsExactlyTwoSpellings) {
  for (const char* text : {"0%", "100%"}) {
    const ParsedThresholds parsed = parse_thresholds(hard({{"memory.available", text}}), minor(30));
    EXPECT_THAT(parsed.errors, IsEmpty());
    EXPECT_THAT(parsed.thresholds, IsEmpty());
    KubeletSettings without_grace = soft(text, "1s");
    without_grace.eviction_soft_grace_period.reset();
    EXPECT_THAT(parse_thresholds(without_grace, minor(30)).errors, IsEmpty());
  }
}

TEST(Thresholds, ReadsMinimumReclaimAsTheKubelet) {
  const std::vector<Value> rows{{"0", 0},
                                {"-", 0},
                                {"Gi", 0},
                                {"0Mi", 0},
                                {"1Gi", 1073741824},
                                {"100m", 1},
                                {"5%", 536870920},
                                {"100%", 10737418240},
                                {"150%", 16106127360},
                                {"Inf%", INT64_MIN},
                                {"NaN%", INT64_MIN},
                                {"1e30%", INT64_MIN},
                                {"0%", std::nullopt},
                                {"0.0%", std::nullopt},
                                {"-0%", std::nullopt},
                                {"1e-400%", std::nullopt},
                                {"-5%", std::nullopt},
                                {"-Inf%", std::nullopt},
                                {"-300Mi", std::nullopt},
                                {"-1n", std::nullopt},
                                {"", std::nullopt},
                                {"%", std::nullopt},
                                {"1GB", std::nullopt}};
  for (const Value& row : rows) {
    SCOPED_TRACE(row.text);
    const ParsedThresholds parsed = parse_thresholds(reclaim(row.text), minor(36));
    ASSERT_EQ(parsed.errors.empty(), row.bytes.has_value());
    if (row.bytes) {
      ASSERT_TRUE(parsed.thresholds[0].min_reclaim);
      EXPECT_EQ(threshold_bytes(*parsed.thresholds[0].min_reclaim, kTenGi).value(), *row.bytes);
    }
  }
}

struct Grace {
  std::string text;
  std::optional<std::chrono::nanoseconds> grace;
};

TEST(Thresholds, ReadsGracePeriodsAsTheKubelet) {
  const std::vector<Grace> rows{{"30s", 30s},
                                {"1m30s", 90s},
                                {"1.5h", 90min},
                                {"0", 0s},
                                {"0s", 0s},
                                {"-0s", 0s},
                                {"1us", 1us},
                                {"+5s", 5s},
                                {"-5s", std::nullopt},
                                {"-30s", std::nullopt},
                                {"30", std::nullopt},
                                {"", std::nullopt},
                                {"1d", std::nullopt},
                                {"1 m", std::nullopt},
                                {"3000000h", std::nullopt}};
  for (const Grace& row : rows) {
    SCOPED_TRACE(row.text);
    const ParsedThresholds parsed = parse_thresholds(soft("300Mi", row.text), minor(36));
    if (!row.grace) {
      EXPECT_THAT(parsed.errors, SizeIs(1));
      continue;
    }
    ASSERT_THAT(parsed.thresholds, SizeIs(1));
    EXPECT_EQ(parsed.thresholds[0].grace, *row.grace);
    EXPECT_TRUE(parsed.thresholds[0].soft);
  }
}

struct SignalRow {
  std::string name;
  int since;  ///< 0: never
};

TEST(Thresholds, KnowsTheSignalsOfEachVersion) {
  const std::vector<SignalRow> rows{{"memory.available", 24},
                                    {"nodefs.available", 24},
                                    {"nodefs.inodesFree", 24},
                                    {"imagefs.available", 24},
                                    {"imagefs.inodesFree", 24},
                                    {"pid.available", 24},
                                    {"allocatableMemory.available", 24},
                                    {"containerfs.available", 29},
                                    {"containerfs.inodesFree", 29},
                                    {"mem.available", 0},
                                    {"Memory.available", 0},
                                    {"memory.Available", 0},
                                    {"memory.available ", 0},
                                    {"memory", 0},
                                    {"nodefs.inodesfree", 0},
                                    {"allocatablePods.available", 0},
                                    {"", 0}};
  for (const SignalRow& row : rows) {
    for (int version = kOldestMinor; version <= kNewestMinor; ++version) {
      SCOPED_TRACE(row.name + " in 1." + std::to_string(version));
      const bool known = row.since != 0 && version >= row.since;
      KubeletSettings in_reclaim = hard({});
      in_reclaim.eviction_minimum_reclaim = settings({{row.name, "1Mi"}});
      KubeletSettings in_grace = hard({});
      in_grace.eviction_soft_grace_period = settings({{row.name, "1s"}});
      EXPECT_EQ(parse_thresholds(hard({{row.name, "1Mi"}}), minor(version)).errors.empty(), known);
      EXPECT_EQ(parse_thresholds(in_reclaim, minor(version)).errors.empty(), known);
      EXPECT_EQ(parse_thresholds(in_grace, minor(version)).errors.empty(), known);
    }
  }
}

TEST(Thresholds, RefusesAnUnknownSignalEvenIfItsThresholdWouldBeDropped) {
  EXPECT_THAT(parse_thresholds(hard({{"mem.available", "0%"}}), minor(36)).errors, SizeIs(1));
}

TEST(Thresholds, WantsGraceForASoftThresholdOnly) {
  KubeletSettings settings_without = soft("300Mi", "1s");
  settings_without.eviction_soft_grace_period.reset();
  EXPECT_THAT(parse_thresholds(settings_without, minor(36)).errors,
              ElementsAre(AllOf(HasSubstr("memory.available"), HasSubstr("grace"))));
  KubeletSettings only_grace = hard({});
  only_grace.eviction_soft_grace_period = settings({{"memory.available", "1s"}});
  EXPECT_THAT(parse_thresholds(only_grace, minor(36)).errors, IsEmpty());
}

TEST(Thresholds, AcceptsAReclaimWithoutAThreshold) {
  KubeletSettings only_reclaim = hard({});
  only_reclaim.eviction_minimum_reclaim = settings({{"memory.available", "1Gi"}});
  const ParsedThresholds parsed = parse_thresholds(only_reclaim, minor(36));
  EXPECT_THAT(parsed.errors, IsEmpty());
  EXPECT_THAT(parsed.thresholds, IsEmpty());
}

TEST(Thresholds, AreNoneWithoutSettings) {
  EXPECT_THAT(parse_thresholds(KubeletSettings{}, minor(36)).thresholds, IsEmpty());
  EXPECT_THAT(parse_thresholds(KubeletSettings{}, minor(36)).errors, IsEmpty());
}

std::vector<std::string> signals(const ParsedThresholds& parsed) {
  std::vector<std::string> names;
  for (const Threshold& threshold : parsed.thresholds) {
    names.push_back((threshold.soft ? "soft " : "hard ") + threshold.signal);
  }
  return names;
}

TEST(Thresholds, AreSortedBySignalHardFirst) {
  KubeletSettings all = hard({{"nodefs.available", "10%"}, {"memory.available", "1Gi"}});
  all.eviction_soft = settings({{"memory.available", "2Gi"}, {"imagefs.available", "15%"}});
  all.eviction_soft_grace_period =
      settings({{"memory.available", "30s"}, {"imagefs.available", "30s"}});
  EXPECT_THAT(signals(parse_thresholds(all, minor(36))),
              ElementsAre("soft imagefs.available",
                          "hard memory.available",
                          "soft memory.available",
                          "hard nodefs.available"));
}

TEST(Thresholds, CopiesHardMemoryForAllocatable) {
  KubeletSettings copied = reclaim("256Mi");
  copied.enforce_node_allocatable = {"pods"};
  const ParsedThresholds parsed = parse_thresholds(copied, minor(36));
  EXPECT_THAT(signals(parsed),
              ElementsAre("hard allocatableMemory.available", "hard memory.available"));
  EXPECT_EQ(threshold_bytes(parsed.thresholds[0].value, kTenGi).value(), 104857600);
  EXPECT_EQ(threshold_bytes(*parsed.thresholds[0].min_reclaim, kTenGi).value(), 268435456);
  EXPECT_EQ(parsed.thresholds[0].source, "test");
}

TEST(Thresholds, CopyOnlyWhatCountsAsHard) {
  KubeletSettings soft_now = soft("300Mi", "0s");
  soft_now.enforce_node_allocatable = {"kube-reserved", "pods"};
  EXPECT_THAT(signals(parse_thresholds(soft_now, minor(36))),
              ElementsAre("soft allocatableMemory.available", "soft memory.available"));
  KubeletSettings soft_later = soft("300Mi", "1s");
  soft_later.enforce_node_allocatable = {"pods"};
  EXPECT_THAT(signals(parse_thresholds(soft_later, minor(36))),
              ElementsAre("soft memory.available"));
}

TEST(Thresholds, AreNotCopiedWhenPodsAreNotEnforced) {
  KubeletSettings none = hard({{"memory.available", "100Mi"}});
  none.enforce_node_allocatable = {"none"};
  EXPECT_THAT(signals(parse_thresholds(none, minor(36))), ElementsAre("hard memory.available"));
  KubeletSettings ignored = hard({{"memory.available", "100Mi"}});
  ignored.enforce_node_allocatable = {"pods"};
  ignored.allocatable_ignores_eviction = true;
  EXPECT_THAT(signals(parse_thresholds(ignored, minor(36))), ElementsAre("hard memory.available"));
}

TEST(Thresholds, KeepTheOperatorsOwnAllocatableThresholdBesideTheCopy) {
  KubeletSettings both =
      hard({{"memory.available", "100Mi"}, {"allocatableMemory.available", "200Mi"}});
  both.enforce_node_allocatable = {"pods"};
  EXPECT_THAT(parse_thresholds(both, minor(36)).thresholds, SizeIs(3));
}

TEST(Thresholds, ReportAllErrorsWithKeyValueAndSource) {
  KubeletSettings wrong = hard({{"memory.available", "1GB"}, {"mem.available", "5%"}});
  wrong.eviction_soft = settings({{"nodefs.available", "101%"}, {"imagefs.available", "5%"}});
  wrong.eviction_minimum_reclaim = settings({{"nodefs.available", "0%"}});
  const ParsedThresholds parsed = parse_thresholds(wrong, minor(36));
  EXPECT_THAT(parsed.thresholds, IsEmpty());
  EXPECT_THAT(
      parsed.errors,
      ElementsAre(
          AllOf(HasSubstr("mem.available"), HasSubstr("evictionHard"), HasSubstr("test")),
          AllOf(HasSubstr("memory.available"), HasSubstr("1GB"), HasSubstr("test")),
          AllOf(HasSubstr("nodefs.available"), HasSubstr("101%"), HasSubstr("evictionSoft")),
          AllOf(HasSubstr("imagefs.available"), HasSubstr("grace period")),
          AllOf(HasSubstr("nodefs.available"), HasSubstr("evictionMinimumReclaim"))));
}

TEST(Thresholds, BytesOfAPercentageAreTruncated) {
  const ThresholdValue five{.quantity = {}, .percentage = 5.0F / 100.0F};
  EXPECT_EQ(threshold_bytes(five, Bytes{0}).value(), 0);
  EXPECT_EQ(threshold_bytes(five, Bytes{19}).value(), 0);
  EXPECT_EQ(threshold_bytes(five, Bytes{20}).value(), 1);
  EXPECT_EQ(threshold_bytes(five, kTenGi).value(), 536870920);
}

}  // namespace
}  // namespace eviction::config
