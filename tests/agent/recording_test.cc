// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/recording.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agent/recording/archive.h"
#include "tests/agent/sample_plan.h"
#include "tests/agent/told.h"

namespace eviction::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using tests::checkpoint_of;
using tests::moment_at;
using tests::record_of;
using tests::same;
using tests::Told;
using tests::told_by;

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

}  // namespace
}  // namespace eviction::agent
