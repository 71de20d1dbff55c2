// SPDX-License-Identifier: Apache-2.0
#include "agent/plan.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/observed_node.h"

namespace eviction::agent {
namespace {

using testing::Contains;
using testing::Not;

std::vector<std::string> terms_of(Observation seen) {
  std::vector<std::string> names;
  for (const Term& term : make_plan(std::move(seen), config::AgentConfig{}).sizing.terms) {
    names.push_back(term.name);
  }
  return names;
}

TEST(Plan, CountsOnTheAllocatableCopyWhereTheKubeletHasOne) {
  Observation seen = tests::observed("mixed-128g");
  seen.kubepods->max = cgroup::MemoryLimit{64_GiB};  // so half of the node is reserved
  EXPECT_THAT(terms_of(seen), Contains("outside-pods"));

  Observation ignoring = seen;
  ignoring.kubelet->loaded.settings.allocatable_ignores_eviction = true;
  Observation unenforced = seen;
  unenforced.kubelet->loaded.settings.enforce_node_allocatable = {"none"};
  for (const Observation& without : {ignoring, unenforced}) {
    EXPECT_THAT(terms_of(without), Contains("kernel"));
    EXPECT_THAT(terms_of(without), Not(Contains("outside-pods")));
  }
}

// Where the kubelet begins to evict, growth is what is left, but for rounding.
TEST(Plan, WhatIsLeftAtTheThresholdIsGrowth) {
  for (const char* name : {"mixed-128g", "k3s-32g", "vm-2t"}) {
    SCOPED_TRACE(name);
    const Plan plan = make_plan(tests::observed(name), config::AgentConfig{});
    const Bytes to_fall = *plan.memory.kubelet_available - *plan.sizing.need;
    const Bytes left = *left_to_kubelet(plan.memory) - to_fall;
    EXPECT_GE(left, plan.sizing.growth->bytes);
    EXPECT_LT(left, plan.sizing.growth->bytes + rounding_step(*plan.memory.capacity));
  }
}

}  // namespace
}  // namespace eviction::agent
