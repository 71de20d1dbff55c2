// SPDX-License-Identifier: Apache-2.0
#include "agent/needed_files.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/apply.h"
#include "agent/executor.h"
#include "config/drop_in.h"
#include "tests/support/constructed_node.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using testing::Contains;
using testing::HasSubstr;

constexpr const char* kDropIn =
    "var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";
constexpr const char* kArguments = "etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml";

/// A node whose kubelet has the Static memory manager and 1 GiB of ours in force.
class NeededFiles : public testing::Test {
 protected:
  /// reserved_memory: with 1Gi reserved for the system, 2Gi counts ours, too.
  void write_node(const std::string& reserved_memory, const std::string& hard = {}) {
    const std::vector<std::string> arguments = {"memory-manager-policy=Static",
                                                "kube-reserved=",
                                                "system-reserved=memory=1Gi",
                                                "reserved-memory=0:memory=" + reserved_memory};
    tests::ConstructedNode node = tests::named_node("mixed-128g");
    // Behind Harvester's 99-max-pods.yaml, which replaces what stands before it.
    std::string& configuration = node.files["etc/rancher/rke2/config.yaml.d/99-reserved.yaml"];
    configuration = "kubelet-arg+:\n";
    for (const std::string& argument : arguments) {
      configuration += "- \"" + argument + "\"\n";
    }
    for (tests::ConstructedProcess& process : node.processes) {
      if (!process.argv.empty() && process.argv.front() == "kubelet") {
        for (const std::string& argument : arguments) {
          process.argv.push_back("--" + argument);
        }
        if (!hard.empty()) {
          process.argv.push_back("--eviction-hard=" + hard);
        }
      }
    }
    write(node, tree_.path());
    tree_.directory("run");
    host_.emplace(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()));
  }

  [[nodiscard]] bool exists(const std::string& path) const {
    return std::filesystem::exists(tree_.path(path));
  }

  tests::TemporaryTree tree_;
  std::optional<Host> host_;
  config::AgentConfig config_;
};

TEST_F(NeededFiles, RollbackLeavesThem) {
  for (const bool needed : {true, false}) {
    SCOPED_TRACE(needed);
    write_node(needed ? "2Gi" : "1Gi");
    tree_.file(kDropIn, config::render_drop_in({.hard = 1_GiB}))
        .file(std::string{kDropIn} + ".staged", config::render_drop_in({.hard = 2_GiB}));
    const ActReport report = roll_back(*host_, config_);
    EXPECT_EQ(exists(kDropIn), needed);
    EXPECT_FALSE(exists(std::string{kDropIn} + ".staged"));
    EXPECT_EQ(report.outcome, needed ? ActOutcome::kFailed : ActOutcome::kDone) << report.text;
    if (needed) {
      EXPECT_THAT(report.text, HasSubstr("would not start"));
      EXPECT_THAT(report.text, HasSubstr("reservedMemory"));
    }
  }
}

// From before an upgrade to drop-ins.
TEST_F(NeededFiles, OutdatedArgumentsStay) {
  config_.mode = config::Mode::kEnforce;
  for (const bool needed : {true, false}) {
    SCOPED_TRACE(needed);
    write_node(needed ? "2Gi" : "1Gi",
               "imagefs.available<5%,memory.available<1Gi,nodefs.available<5%");
    tree_.file(
        kArguments,
        config::render_kubelet_args({.hard = 1_GiB},
                                    {.eviction_hard = "imagefs.available<5%,nodefs.available<5%",
                                     .eviction_minimum_reclaim = ""}));
    cgroup::Buffer buffer;
    const Plan plan = make_plan(observe(*host_, config_, buffer), config_);
    ASSERT_TRUE(is_drop_in(plan.observation.kubelet->target));
    auto loop = systemd::EventLoop::create();
    Executor executor{*host_, config_, *loop, [] {}, [] {}};
    executor.act_on(plan, "later");
    EXPECT_EQ(exists(kArguments), needed);
    Status status;
    executor.report(status);
    EXPECT_EQ(status.problems.empty(), !needed);
    if (needed) {
      EXPECT_THAT(status.problems, Contains(HasSubstr("would not start")));
    }
  }
}

}  // namespace
}  // namespace eviction::agent
