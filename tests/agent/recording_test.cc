// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/recording.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agent/growth_file.h"
#include "agent/recording/archive.h"
#include "agent/recording/command.h"
#include "agent/recording/kept_recording.h"
#include "systemd/event_loop.h"
#include "tests/agent/sample_plan.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;

/// What a recording tells, to be compared.
struct Told {
  std::vector<Moment> moments;
  std::vector<std::string> archives;  ///< empty: a cheap look
  std::vector<std::optional<GrowthCheckpoint>> learned;
};

Told told_by(std::string_view text) {
  Told told;
  const auto read = read_recording(text, [&told](const Moment& moment) {
    told.moments.push_back(moment);
    told.archives.push_back(moment.seen == nullptr ? "" : to_archive(*moment.seen));
    told.learned.push_back(moment.learned == nullptr ? std::nullopt
                                                     : std::optional{*moment.learned});
  });
  EXPECT_TRUE(read);
  return told;
}

bool same(const Moment& one, const Moment& other) {
  return one.at == other.at && one.since_boot == other.since_boot &&
         one.mem_total == other.mem_total && one.mem_available == other.mem_available;
}

Moment moment_at(int second, std::optional<Bytes> available, const Observation* seen = nullptr) {
  return {.at = sys_seconds{seconds{1'800'000'000 + second}},
          .since_boot = seconds{5000 + second},
          .mem_total = 4_GiB,
          .mem_available = available,
          .seen = seen};
}

TEST(Checksum, IsTheOneOfTheRfc) {
  EXPECT_EQ(checksum("123456789"), 0xe3069283U);
  EXPECT_EQ(checksum(std::string(32, '\0')), 0x8a9136aaU);
}

TEST(Recording, CutAnywhereItHasAllThatWasWholeBefore) {
  const Observation seen = tests::sample_plan().observation;
  Observation later = seen;
  later.pods[0].usage = 901_MiB;
  Observation grown = seen;
  grown.pods.push_back(tests::sample_pod("0004", "new"));
  RecordingWriter writer;
  std::string text = writer.begin(true);
  std::vector<std::size_t> ends;
  for (const Moment& moment : {moment_at(0, 1_GiB, &seen),
                               moment_at(1, 1_GiB - 4_MiB),
                               moment_at(2, std::nullopt),
                               moment_at(10, 900_MiB, &later),
                               moment_at(20, 900_MiB, &grown),
                               moment_at(30, 900_MiB, &grown)}) {
    text += writer.add(moment);
    ends.push_back(text.size());
  }
  EXPECT_LT(ends[3] - ends[2], 40U) << "a look with one number changed is short";
  const Told whole = told_by(text);
  ASSERT_EQ(whole.moments.size(), ends.size());
  for (std::size_t size = kRecordingMagic.size(); size < text.size(); ++size) {
    const Told part = told_by(std::string_view{text}.substr(0, size));
    const auto expected = static_cast<std::size_t>(
        std::ranges::count_if(ends, [size](std::size_t end) { return end <= size; }));
    ASSERT_EQ(part.moments.size(), expected) << size;
    EXPECT_TRUE(std::equal(part.archives.begin(), part.archives.end(), whole.archives.begin()));
  }
}

/// A record of that content, understood or not.
std::string record_of(const std::string& body) {
  std::string record = static_cast<char>(body.size()) + body;
  std::uint32_t sum = checksum(body);
  for (int i = 0; i < 4; ++i, sum >>= 8) {
    record += static_cast<char>(sum & 0xff);
  }
  return record;
}

TEST(Recording, EndsAtADamagedRecord) {
  RecordingWriter writer;
  std::string text = writer.begin(true);
  text += writer.add(moment_at(0, 1_GiB));
  const std::size_t good = text.size();
  text += writer.add(moment_at(1, 1_GiB));
  text[good + 3] = static_cast<char>(text[good + 3] ^ 1);
  const auto read = read_recording(text, [](const Moment&) {});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->moments, 1U);
  EXPECT_EQ(read->whole_bytes, good);
  ASSERT_TRUE(read->problem);
  EXPECT_THAT(read->problem->what, HasSubstr("damaged"));
}

TEST(Recording, TellsAnEndThatIsCutOffFromDamageThatHidesWhatFollows) {
  RecordingWriter writer;
  const std::string first = writer.begin(true) + writer.add(moment_at(0, 1_GiB));
  const std::string second = writer.add(moment_at(1, 1_GiB));
  const auto kind_of = [&first](const std::string& rest) {
    const auto read = read_recording(first + rest, [](const Moment&) {});
    EXPECT_TRUE(read && read->problem && read->whole_bytes == first.size());
    return read->problem.value_or(Error{}).kind;
  };
  const std::string zeros(4096, '\0');
  const std::string not_understood = record_of("L");
  std::string damaged = second;
  damaged[3] = static_cast<char>(damaged[3] ^ 1);
  EXPECT_EQ(kind_of(second.substr(0, second.size() - 1)), ErrorKind::kAbsent);
  EXPECT_EQ(kind_of(zeros), ErrorKind::kAbsent);
  EXPECT_EQ(kind_of(second.substr(0, 5) + zeros), ErrorKind::kAbsent);
  EXPECT_EQ(kind_of(not_understood), ErrorKind::kAbsent);
  EXPECT_EQ(kind_of(damaged), ErrorKind::kAbsent);
  EXPECT_EQ(kind_of(zeros + second), ErrorKind::kMalformed);
  EXPECT_EQ(kind_of(not_understood + second), ErrorKind::kMalformed);
  EXPECT_EQ(kind_of(damaged + second), ErrorKind::kMalformed);
  EXPECT_EQ(kind_of("\xff" + second.substr(1) + second), ErrorKind::kMalformed);
}

GrowthCheckpoint checkpoint_of(Bytes capacity) {
  GrowthCheckpoint checkpoint{.capacity = capacity, .vm_share_permyriad = 2500};
  checkpoint.falls[0] = {.watched = seconds{86'400}, .lost_kib = {{7, 4096}}};
  return checkpoint;
}

TEST(Recording, TellsWhatWasLearnedBeforeEachPartOfIt) {
  RecordingWriter writer;
  std::string text = writer.begin(true, checkpoint_of(4_GiB));
  text += writer.add(moment_at(0, 1_GiB));
  text += writer.add(moment_at(1, 1_GiB));
  text += writer.begin(false);
  text += writer.add(moment_at(100, 1_GiB));
  text += writer.begin(false, checkpoint_of(8_GiB));
  text += writer.add(moment_at(200, 1_GiB));
  EXPECT_THAT(
      told_by(text).learned,
      testing::ElementsAre(checkpoint_of(4_GiB), std::nullopt, std::nullopt, checkpoint_of(8_GiB)));
}

TEST(Recording, OfAnotherVersionOrNoneAtAllIsRefused) {
  const auto error_of = [](std::string_view text) {
    return read_recording(text, [](const Moment&) {}).error().what;
  };
  EXPECT_THAT(error_of("evagrec1"), HasSubstr("another version"));
  EXPECT_THAT(error_of(""), HasSubstr("no recording"));
  EXPECT_THAT(error_of("time,mem_available_bytes\n"), HasSubstr("no recording"));
}

RC_GTEST_PROP(RecordingProperty, TellsWhatItWasGiven, ()) {
  const Observation seen = tests::sample_plan().observation;
  RecordingWriter writer;
  std::string text = writer.begin(true);
  std::vector<Moment> given;
  std::vector<std::string> archives;
  const int count = *rc::gen::inRange(0, 12);
  for (int i = 0; i < count; ++i) {
    Observation now = seen;
    for (Pod& pod : now.pods) {
      pod.usage = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 45)};
      if (*rc::gen::inRange(0, 4) == 0) {
        pod.usage.reset();
      }
    }
    const bool full = *rc::gen::arbitrary<bool>();
    Moment moment{
        .at = sys_seconds{seconds{*rc::gen::inRange(0, 2'000'000'000)}},
        .since_boot = milliseconds{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40)},
        .mem_total = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50)},
        .mem_available = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50)},
        .seen = full ? &now : nullptr};
    if (*rc::gen::inRange(0, 8) == 0) {
      text += writer.begin(false);
    }
    text += writer.add(moment);
    archives.push_back(full ? to_archive(now) : "");
    moment.seen = nullptr;
    given.push_back(moment);
  }
  const Told told = told_by(text);
  RC_ASSERT(told.archives == archives);
  RC_ASSERT(std::equal(told.moments.begin(), told.moments.end(), given.begin(), given.end(), same));
}

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

class RecordTest : public testing::Test {
 protected:
  RecordTest() {
    tree_.directory("var/lib/eviction-agent");
    tree_.file("proc/meminfo",
               "MemTotal: 4194304 kB\nMemFree: 2097152 kB\nMemAvailable: 2097152 kB\n");
  }

  /// One full look.
  void record_once() {
    auto loop = systemd::EventLoop::create();
    ASSERT_TRUE(loop);
    const auto stop = loop->after(milliseconds{50}, [&loop] { loop->exit(0); });
    const auto moments = record(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()),
                                config::AgentConfig{},
                                {.file = tree_.path("r"), .duration = {}},
                                *loop);
    ASSERT_TRUE(moments) << to_text(moments.error());
    ASSERT_EQ(*moments, 1U);
  }

  [[nodiscard]] Told told() const {
    std::ifstream file{tree_.path("r"), std::ios::binary};
    return told_by(std::string{std::istreambuf_iterator<char>{file}, {}});
  }

  tests::TemporaryTree tree_;
};

TEST_F(RecordTest, BegunAgainItSaysNothingOfGrowthWhereNothingIsKnown) {
  record_once();
  record_once();
  EXPECT_THAT(told().learned, testing::ElementsAre(std::nullopt, std::nullopt));
}

TEST_F(RecordTest, LooksThatAreLostAreNoSuccess) {
  auto loop = systemd::EventLoop::create();
  ASSERT_TRUE(loop);
  const auto remove = loop->after(
      milliseconds{500}, [this] { EXPECT_TRUE(std::filesystem::remove(tree_.path("r"))); });
  const auto stop = loop->after(milliseconds{2500}, [&loop] { loop->exit(0); });
  const auto moments = record(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()),
                              config::AgentConfig{},
                              {.file = tree_.path("r"), .duration = {}},
                              *loop);
  ASSERT_FALSE(moments);
  EXPECT_THAT(to_text(moments.error()), HasSubstr("/r: it was removed"));
  EXPECT_EQ(told().moments.size(), 2U) << "those after it are kept";
}

TEST_F(RecordTest, WhatCannotBeReadIsAnError) {
  std::filesystem::remove(tree_.path("proc/meminfo"));
  auto loop = systemd::EventLoop::create();
  ASSERT_TRUE(loop);
  const auto stop = loop->after(milliseconds{3000}, [&loop] { loop->exit(0); });
  const auto moments = record(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()),
                              config::AgentConfig{},
                              {.file = tree_.path("r"), .duration = {}},
                              *loop);
  ASSERT_FALSE(moments);
  EXPECT_THAT(to_text(moments.error()), HasSubstr("proc/meminfo"));
}

TEST_F(RecordTest, BeginsWithWhatTheDaemonLearned) {
  tree_.file("var/lib/eviction-agent/growth.json", render_growth(checkpoint_of(4_GiB)));
  record_once();
  EXPECT_THAT(told().learned, testing::ElementsAre(checkpoint_of(4_GiB)));
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
