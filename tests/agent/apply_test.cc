// SPDX-License-Identifier: Apache-2.0
#include "agent/apply.h"

#include <filesystem>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "agent/plan.h"
#include "config/drop_in.h"
#include "config/quantity.h"
#include "tests/agent/answering_runtime.h"
#include "tests/support/constructed_node.h"
#include "tests/support/named_nodes.h"
#include "tests/support/stream_server.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using testing::HasSubstr;
using tests::StreamServer;
using tests::UnixSocket;

struct Stopped {};

/// A node where every guard holds.
class Apply : public testing::Test {
 protected:
  Apply() {
    write(tests::named_node("mixed-128g"), tree_.path());
    tree_.directory("run/k3s/containerd");
    host_.emplace(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()));
  }

  [[nodiscard]] Plan plan() const {
    cgroup::Buffer buffer;
    return make_plan(observe(*host_, config_, buffer), config_);
  }

  tests::TemporaryTree tree_;
  std::optional<Host> host_;
  config::AgentConfig config_;
};

// No guard looked at the value of the file, which may be a little more than there is room for.
TEST_F(Apply, WritesThePlansValueWhereTheFileHasOneThatIsClose) {
  const UnixSocket socket{tree_.path("run/k3s/containerd/containerd.sock")};
  const StreamServer runtime{{.socket = socket.fd(),
                              .is_request = tests::is_request,
                              .answers = {tests::kOk},
                              .hang = true}};
  const Bytes hard = *plan().sizing.hard;
  tree_.file(plan().observation.kubelet->file.substr(1),
             config::render_drop_in({.hard = hard + 32_MiB}));
  const ActReport report = apply(*host_, config_, true, [](const std::string&) {});
  EXPECT_EQ(report.outcome, ActOutcome::kDone) << report.text;
  EXPECT_THAT(report.text, HasSubstr("would be written"));
  EXPECT_THAT(report.text, HasSubstr(config::render_quantity(hard)));

  const std::string file = plan().observation.kubelet->file;
  const auto stop_when_begun = [&](const std::string& /*line*/) {
    if (std::filesystem::exists(tree_.path() + journal_path(file))) {
      throw Stopped{};
    }
  };
  EXPECT_THROW(static_cast<void>(apply(*host_, config_, false, stop_when_begun)), Stopped);
  EXPECT_EQ((**read_journal(*host_->root, file)).after, plan().file_content);
  std::filesystem::remove(tree_.path() + journal_path(file));

  tree_.file(file.substr(1), plan().file_content);
  EXPECT_EQ(apply(*host_, config_, true, [](const std::string&) {}).text,
            "the kubelet would be restarted");
}

// Restarts and a quarantine may stand there.
TEST_F(Apply, RefusesWhileItsRecordCannotBeRead) {
  tree_.file("var/lib/eviction-agent/state.json", {});
  std::filesystem::resize_file(tree_.path("var/lib/eviction-agent/state.json"),
                               cgroup::Directory::kLimit + 1);
  for (const bool dry_run : {true, false}) {
    const ActReport report = apply(*host_, config_, dry_run, [](const std::string&) {});
    EXPECT_EQ(report.outcome, ActOutcome::kFailed);
    EXPECT_THAT(report.text, HasSubstr("var/lib/eviction-agent/state.json"));
  }
}

}  // namespace
}  // namespace eviction::agent
