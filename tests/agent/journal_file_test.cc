// SPDX-License-Identifier: Apache-2.0
#include "agent/journal_file.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/simulated_node.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;
using tests::SimulatedNode;

TEST(JournalFile, ComesBackAsItWas) {
  Journal journal = SimulatedNode{{.name = "good", .before = "a\n\"b\"\xc3\xa9"}}.intent();
  journal.phase = Phase::kPutBack;
  journal.failure = "because";
  journal.restarted_again = true;
  journal.proven = KubeletRun{"boot", 7};
  journal.withdrawn = true;
  journal.whole_service = true;
  const Result<Journal> again = parse_journal(render_journal(journal), "j");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, journal);
}

TEST(JournalFile, MayLackWhetherAWholeServiceRestarts) {
  std::string text = render_journal(SimulatedNode{{.name = "good"}}.intent());
  const std::string line = "  \"whole_service\": false,\n";
  ASSERT_NE(text.find(line), std::string::npos) << text;
  text.erase(text.find(line), line.size());
  const Result<Journal> journal = parse_journal(text, "j");
  ASSERT_TRUE(journal);
  EXPECT_FALSE(journal->whole_service);
}

TEST(JournalFile, RefusesWhatIsNone) {
  const std::string good = render_journal(SimulatedNode{{.name = "good"}}.intent());
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::string> texts{"",
                                       "{}",
                                       "[]",
                                       good.substr(0, good.size() / 2),
                                       std::string(200, '\0'),
                                       with("\"version\": 1", "\"version\": 2"),
                                       with("\"write\"", "\"later\""),
                                       with("\"pod-1\"", "7"),
                                       with("\"whole_service\": false", "\"whole_service\": 0"),
                                       with("\"before\": null", "\"before\": 1"),
                                       with("\"proven\": null", "\"proven\": \"now\""),
                                       good + good};
  for (const std::string& text : texts) {
    const Result<Journal> journal = parse_journal(text, "/x/60-eviction-agent.conf.journal");
    ASSERT_FALSE(journal) << text;
    EXPECT_EQ(journal.error().kind, ErrorKind::kMalformed);
    EXPECT_THAT(to_text(journal.error()), HasSubstr("/x/60-eviction-agent.conf.journal"));
  }
}

}  // namespace
}  // namespace eviction::agent
