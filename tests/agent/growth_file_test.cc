// SPDX-License-Identifier: Apache-2.0
#include "agent/growth_file.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state_file.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

GrowthCheckpoint sample() {
  GrowthCheckpoint checkpoint{.capacity = 64_GiB, .vm_share_permyriad = 2500};
  checkpoint.falls.at(0) = {.watched = std::chrono::hours{30}, .lost_kib = {{0, 7}, {192, 9}}};
  checkpoint.falls.at(4) = {.watched = std::chrono::seconds{1}, .lost_kib = {}};
  return checkpoint;
}

TEST(GrowthFile, ReadsBackWhatWasWritten) {
  const auto read = parse_growth(render_growth(sample()), "growth.json");
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_EQ(*read, sample());
}

TEST(GrowthFile, RefusesWhatNoHistoryCanHave) {
  const std::string good = render_growth(sample());

  struct Case {
    const char* from;
    const char* to;
  };

  for (const Case& c : {Case{"\"version\": 1", "\"version\": 2"},
                        Case{"\"192\": 9", "\"193\": 9"},
                        Case{"\"192\": 9", "\"0192\": 9"},
                        Case{"\"192\": 9", "\"-1\": 9"},
                        Case{"\"192\": 9", "\"192\": -9"},
                        Case{"\"192\": 9", "\"192\": 1e300"},
                        Case{"\"vm_share_permyriad\": 2500", "\"vm_share_permyriad\": 10001"},
                        Case{"left-25s", "left-26s"}}) {
    SCOPED_TRACE(c.to);
    std::string text = good;
    text.replace(text.find(c.from), std::string{c.from}.size(), c.to);
    EXPECT_FALSE(parse_growth(text, "growth.json"));
  }
  EXPECT_FALSE(parse_growth("", "growth.json"));
  EXPECT_FALSE(parse_growth(good.substr(0, good.size() / 2), "growth.json"));
}

class KeptGrowthTest : public testing::Test {
 protected:
  KeptGrowthTest() { tree_.directory("var/lib"); }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
};

TEST_F(KeptGrowthTest, ALookAtACorruptOneChangesNothing) {
  ASSERT_TRUE(save_own(root_, std::string{kGrowthFile}, "{"));
  EXPECT_FALSE(learned_growth(root_));
  EXPECT_FALSE(learned_growth(root_));
}

TEST_F(KeptGrowthTest, IsThereAgainAfterARestart) {
  GrowthHistory history;
  KeptGrowth kept{history};
  ASSERT_TRUE(kept.open(root_));
  history.restore(sample());
  ASSERT_TRUE(kept.save());
  GrowthHistory again;
  ASSERT_TRUE(KeptGrowth{again}.open(root_));
  EXPECT_EQ(again.checkpoint(), sample());
}

TEST_F(KeptGrowthTest, IsWrittenEveryTenMinutes) {
  GrowthHistory history;
  KeptGrowth kept{history};
  ASSERT_TRUE(kept.open(root_));
  history.restore(sample());
  ASSERT_TRUE(kept.keep(std::chrono::minutes{9}));
  EXPECT_EQ(load_growth(root_).value, GrowthCheckpoint{});
  ASSERT_TRUE(kept.keep(std::chrono::minutes{11}));
  EXPECT_EQ(load_growth(root_).value, sample());
}

TEST_F(KeptGrowthTest, ACorruptOneIsSetAside) {
  ASSERT_TRUE(save_own(root_, std::string{kGrowthFile}, "{\"version\": 1"));
  GrowthHistory history;
  KeptGrowth kept{history};
  const Result<void> opened = kept.open(root_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().remedy, HasSubstr("growth.json.corrupt"));
  EXPECT_EQ(history.checkpoint(), GrowthCheckpoint{});
  ASSERT_TRUE(kept.save());
  const Result<void> again = KeptGrowth{history}.open(root_);
  ASSERT_FALSE(again) << "nobody has looked at it";
  EXPECT_THAT(to_text(again.error()), HasSubstr("remove it"));
}

TEST_F(KeptGrowthTest, GoesWithTheRestOfTheState) {
  ASSERT_TRUE(save_growth(root_, sample()));
  EXPECT_THAT(remove_state(root_, false).problems, testing::IsEmpty());
  EXPECT_FALSE(root_.open_below(kStateFolder));
}

}  // namespace
}  // namespace eviction::agent
