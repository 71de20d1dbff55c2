// SPDX-License-Identifier: Apache-2.0
#include "agent/state_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr sys_seconds kNow{seconds{1'790'000'000}};

Record sample() {
  Record record;
  record.restarts = {kNow - seconds{3600}, kNow};
  record.failures = 2;
  record.last_failure = kNow;
  record.last_failure_reason = "the kubelet was not back";
  record.file = "/etc/x.conf";
  return record;
}

cgroup::Directory root_of(const tests::TemporaryTree& tree) {
  return *cgroup::Directory::open(tree.path());
}

/// What went, where all could.
std::vector<std::string> removed(const cgroup::Directory& root, bool daemon_runs) {
  const Removed done = remove_state(root, daemon_runs);
  EXPECT_THAT(done.problems, IsEmpty());
  return done.paths;
}

TEST(StateFile, ComesBackAsItWas) {
  tests::TemporaryTree tree;
  tree.directory("var/lib");
  const cgroup::Directory root = root_of(tree);
  EXPECT_EQ(load_record(root).record, Record{});
  ASSERT_TRUE(save_record(root, sample()));
  const LoadedRecord loaded = load_record(root);
  EXPECT_FALSE(loaded.problem);
  EXPECT_EQ(loaded.record, sample());
  tree.file("var/lib/eviction-agent/state.json.tmp", "half");  // of a write that was interrupted
  tree.file("var/lib/eviction-agent/incidents.jsonl", "{}\n");
  tree.file("var/lib/eviction-agent/incidents.jsonl.1", "{}\n");
  const std::string folder = tree.path("var/lib/eviction-agent");
  EXPECT_THAT(removed(root, false),
              ElementsAre(folder + "/state.json",
                          folder + "/incidents.jsonl",
                          folder + "/incidents.jsonl.1",
                          folder));
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_THAT(removed(root, false), IsEmpty());
}

TEST(StateFile, ARunningDaemonKeepsItsFolderAndWhatItHasOpen) {
  tests::TemporaryTree tree;
  tree.file("var/lib/eviction-agent/recording.bin", "x");
  const cgroup::Directory root = root_of(tree);
  ASSERT_TRUE(save_record(root, sample()));
  EXPECT_THAT(removed(root, true), SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(tree.path("var/lib/eviction-agent/recording.bin")));
  EXPECT_FALSE(std::filesystem::exists(tree.path("var/lib/eviction-agent/state.json")));
  std::filesystem::remove(tree.path("var/lib/eviction-agent/recording.bin"));
  EXPECT_THAT(removed(root, true), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(tree.path("var/lib/eviction-agent")));
}

TEST(StateFile, KeepsAFolderWithFilesOfOthers) {
  tests::TemporaryTree tree;
  tree.file("var/lib/eviction-agent/notes", "x");
  const cgroup::Directory root = root_of(tree);
  ASSERT_TRUE(save_record(root, sample()));
  EXPECT_THAT(removed(root, false), SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(tree.path("var/lib/eviction-agent/notes")));
  EXPECT_FALSE(std::filesystem::exists(tree.path("var/lib/eviction-agent/state.json")));
}

// The agent itself sets a folder aside that stands where its file should be.
TEST(StateFile, OneThatCannotBeRemovedCostsNoOther) {
  tests::TemporaryTree tree;
  tree.directory("var/lib/eviction-agent/state.json.corrupt");
  tree.file("var/lib/eviction-agent/growth.json.corrupt/notes", "x");
  tree.file("var/lib/eviction-agent/incidents.jsonl.tmp/notes", "x");
  tree.file("var/lib/eviction-agent/incidents.jsonl", "{}\n");
  tree.file("var/lib/eviction-agent/growth.json", "{}");
  tree.file("var/lib/eviction-agent/recording.bin", "x");
  const std::string folder = tree.path("var/lib/eviction-agent");
  const Removed done = remove_state(root_of(tree), false);
  EXPECT_THAT(
      done.paths,
      ElementsAre(
          folder + "/state.json.corrupt", folder + "/growth.json", folder + "/recording.bin"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/incidents.jsonl"));
  ASSERT_THAT(done.problems, SizeIs(2));
  EXPECT_EQ(to_text(done.problems[0]),
            folder +
                "/growth.json.corrupt: Is a directory; "
                "look at what is in it, then remove it");
  EXPECT_EQ(done.problems[1].path, folder + "/incidents.jsonl.tmp");
}

TEST(StateFile, SetsACorruptFileAside) {
  const std::string good = render_record(sample());
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::string> texts{"",
                                       "[]",
                                       good.substr(0, good.size() / 2),
                                       std::string(4096, '\0'),
                                       with("\"version\": 1", "\"version\": 2"),
                                       with("\"failures\": 2", "\"failures\": -1"),
                                       with("\"failures\": 2", "\"failures\": 1e30"),
                                       with("\"failures\": 2", "\"failures\": 2.5"),
                                       with("\"restarts\": [", "\"restarts\": [1e30,"),
                                       with("\"last_failure\": 1", "\"last_failure\": 1000000000"),
                                       with("\"last_failure\": 1", "\"last_failure\": -1"),
                                       with("\"restarts\": [", "\"restarts\": [\"x\","),
                                       with("\"/etc/x.conf\"", "\"x.conf\""),
                                       with("\"restarts\": [", "\"other\": [")};
  for (const std::string& text : texts) {
    SCOPED_TRACE(text);
    tests::TemporaryTree tree;
    tree.file("var/lib/eviction-agent/state.json", text);
    const LoadedRecord loaded = load_record(root_of(tree));
    EXPECT_EQ(loaded.record, Record{});
    ASSERT_TRUE(loaded.problem);
    EXPECT_THAT(to_text(*loaded.problem), HasSubstr("state.json.corrupt"));
    std::ifstream aside{tree.path("var/lib/eviction-agent/state.json.corrupt"), std::ios::binary};
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>{aside}, {}}), text);
    ASSERT_TRUE(save_record(root_of(tree), sample()));
    EXPECT_TRUE(load_record(root_of(tree)).problem) << "nobody has looked at it";
    EXPECT_EQ(load_record(root_of(tree)).record, sample());
    EXPECT_THAT(removed(root_of(tree), false), Not(IsEmpty()));
    EXPECT_FALSE(load_record(root_of(tree)).problem);
    EXPECT_FALSE(std::filesystem::exists(tree.path("var/lib/eviction-agent")));
  }
}

TEST(Record, BacksOffTwiceAsLongWithEachFailure) {
  Record record;
  EXPECT_EQ(restart_refused(record, kNow), "");
  count_failure(record, kNow, "no health");
  EXPECT_THAT(restart_refused(record, kNow + seconds{3599}), HasSubstr("no health"));
  EXPECT_EQ(restart_refused(record, kNow + seconds{3600}), "");
  count_failure(record, kNow, "again");
  EXPECT_NE(restart_refused(record, kNow + seconds{7199}), "");
  EXPECT_EQ(restart_refused(record, kNow + seconds{7200}), "");
  count_failure(record, kNow, "and again");
  EXPECT_THAT(restart_refused(record, kNow + std::chrono::hours{1000}), HasSubstr("quarantined"));
}

TEST(Record, AClockThatWasSetBackNeverLocksTheAgentForLong) {
  Record record;
  count_failure(record, kNow, "no health");
  EXPECT_EQ(restart_refused(record, kNow - std::chrono::hours{24 * 365}), "");
}

TEST(Record, CountsTheRestartsOfADay) {
  Record record;
  count_restart(record, kNow - std::chrono::hours{25});
  count_restart(record, kNow - std::chrono::hours{23});
  count_restart(record, kNow);
  EXPECT_EQ(restarts_within_a_day(record, kNow), 2);
  EXPECT_EQ(restarts_within_a_day(record, kNow + std::chrono::hours{24}), 0);
  EXPECT_EQ(record.restarts.size(), 2U) << "what is older is forgotten";
}

TEST(Record, RestartsOfTheFutureCountForADayFromNow) {
  Record record;
  const seconds years = std::chrono::hours{24 * 365 * 10};
  record.restarts = {kNow - seconds{60}, kNow + years};
  EXPECT_TRUE(leave_no_future(record, kNow));
  EXPECT_THAT(record.restarts, ElementsAre(kNow - seconds{60}, kNow));
  EXPECT_EQ(restarts_within_a_day(record, kNow), 2);
  EXPECT_EQ(restarts_within_a_day(record, kNow + std::chrono::hours{24}), 0);
  EXPECT_FALSE(leave_no_future(record, kNow));
}

}  // namespace
}  // namespace eviction::agent
