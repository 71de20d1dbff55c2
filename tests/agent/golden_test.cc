// SPDX-License-Identifier: Apache-2.0
//
// What `plan` and `check` print for recorded and constructed nodes, against tests/golden. After a
// wanted change: UPDATE_GOLDEN=1 ctest -R Golden, then read the difference by eye.
#include "tests/support/golden.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/plan.h"
#include "agent/render.h"
#include "tests/support/named_nodes.h"
#include "tests/support/source_tree.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using tests::expect_golden;
using tests::test_name;

/// Paths of the test machine out of the text.
std::string without(std::string text, const std::string& root) {
  for (std::size_t at = text.find(root); at != std::string::npos; at = text.find(root, at)) {
    text.erase(at, root.size());
  }
  return text;
}

void expect_node(const std::string& name, const std::string& root) {
  cgroup::Buffer buffer;
  const Plan plan =
      make_plan(observe(open_host(root + "/proc", root + "/sys", root), {}, buffer), {});
  if (outcome(plan) == PlanOutcome::kApplicable) {
    for (const Guard& guard : plan.guards) {
      EXPECT_NE(guard.ok, std::optional{false})
          << "the plan says go, and a guard no: " << guard.name;
    }
    const Bytes threshold =
        std::max(plan.sizing.hard.value_or(Bytes{}), plan.sizing.soft.value_or(Bytes{}));
    EXPECT_LE(threshold + plan.sizing.reclaim.value_or(Bytes{}), *plan.memory.kubelet_available);
  }
  expect_golden(name + ".plan.txt", without(to_table(plan, false), root));
  expect_golden(name + ".check.txt", without(to_table(check(plan), false), root));
  expect_golden(name + ".plan.json", without(to_json(plan).dump(2), root) + "\n");
}

class GoldenRecorded : public testing::TestWithParam<const char*> {};

TEST_P(GoldenRecorded, PlanAndCheck) {
  expect_node(GetParam(), std::string{tests::kFixtures} + "/" + GetParam());
}

INSTANTIATE_TEST_SUITE_P(,
                         GoldenRecorded,
                         testing::Values("kubelet-1.36-dropin-pods",
                                         "kubelet-1.36-dropin-hugepages",
                                         "kubelet-1.20-flags"),
                         [](const auto& test) { return test_name(test.param); });

class GoldenConstructed : public testing::TestWithParam<tests::NamedNode> {};

TEST_P(GoldenConstructed, PlanAndCheck) {
  const tests::TemporaryTree tree;
  tests::write(GetParam().make(), tree.path());
  expect_node(std::string{GetParam().name}, tree.path());
}

INSTANTIATE_TEST_SUITE_P(,
                         GoldenConstructed,
                         testing::ValuesIn(tests::named_nodes()),
                         [](const auto& test) { return test_name(test.param.name); });

TEST(Readme, ShowsWhatPlanPrints) {
  const std::string name{"kubelet-1.36-dropin-pods"};
  std::ifstream golden{std::string{tests::kGolden} + '/' + name + ".plan.txt"};
  std::string expected = "    $ eviction-agent plan --path.rootfs tests/fixtures/" + name + '\n';
  for (std::string line; std::getline(golden, line);) {
    expected += "    " + line + '\n';
  }
  std::ifstream file{tests::kReadme};
  const std::string readme{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_THAT(readme, testing::HasSubstr('\n' + expected + '\n'));
}

}  // namespace
}  // namespace eviction::agent
