// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_log.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "agent/incident_json.h"
#include "agent/state_file.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::ElementsAre;

Incident incident_at(int second, std::string what) {
  return {.at = sys_seconds{seconds{second}},
          .kind = IncidentKind::kOomKill,
          .cause = IncidentCause::kNode,
          .source = "kernel log",
          .what = std::move(what),
          .prevention = "a threshold"};
}

class IncidentLogTest : public testing::Test {
 protected:
  void append(const Incident& incident) {
    std::vector<std::string> lines{render_incident(incident)};
    const auto kept = append_incidents(root_, lines);
    ASSERT_TRUE(kept) << to_text(kept.error());
    EXPECT_TRUE(lines.empty());
  }

  [[nodiscard]] std::vector<std::string> loaded(sys_seconds since = {}) const {
    const auto log = load_incidents(root_, since);
    EXPECT_TRUE(log);
    std::vector<std::string> what;
    for (const auto& incident : log->incidents) {
      what.push_back(incident.at("what"));
    }
    return what;
  }

  [[nodiscard]] std::string path(const std::string& suffix = {}) const {
    return tree_.path() + std::string{kStateFolder} + '/' + std::string{kIncidentFile} + suffix;
  }

  void SetUp() override { tree_.directory("var/lib"); }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
};

TEST_F(IncidentLogTest, KeepsRecordsInTheirOrder) {
  EXPECT_THAT(loaded(), ElementsAre());
  append(incident_at(5, "a"));
  append(incident_at(3, "b"));
  append(incident_at(9, "c"));
  EXPECT_THAT(loaded(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(loaded(sys_seconds{seconds{5}}), ElementsAre("a", "c"));
  struct stat status = {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(IncidentLogTest, EndsWhatAPowerCutLeft) {
  append(incident_at(1, "a"));
  { std::ofstream{path(), std::ios::app} << "{\"time\":\"2026-"; }
  append(incident_at(2, "b"));
  EXPECT_THAT(loaded(), ElementsAre("a", "b"));
  EXPECT_EQ(load_incidents(root_, {})->unreadable, 1U);
}

TEST_F(IncidentLogTest, StaysWithinItsLimit) {
  const std::string long_text(7000, 'x');
  std::size_t largest = 0;
  for (int i = 0; i < 300; ++i) {
    append(incident_at(i, std::to_string(i) + long_text));
    const std::size_t older =
        std::filesystem::exists(path(".1")) ? std::filesystem::file_size(path(".1")) : 0;
    largest = std::max(largest, older + std::filesystem::file_size(path()));
  }
  EXPECT_LE(largest, 2 * kIncidentFileLimit);
  EXPECT_GT(largest, kIncidentFileLimit);
  const auto kept = loaded();
  EXPECT_GT(kept.size(), 70U);
  EXPECT_EQ(kept.back(), "299" + long_text);
}

TEST_F(IncidentLogTest, StaysWithinItsLimitWhateverComesAtOnce) {
  std::vector<std::string> lines(2000, render_incident(incident_at(0, std::string(900, 'x'))));
  ASSERT_TRUE(append_incidents(root_, lines));
  EXPECT_LE(std::filesystem::file_size(path()), kIncidentFileLimit);
  EXPECT_LE(std::filesystem::file_size(path(".1")), kIncidentFileLimit);
  EXPECT_GT(loaded().size(), 600U);
}

TEST_F(IncidentLogTest, ShowsTheLastThousand) {
  std::vector<std::string> lines;
  lines.reserve(1500);
  for (int i = 0; i < 1500; ++i) {
    lines.push_back(render_incident(incident_at(i, std::to_string(i))));
  }
  ASSERT_TRUE(append_incidents(root_, lines));
  const auto kept = loaded();
  ASSERT_EQ(kept.size(), kMostIncidents);
  EXPECT_EQ(kept.front(), "500");
  EXPECT_EQ(kept.back(), "1499");
}

TEST_F(IncidentLogTest, FollowsNoLinkAndTakesNoFifo) {
  std::filesystem::create_directories(tree_.path() + std::string{kStateFolder});
  tree_.file("secret", "mine");
  std::filesystem::create_symlink(tree_.path("secret"), path());
  std::vector<std::string> lines{"x\n"};
  EXPECT_FALSE(append_incidents(root_, lines));
  std::filesystem::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const auto kept = append_incidents(root_, lines);
  ASSERT_FALSE(kept);
  EXPECT_EQ(lines.size(), 1U) << "to be tried again";
  EXPECT_EQ(kept.error().kind, ErrorKind::kMalformed);
  std::ifstream file{tree_.path("secret")};
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>{file}, {}), "mine");
}

TEST(IncidentJson, ShowsWhatIsNotKnown) {
  Incident incident = incident_at(0, "the kernel killed a\x1b[2J");
  incident.victim = Victim{};
  incident.victim->process = "a\nb\xff";
  const auto json = to_json(incident);
  EXPECT_EQ(json["time"], "1970-01-01T00:00:00Z");
  EXPECT_TRUE(json["victim"]["uid"].is_null());
  EXPECT_EQ(json["victim"]["uid_absent"], "it was in no pod");
  EXPECT_TRUE(json["victim"]["limit_bytes"].is_null());
  EXPECT_EQ(json["victim"]["process"], "a b?");
  EXPECT_TRUE(json["limit"].is_null());
  EXPECT_EQ(json["what"].get<std::string>().find('\x1b'), std::string::npos);
  ASSERT_TRUE(parse_incident(render_incident(incident)));
}

TEST(IncidentJson, HasFieldsForTheJournal) {
  Incident incident = incident_at(0, "w");
  incident.victim = Victim{};
  incident.victim->uid = "u";
  incident.victim->workload = WorkloadClass::kVm;
  incident.limit = ReachedLimit{.cgroup = "/kubepods", .bytes = Bytes{7}, .usage = {}};
  std::string all;
  for (const auto& field : journal_fields(incident)) {
    all += field.name + '=' + field.value + '\n';
  }
  EXPECT_EQ(all,
            "EVICTION_AGENT_KIND=oom-kill\nEVICTION_AGENT_CAUSE=node\n"
            "EVICTION_AGENT_SOURCE=kernel log\nEVICTION_AGENT_TIME=1970-01-01T00:00:00Z\n"
            "EVICTION_AGENT_PREVENTION=a threshold\nPOD_UID=u\nPOD_CLASS=vm\n"
            "LIMIT_CGROUP=/kubepods\nLIMIT_BYTES=7\n");
}

TEST(IncidentJson, PrintsATable) {
  EXPECT_EQ(incidents_table({}), "no incidents\n");
  EXPECT_EQ(incidents_table({to_json(incident_at(0, "the kernel killed a"))}),
            "1970-01-01T00:00:00Z  node             the kernel killed a\n"
            "                                    -> a threshold\n");
}

TEST(IncidentJson, RefusesWhatIsNoRecord) {
  for (const std::string line : {"",
                                 "{}",
                                 "[]",
                                 "null",
                                 R"({"time": 5, "kind": "a", "cause": "b"})",
                                 R"({"time": "now", "kind": "a", "cause": "b"})",
                                 R"({"time": "2026-11-22T12:00:00Z", "kind": "a"})",
                                 R"({"time": "2026-11-22T12:00:00Z", "kind": "a", "cause": [)"}) {
    EXPECT_FALSE(parse_incident(line)) << line;
  }
}

RC_GTEST_PROP(IncidentJson, IsAlwaysOneLine, (const std::string& what, const std::string& name)) {
  Incident incident = incident_at(1, what);
  incident.victim = Victim{};
  incident.victim->name = name;
  incident.victim->process = name;
  const std::string line = render_incident(incident);
  RC_ASSERT(line.find('\n') == line.size() - 1);
  RC_ASSERT(parse_incident(line).has_value());
}

}  // namespace
}  // namespace eviction::agent
