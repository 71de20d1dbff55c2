// SPDX-License-Identifier: Apache-2.0
#include "agent/recall.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "agent/growth_file.h"
#include "agent/recording/kept_recording.h"
#include "tests/agent/observed_node.h"
#include "tests/agent/told.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using std::chrono::minutes;

class RecallTest : public testing::Test {
 protected:
  RecallTest() { tree_.directory("var/lib/eviction-agent"); }

  /// What a command knows 11 minutes after the first look.
  [[nodiscard]] Circumstances known() {
    Circumstances known;
    history_.add_to(known, {}, minutes{11});
    return known;
  }

  tests::TemporaryTree tree_;
  Result<cgroup::Directory> root_ = cgroup::Directory::open(tree_.path());
  NodeHistory history_;
};

TEST_F(RecallTest, WhatTheDaemonRecordedAndLearned) {
  Observation seen = tests::observed("mixed-128g");
  const std::optional<Bytes> available = account(seen).kubelet_available;
  ASSERT_TRUE(available);
  KeptRecording recording;
  ASSERT_TRUE(recording.open(
      *root_->open_below(kStateFolder), std::string{kRecordingFile}, kRecordingFileLimit));
  for (int minute = 1; minute <= 10; ++minute) {
    Moment moment = tests::moment_at(0, 1_GiB);
    moment.since_boot = minutes{minute};
    ASSERT_TRUE(recording.add(moment));
    moment.seen = &seen;
    ASSERT_TRUE(recording.add(moment));
  }
  ASSERT_TRUE(save_growth(*root_, tests::checkpoint_of(64_GiB)));
  ASSERT_TRUE(recall(*root_, history_));
  EXPECT_EQ(known().available_low, available);
  EXPECT_EQ(history_.growth().checkpoint(), tests::checkpoint_of(64_GiB));
}

TEST_F(RecallTest, OnAFreshNodeNothing) {
  ASSERT_TRUE(recall(*root_, history_));
  EXPECT_FALSE(known().available_low);
  EXPECT_EQ(history_.growth().checkpoint(), GrowthCheckpoint{});
}

TEST_F(RecallTest, WhatCannotBeReadIsTold) {
  tree_.file("var/lib/eviction-agent/growth.json", "{");
  tree_.file("var/lib/eviction-agent/recording.bin", "no recording");
  const Result<void> recalled = recall(*root_, history_);
  ASSERT_FALSE(recalled);
  EXPECT_NE(to_text(recalled.error()).find("growth.json"), std::string::npos);
}

}  // namespace
}  // namespace eviction::agent
