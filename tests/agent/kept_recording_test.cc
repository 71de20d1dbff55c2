// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/kept_recording.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/recording/command.h"
#include "tests/agent/sample_plan.h"
#include "tests/agent/told.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using tests::checkpoint_of;
using tests::moment_at;
using tests::record_of;
using tests::same;
using tests::Told;
using tests::told_by;

class KeptRecordingTest : public testing::Test {
 protected:
  KeptRecordingTest() { tree_.directory("var/lib"); }

  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream file{tree_.path("var/lib/eviction-agent/" + name), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
};

TEST_F(KeptRecordingTest, GoesOnBehindWhatACrashCutOff) {
  {
    KeptRecording kept;
    ASSERT_TRUE(kept.open(root_));
    ASSERT_TRUE(kept.add(moment_at(0, 1_GiB)));
    ASSERT_TRUE(kept.add(moment_at(1, 2_GiB)));
  }
  const std::string whole = content("recording.bin");
  tree_.file("var/lib/eviction-agent/recording.bin", whole.substr(0, whole.size() - 1));
  KeptRecording kept;
  ASSERT_TRUE(kept.open(root_));
  ASSERT_TRUE(kept.add(moment_at(2, 3_GiB)));
  const Told told = told_by(content("recording.bin"));
  ASSERT_EQ(told.moments.size(), 2U);
  EXPECT_EQ(told.moments[0].mem_available, 1_GiB);
  EXPECT_EQ(told.moments[1].mem_available, 3_GiB);
}

TEST_F(KeptRecordingTest, GoesOnBehindWhatNobodyCanRead) {
  const std::string file = "var/lib/eviction-agent/recording.bin";
  for (const std::string& tail : {std::string(4096, '\0'), record_of("L"), record_of("?")}) {
    RecordingWriter writer;
    tree_.file(file, writer.begin(true) + writer.add(moment_at(0, 1_GiB)) + tail);
    KeptRecording kept;
    ASSERT_TRUE(kept.open(root_));
    ASSERT_TRUE(kept.add(moment_at(1, 2_GiB)));
    EXPECT_EQ(told_by(content("recording.bin")).moments.size(), 2U);
  }
}

TEST_F(KeptRecordingTest, WhatIsBehindDamageIsNotCutAway) {
  RecordingWriter writer;
  std::string text = writer.begin(true);
  for (int i = 0; i < 100; ++i) {
    text += writer.add(moment_at(i, 1_GiB));
  }
  text[30] = static_cast<char>(text[30] ^ 1);
  tree_.file("var/lib/eviction-agent/recording.bin", text).file("r", text);

  KeptRecording own;
  const Result<void> opened = own.open(root_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(to_text(opened.error()),
              testing::AllOf(HasSubstr("recording.bin: the record at byte"),
                             HasSubstr("recording.bin.corrupt")));
  EXPECT_EQ(content("recording.bin.corrupt"), text);
  EXPECT_TRUE(own.add(moment_at(0, 1_GiB))) << "and a new one is begun";

  KeptRecording asked;
  const Result<void> refused =
      asked.open(*cgroup::Directory::open(tree_.path()), "r", kRecordingFileLimit);
  ASSERT_FALSE(refused);
  EXPECT_THAT(to_text(refused.error()), HasSubstr("r: the record at byte"));
  EXPECT_EQ(std::filesystem::file_size(tree_.path("r")), text.size());
}

TEST_F(KeptRecordingTest, HasOneWriter) {
  constexpr std::size_t kLimit = 4096;
  const auto folder = [this] { return *root_.open_below("var/lib"); };
  KeptRecording first;
  ASSERT_TRUE(first.open(folder(), "r", kLimit));
  for (int i = 0; !std::filesystem::exists(tree_.path("var/lib/r.1")); ++i) {
    KeptRecording second;
    const Result<void> opened = second.open(folder(), "r", kLimit);
    ASSERT_FALSE(opened);
    EXPECT_THAT(to_text(opened.error()), HasSubstr("var/lib/r: another eviction-agent adds to it"));
    EXPECT_FALSE(second.add(moment_at(1000, 2_GiB)));
    ASSERT_TRUE(first.add(moment_at(i, 1_GiB)));
  }
  EXPECT_FALSE(KeptRecording{}.open(folder(), "r", kLimit)) << "nor to the next file";
  first = KeptRecording{};
  EXPECT_TRUE(KeptRecording{}.open(folder(), "r", kLimit));
}

TEST_F(KeptRecordingTest, GoesOnInANewFileWhereItsOwnIsGone) {
  const std::string path = tree_.path("var/lib/eviction-agent/recording.bin");
  const std::vector<std::function<void()>> interruptions{
      [&path] { std::filesystem::remove(path); },
      [&path] { std::filesystem::rename(path, path + ".moved"); },
      [&path] { std::filesystem::resize_file(path, 0); },
      [&path] { std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1); }};
  KeptRecording kept;
  ASSERT_TRUE(kept.open(root_));
  for (std::size_t i = 0; i < interruptions.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(kept.add(moment_at(0, 1_GiB)));
    interruptions[i]();
    const Result<void> added = kept.add(moment_at(1, 2_GiB));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().kind, ErrorKind::kVanished);
    EXPECT_THAT(to_text(added.error()), HasSubstr("recording.bin: it was removed, replaced or"));
    EXPECT_TRUE(kept.add(moment_at(2, 3_GiB)));
    const Told told = told_by(content("recording.bin"));
    ASSERT_GE(told.moments.size(), 2U);
    EXPECT_EQ(told.moments[told.moments.size() - 2].mem_available, 2_GiB);
    EXPECT_EQ(told.moments.back().mem_available, 3_GiB);
  }
}

TEST_F(KeptRecordingTest, WhatIsDamagedWhileItIsOpenIsSetAsideToo) {
  KeptRecording own;
  ASSERT_TRUE(own.open(root_));
  tree_.file("var/lib/eviction-agent/recording.bin", "time,mem_available_bytes\n");
  const Result<void> added = own.add(moment_at(0, 1_GiB));
  ASSERT_FALSE(added);
  EXPECT_THAT(to_text(added.error()), HasSubstr("recording.bin.corrupt"));
  EXPECT_TRUE(own.add(moment_at(1, 1_GiB)));
  EXPECT_EQ(told_by(content("recording.bin")).moments.size(), 1U);

  std::filesystem::resize_file(tree_.path("var/lib/eviction-agent/recording.bin"), 16 << 20);
  EXPECT_THAT(to_text(own.add(moment_at(2, 1_GiB)).error()), HasSubstr("recording.bin.corrupt"));
  EXPECT_TRUE(own.add(moment_at(3, 1_GiB)));
}

TEST_F(KeptRecordingTest, IsBounded) {
  const Observation seen = tests::sample_plan().observation;
  constexpr std::size_t kLimit = 4096;
  const Result<cgroup::Directory> folder = root_.open_below("var/lib");
  ASSERT_TRUE(folder);
  KeptRecording kept;
  ASSERT_TRUE(kept.open(*root_.open_below("var/lib"), "r", kLimit));
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(kept.add(moment_at(i, 1_GiB, i % 10 == 0 ? &seen : nullptr)));
  }
  std::size_t moments = 0;
  int last = -1;
  for (const char* name : {"r.1", "r"}) {
    std::ifstream file{tree_.path(std::string{"var/lib/"} + name), std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_LE(text.size(), kLimit);
    const Told told = told_by(text);
    ASSERT_FALSE(told.moments.empty());
    moments += told.moments.size();
    last = static_cast<int>((told.moments.back().since_boot - seconds{5000}) / seconds{1});
  }
  EXPECT_EQ(last, 1999);
  EXPECT_GT(moments, 50U);
}

TEST_F(KeptRecordingTest, IsBoundedWhereTheOlderFileCannotGo) {
  constexpr std::size_t kLimit = 4096;
  KeptRecording kept;
  ASSERT_TRUE(kept.open(*root_.open_below("var/lib"), "r", kLimit));
  tree_.directory("var/lib/r.1/x");
  int i = 0;
  while (kept.add(moment_at(i, 1_GiB))) {
    ASSERT_LT(++i, 1000);
  }
  for (int more = 0; more < 100; ++more) {
    const Result<void> added = kept.add(moment_at(i + more, 1_GiB));
    ASSERT_FALSE(added);
    ASSERT_THAT(to_text(added.error()), HasSubstr("var/lib/r.1: "));
    ASSERT_FALSE(added.error().remedy.empty());
  }
  EXPECT_LE(std::filesystem::file_size(tree_.path("var/lib/r")), kLimit);
  std::filesystem::remove_all(tree_.path("var/lib/r.1"));
  ASSERT_TRUE(kept.add(moment_at(2000, 2_GiB)));
  std::ifstream file{tree_.path("var/lib/r"), std::ios::binary};
  const Told told = told_by(std::string{std::istreambuf_iterator<char>{file}, {}});
  ASSERT_EQ(told.moments.size(), 1U);
  EXPECT_TRUE(same(told.moments[0], moment_at(2000, 2_GiB)));
}

TEST_F(KeptRecordingTest, IsBoundedWhereItBeginsAgainAndAgain) {
  constexpr std::size_t kLimit = 4096;
  for (int i = 0; i < 1000; ++i) {
    KeptRecording kept;
    ASSERT_TRUE(kept.open(*root_.open_below("var/lib"), "r", kLimit));
    ASSERT_LE(std::filesystem::file_size(tree_.path("var/lib/r")), kLimit);
  }
}

TEST_F(KeptRecordingTest, ReplacesNoOlderFileThatIsNoRecording) {
  constexpr std::size_t kLimit = 4096;
  const auto folder = [this] { return *root_.open_below("var/lib"); };
  for (const char* other : {"a report of mine", "evag of mine"}) {
    tree_.file("var/lib/r.1", other);
    const Result<void> opened = KeptRecording{}.open(folder(), "r", kLimit);
    ASSERT_FALSE(opened);
    EXPECT_THAT(to_text(opened.error()), HasSubstr("var/lib/r.1: it is no recording"));
    EXPECT_FALSE(std::filesystem::exists(tree_.path("var/lib/r")));
  }
  for (const char* ours : {"", "evagrec1 of an older version"}) {
    tree_.file("var/lib/r.1", ours);
    EXPECT_TRUE(KeptRecording{}.open(folder(), "r", kLimit));
  }
  KeptRecording kept;
  ASSERT_TRUE(kept.open(folder(), "r", kLimit));
  tree_.file("var/lib/r.1", "a report of mine");
  int i = 0;
  while (kept.add(moment_at(i, 1_GiB))) {
    ASSERT_LT(++i, 1000);
  }
  EXPECT_EQ(std::filesystem::file_size(tree_.path("var/lib/r.1")), 16U);
}

TEST_F(KeptRecordingTest, EachOfItsFilesBeginsWithWhatWasLearnedByThen) {
  constexpr std::size_t kLimit = 4096;
  GrowthHistory growth;
  KeptRecording kept{&growth};
  ASSERT_TRUE(kept.open(*root_.open_below("var/lib"), "r", kLimit));
  for (int i = 0; !std::filesystem::exists(tree_.path("var/lib/r.1")); ++i) {
    growth.see_node(seconds{i}, 4_GiB, 1_GiB);
    ASSERT_TRUE(kept.add(moment_at(i, 1_GiB)));
  }
  const auto of_node = [](const GrowthCheckpoint& known) {
    return known.falls.at(static_cast<std::size_t>(FallKind::kNodeLong)).watched;
  };
  const auto watched_before = [this, of_node](const std::string& name) {
    std::ifstream file{tree_.path("var/lib/" + name), std::ios::binary};
    const Told told = told_by(std::string{std::istreambuf_iterator<char>{file}, {}});
    return of_node(told.learned.at(0).value_or(GrowthCheckpoint{}));
  };
  EXPECT_EQ(watched_before("r.1"), seconds{0});
  EXPECT_EQ(watched_before("r"), of_node(growth.checkpoint()));
  EXPECT_GT(watched_before("r"), seconds{100});
}

// The file that follows would take from a replay what it learned from the one before.
TEST_F(KeptRecordingTest, WhatWasKnownAtFirstIsNotSaidAgain) {
  constexpr std::size_t kLimit = 4096;
  KeptRecording kept;
  ASSERT_TRUE(kept.open(*root_.open_below("var/lib"), "r", kLimit, checkpoint_of(4_GiB)));
  for (int i = 0; !std::filesystem::exists(tree_.path("var/lib/r.1")); ++i) {
    ASSERT_TRUE(kept.add(moment_at(i, 1_GiB)));
  }
  const auto learned = [this](const std::string& name) {
    std::ifstream file{tree_.path("var/lib/" + name), std::ios::binary};
    return told_by(std::string{std::istreambuf_iterator<char>{file}, {}}).learned.at(0);
  };
  EXPECT_EQ(learned("r.1"), checkpoint_of(4_GiB));
  EXPECT_EQ(learned("r"), std::nullopt);
}

TEST_F(KeptRecordingTest, AnOlderFileOfAnotherVersionDoesNotHideTheNewer) {
  RecordingWriter writer;
  tree_.file("r", writer.begin(true) + writer.add(moment_at(0, 1_GiB)))
      .file("r.1", "evagrec1 and what that version wrote");
  std::size_t moments = 0;
  const auto read = read_moments(tree_.path("r"), [&moments](const Moment&) { ++moments; });
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_EQ(moments, 1U);
  ASSERT_TRUE(*read);
  EXPECT_EQ((*read)->path, tree_.path("r.1"));
  EXPECT_THAT((*read)->what, HasSubstr("another version"));
}

// A crash came between the renaming and the next file.
TEST_F(KeptRecordingTest, AnOlderFileAloneIsRead) {
  RecordingWriter writer;
  tree_.file("r.1", writer.begin(true) + writer.add(moment_at(0, 1_GiB)));
  std::size_t moments = 0;
  const auto count = [&moments](const Moment&) { ++moments; };
  const auto read = read_moments(tree_.path("r"), count);
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_FALSE(*read);
  EXPECT_EQ(moments, 1U);
  const auto none = read_moments(tree_.path("s"), count);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().path, tree_.path("s"));
  tree_.file("s.1", "evagrec1");
  EXPECT_THAT(to_text(read_moments(tree_.path("s"), count).error()), HasSubstr("s.1: it is a rec"));
}

TEST_F(KeptRecordingTest, WhatIsWrongWithEitherFileIsTold) {
  RecordingWriter writer;
  const std::string text = writer.begin(true) + writer.add(moment_at(0, 1_GiB));
  tree_.file("r.1", text + record_of("L") + text.substr(kRecordingMagic.size()))
      .file("r", text.substr(0, text.size() - 1));
  const auto problem_of = [this] {
    const auto read = read_moments(tree_.path("r"), [](const Moment&) {});
    return !read ? read.error() : read->value_or(Error{});
  };
  EXPECT_EQ(problem_of().kind, ErrorKind::kMalformed);
  EXPECT_THAT(to_text(problem_of()),
              testing::AllOf(HasSubstr("/r.1: the record"), HasSubstr("/r: the record")));
  tree_.file("r.1", text.substr(0, text.size() - 1));
  EXPECT_EQ(problem_of().kind, ErrorKind::kAbsent) << "crashes cut off ends";
  tree_.file("r.1", "evagrec1").file("r", "evagrec2");
  EXPECT_THAT(to_text(problem_of()),
              testing::AllOf(HasSubstr("/r.1: it is a"), HasSubstr("/r: it is a")));
}

TEST_F(KeptRecordingTest, WhatIsNoneIsSetAsideOrLeftAlone) {
  tree_.file("var/lib/eviction-agent/recording.bin", "time,mem_available_bytes\n");
  KeptRecording own;
  const Result<void> opened = own.open(root_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(to_text(opened.error()), HasSubstr("recording.bin.corrupt"));
  EXPECT_TRUE(own.add(moment_at(0, 1_GiB))) << "and a new one is begun";
  EXPECT_EQ(told_by(content("recording.bin")).moments.size(), 1U);

  KeptRecording asked;
  ASSERT_FALSE(asked.open(
      *root_.open_below("var/lib/eviction-agent"), "recording.bin.corrupt", kRecordingFileLimit));
  EXPECT_EQ(content("recording.bin.corrupt"), "time,mem_available_bytes\n");
}

}  // namespace
}  // namespace eviction::agent
