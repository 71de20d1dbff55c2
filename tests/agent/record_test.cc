// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/growth_file.h"
#include "agent/recording/command.h"
#include "systemd/event_loop.h"
#include "tests/agent/told.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using tests::checkpoint_of;
using tests::Told;
using tests::told_by;

class RecordTest : public testing::Test {
 protected:
  RecordTest() {
    tree_.directory("var/lib/eviction-agent");
    tree_.file("proc/meminfo",
               "MemTotal: 4194304 kB\nMemFree: 2097152 kB\nMemAvailable: 2097152 kB\n");
  }

  /// Until then.
  [[nodiscard]] Result<std::size_t> record_for(milliseconds time) {
    const auto stop = loop_->after(time, [this] { loop_->exit(0); });
    return record(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()),
                  config::AgentConfig{},
                  {.file = tree_.path("r"), .duration = {}},
                  *loop_);
  }

  /// One full look.
  void record_once() {
    loop_ = systemd::EventLoop::create();
    const auto moments = record_for(milliseconds{50});
    ASSERT_TRUE(moments) << to_text(moments.error());
    ASSERT_EQ(*moments, 1U);
  }

  [[nodiscard]] Told told() const {
    std::ifstream file{tree_.path("r"), std::ios::binary};
    return told_by(std::string{std::istreambuf_iterator<char>{file}, {}});
  }

  tests::TemporaryTree tree_;
  Result<systemd::EventLoop> loop_ = systemd::EventLoop::create();
};

TEST_F(RecordTest, BegunAgainItSaysNothingOfGrowthWhereNothingIsKnown) {
  record_once();
  record_once();
  EXPECT_THAT(told().learned, testing::ElementsAre(std::nullopt, std::nullopt));
}

TEST_F(RecordTest, LooksThatAreLostAreNoSuccess) {
  const auto remove = loop_->after(
      milliseconds{500}, [this] { EXPECT_TRUE(std::filesystem::remove(tree_.path("r"))); });
  const auto moments = record_for(milliseconds{2500});
  ASSERT_FALSE(moments);
  EXPECT_THAT(to_text(moments.error()), HasSubstr("/r: it was removed"));
  EXPECT_FALSE(told().moments.empty()) << "those after it are kept";
}

TEST_F(RecordTest, WhatCannotBeReadIsAnError) {
  std::filesystem::remove(tree_.path("proc/meminfo"));
  const auto moments = record_for(milliseconds{3000});
  ASSERT_FALSE(moments);
  EXPECT_THAT(to_text(moments.error()), HasSubstr("proc/meminfo"));
}

TEST_F(RecordTest, BeginsWithWhatTheDaemonLearned) {
  tree_.file("var/lib/eviction-agent/growth.json", render_growth(checkpoint_of(4_GiB)));
  record_once();
  EXPECT_THAT(told().learned, testing::ElementsAre(checkpoint_of(4_GiB)));
}

}  // namespace
}  // namespace eviction::agent
