// SPDX-License-Identifier: Apache-2.0
#include "agent/validate.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using namespace literals;  // NOLINT(google-build-using-namespace): 1_GiB

Verdict verdict_of(const std::vector<std::string>& flags, Bytes capacity = 10_GiB) {
  const tests::TemporaryTree tree;
  const Result<cgroup::Directory> root = cgroup::Directory::open(tree.path());
  return validate({.version = {.major = 1, .minor = 36, .patch = 2, .suffix = {}},
                   .arguments = flags,
                   .config_dropin_dir_alpha = false},
                  *root,
                  capacity);
}

/// The threshold of a signal as JSON; fails the test when there is none.
ordered_json threshold(const Verdict& verdict, const std::string& signal, const std::string& kind) {
  const ordered_json document = to_json(verdict);
  for (const ordered_json& one : document["thresholds"]) {
    if (one["signal"] == signal && one["kind"] == kind) {
      return one;
    }
  }
  ADD_FAILURE() << "no " << kind << " threshold " << signal;
  return ordered_json::object();
}

TEST(Validate, AQuantityIsBytes) {
  const Verdict verdict = verdict_of({"--eviction-hard=memory.available<1.5Gi"});
  ASSERT_TRUE(verdict.accepted()) << testing::PrintToString(verdict.errors);
  const ordered_json hard = threshold(verdict, "memory.available", "hard");
  EXPECT_EQ(hard["bytes"], 1610612736);
  EXPECT_FALSE(hard.contains("percent"));
  EXPECT_EQ(hard["grace_seconds"], 0);
  EXPECT_EQ(hard["source"], "--eviction-hard");
  EXPECT_TRUE(hard["min_reclaim_bytes"].is_null());
  EXPECT_TRUE(hard["min_reclaim_bytes_absent"].is_string());
}

TEST(Validate, AMemoryPercentageIsBytesAsWell) {
  const ordered_json hard =
      threshold(verdict_of({"--eviction-hard=memory.available<5%"}), "memory.available", "hard");
  // int64(10737418240 * float64(float32(0.05))), kubelet GetThresholdQuantity().
  EXPECT_EQ(hard["bytes"], 536870920);
  EXPECT_EQ(hard["percent"].dump(), "5");
}

TEST(Validate, AHardMemorySignalHasItsAllocatableCopy) {
  const ordered_json copy = threshold(
      verdict_of({"--eviction-hard=memory.available<1Gi"}), "allocatableMemory.available", "hard");
  EXPECT_EQ(copy["bytes"], 1073741824);
}

TEST(Validate, APercentageOfAnotherSizeHasNoBytes) {
  const ordered_json disk =
      threshold(verdict_of({"--eviction-hard=nodefs.available<7.1%",
                            "--eviction-minimum-reclaim=nodefs.available=10%"}),
                "nodefs.available",
                "hard");
  EXPECT_EQ(disk["percent"].dump(), "7.1");
  EXPECT_TRUE(disk["bytes"].is_null());
  EXPECT_TRUE(disk["bytes_absent"].is_string());
  EXPECT_EQ(disk["min_reclaim_percent"].dump(), "10");
  EXPECT_TRUE(disk["min_reclaim_bytes"].is_null());
}

TEST(Validate, PercentagesReadAsTheyWereWritten) {
  for (const std::string percent : {"1", "3", "7", "13", "29", "57", "99", "0.1", "12.5", "33.3"}) {
    const Verdict verdict = verdict_of({"--eviction-hard=nodefs.available<" + percent + "%"});
    EXPECT_EQ(threshold(verdict, "nodefs.available", "hard")["percent"].dump(), percent);
  }
}

TEST(Validate, GraceMayBeAFractionOfASecond) {
  const Verdict verdict =
      verdict_of({"--eviction-soft=memory.available<1Gi,nodefs.available<1Gi",
                  "--eviction-soft-grace-period=memory.available=500ms,nodefs.available=2m",
                  "--eviction-minimum-reclaim=memory.available=5%"});
  ASSERT_TRUE(verdict.accepted()) << testing::PrintToString(verdict.errors);
  const ordered_json soft = threshold(verdict, "memory.available", "soft");
  EXPECT_EQ(soft["grace_seconds"], 0.5);
  EXPECT_EQ(soft["min_reclaim_bytes"], 536870920);
  EXPECT_EQ(soft["min_reclaim_percent"], 5);
  EXPECT_EQ(threshold(verdict, "nodefs.available", "soft")["grace_seconds"].dump(), "120");
}

struct Refused {
  const char* what;
  std::vector<std::string> flags;
};

TEST(Validate, WhatIsRefusedHasNoThresholds) {
  const std::vector<Refused> refused = {
      {"a suffix the kubelet does not have", {"--eviction-hard=memory.available<1GiB"}},
      {"zero", {"--eviction-hard=memory.available<0"}},
      {"a signal the kubelet does not have", {"--eviction-hard=memory.free<1Gi"}},
      {"a soft threshold without grace", {"--eviction-soft=memory.available<1Gi"}},
      {"more than the node has", {"--eviction-hard=memory.available<11Gi"}},
      {"a file that is not there", {"--config=/no/such/kubelet.yaml"}},
  };

  for (const auto& one : refused) {
    SCOPED_TRACE(one.what);
    const Verdict verdict = verdict_of(one.flags);
    EXPECT_FALSE(verdict.accepted());
    const ordered_json document = to_json(verdict);
    EXPECT_EQ(document["accepted"], false);
    EXPECT_EQ(document["thresholds"], ordered_json::array());
    EXPECT_GE(document["errors"].size(), 1U);
    EXPECT_THAT(to_table(verdict, false), HasSubstr("refused"));
  }
}

TEST(Validate, NotANumberHasNoBytes) {
  config::Threshold odd;
  odd.signal = "memory.available";
  odd.value.percentage = std::numeric_limits<float>::quiet_NaN();
  const Verdict verdict{.capacity = 10_GiB, .errors = {}, .warnings = {}, .thresholds = {odd}};
  const ordered_json one = threshold(verdict, "memory.available", "hard");
  EXPECT_TRUE(one["bytes"].is_null());
  EXPECT_TRUE(one["bytes_absent"].is_string());
  EXPECT_TRUE(one["percent"].is_null());
  EXPECT_TRUE(one["percent_absent"].is_string());
  EXPECT_THAT(to_table(verdict, false), HasSubstr("nan%"));
}

TEST(Validate, WithoutACapacityOnlyPercentagesAreUnknown) {
  config::ThresholdValue share;
  share.percentage = 0.05F;
  config::ThresholdValue fixed;
  fixed.quantity = config::Quantity{.bytes = 1_GiB, .sign = 1};
  EXPECT_FALSE(amount("memory.available", share, std::nullopt).has_value());
  EXPECT_EQ(amount("memory.available", fixed, std::nullopt).value(), 1_GiB);
  EXPECT_EQ(amount("allocatableMemory.available", share, 10_GiB).value(), 536870920_B);
}

TEST(Validate, JudgesLoadedSettingsWithoutACapacity) {
  config::LoadedSettings loaded;
  loaded.settings.eviction_hard = config::SettingMap{{"memory.available", {"11Gi", "x.conf"}}};
  loaded.warnings = {"odd"};
  const config::KubeletVersion version{.major = 1, .minor = 36, .patch = {}, .suffix = {}};
  EXPECT_TRUE(judge(loaded, version, std::nullopt).accepted());
  EXPECT_FALSE(judge(loaded, version, 10_GiB).accepted());
  EXPECT_THAT(judge(loaded, version, std::nullopt).warnings, testing::ElementsAre("odd"));
}

TEST(ValidateTable, ShowsBytesAndWhatTheyCameFrom) {
  const std::string page =
      to_table(verdict_of({"--eviction-hard=memory.available<5%,nodefs.available<10%",
                           "--eviction-soft=memory.available<1Gi",
                           "--eviction-soft-grace-period=memory.available=1s"}),
               false);
  EXPECT_THAT(page, HasSubstr("accepted on a node of 10 GiB"));
  EXPECT_THAT(page, HasSubstr("below 5% = 512 MiB (--eviction-hard)"));
  EXPECT_THAT(page, HasSubstr("below 10% (--eviction-hard)"));
  EXPECT_THAT(page, HasSubstr("below 1 GiB for 1 s"));
  EXPECT_THAT(to_table(verdict_of({}), false), HasSubstr("no threshold is in force"));
}

}  // namespace
}  // namespace eviction::agent
