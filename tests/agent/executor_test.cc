// SPDX-License-Identifier: Apache-2.0
#include "agent/executor.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/constructed_node.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

constexpr const char* kJournal =
    "var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf.journal";

// The runtime answered when the plan was made, and is gone since.
TEST(Executor, AsksTheRuntimeAnewBeforeItBegins) {
  tests::TemporaryTree tree;
  write(tests::named_node("mixed-128g"), tree.path());
  tree.directory("run");
  const Host host = open_host(tree.path("proc"), tree.path("sys"), tree.path());
  config::AgentConfig config;
  config.mode = config::Mode::kEnforce;
  cgroup::Buffer buffer;
  Circumstances known;
  known.runtime_silence = "";
  const Plan plan = make_plan(observe(host, config, buffer), config, known);
  auto loop = systemd::EventLoop::create();
  ASSERT_TRUE(loop);
  Executor executor{host, config, *loop, [] {}, [&loop] { loop->exit(0); }};

  executor.act_on(plan);
  ASSERT_FALSE(std::filesystem::exists(tree.path(kJournal)));
  ASSERT_TRUE(loop->run());
  const auto silence = executor.runtime_silence(*plan.observation.kubelet);
  ASSERT_TRUE(silence);
  EXPECT_THAT(*silence, HasSubstr("run/k3s/containerd"));

  Status status;
  executor.report(status);
  EXPECT_EQ(status.decision.act, Act::kApply) << status.decision.reason;
  executor.act_on(plan);
  EXPECT_TRUE(std::filesystem::exists(tree.path(kJournal))) << "the answer is new";
}

}  // namespace
}  // namespace eviction::agent
