// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/archive.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/plan.h"
#include "agent/render.h"
#include "config/drop_in.h"
#include "config/thresholds.h"
#include "tests/agent/observed_node.h"
#include "tests/agent/sample_plan.h"
#include "tests/support/golden.h"

namespace eviction::agent {
namespace {

/// All of a plan that is decided, without what only tells of files that could not be read.
std::string decided(Observation seen) {
  seen.problems.clear();
  const nlohmann::ordered_json plan = to_json(make_plan(std::move(seen), config::AgentConfig{}));
  nlohmann::ordered_json parts;
  for (const char* part : {"memory", "workloads", "pods", "sizing", "guards", "next_victims"}) {
    parts[part] = plan[part];
  }
  return parts.dump(1);
}

class Archive : public testing::TestWithParam<const char*> {};

TEST_P(Archive, IsDecidedOnAsTheObservationIs) {
  const Observation seen = tests::observed(GetParam());
  const Result<Observation> again = from_archive(to_archive(seen));
  ASSERT_TRUE(again);
  EXPECT_EQ(to_archive(*again), to_archive(seen));
  EXPECT_EQ(decided(*again), decided(seen));
}

INSTANTIATE_TEST_SUITE_P(,
                         Archive,
                         testing::Values("mixed-128g",
                                         "nopsi-128g",
                                         "v1-32g",
                                         "nokubelet-8g",
                                         "hugepages-256g",
                                         "swap-64g"),
                         [](const auto& test) { return tests::test_name(test.param); });

TEST(ArchiveText, HasWhatTheGuardsAskOfTheKubelet) {
  Observation plain = tests::sample_plan().observation;
  plain.kubelet->target = Target::kRke2Args;
  Observation overridden = plain;
  overridden.kubelet->overridden["eviction-hard"] = "later.yaml";
  Observation unknown = plain;
  unknown.kubelet->problems = {
      Error{ErrorKind::kUnsupported, "a", 2, "its flags are unknown", "move them"}};
  Observation foreign = plain;
  foreign.kubelet->without_file.eviction_hard = {
      {config::kMemoryAvailable, {"512Mi", "--eviction-hard"}}};
  using Pair = std::pair<const Observation&, const Observation&>;
  for (const auto& [with, without] :
       {Pair{overridden, plain}, Pair{unknown, plain}, Pair{foreign, plain}}) {
    const Result<Observation> again = from_archive(to_archive(with));
    ASSERT_TRUE(again);
    EXPECT_EQ(decided(*again), decided(with));
    EXPECT_NE(decided(with), decided(without));
  }
}

TEST(ArchiveText, HasWhatTheJournalSaysOfTheKubeletsRun) {
  Observation seen = tests::sample_plan().observation;
  for (const bool proven : {false, true}) {
    seen.kubelet->proven = proven;
    seen.kubelet->withdrawn = !proven;
    const Result<Observation> again = from_archive(to_archive(seen));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->kubelet->proven, proven);
    EXPECT_EQ(again->kubelet->withdrawn, !proven);
  }
}

TEST(ArchiveText, RefusesEveryCutAndWhatIsTooMuch) {
  const std::string whole = to_archive(tests::sample_plan().observation);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(from_archive(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(from_archive(whole + '\0'));
  // The first number is MemTotal, behind a byte that says that there is a meminfo.
  std::string too_much = whole;
  too_much[8] = '\x7f';
  EXPECT_FALSE(from_archive(too_much));
  too_much = whole;
  too_much[0] = '\2';
  EXPECT_FALSE(from_archive(too_much));
}

TEST(ArchiveText, HasEachKeyOnceAndInOrder) {
  Observation seen = tests::sample_plan().observation;
  seen.kubelet->loaded.settings.system_reserved = {{"key-b", {}}, {"key-c", {}}};
  const std::string whole = to_archive(seen);
  ASSERT_TRUE(from_archive(whole));
  for (const char last : {'b', 'a'}) {
    std::string changed = whole;
    changed[changed.find("key-c") + 4] = last;
    EXPECT_FALSE(from_archive(changed)) << last;
  }
}

}  // namespace
}  // namespace eviction::agent
