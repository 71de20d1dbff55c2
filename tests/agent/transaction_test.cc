// SPDX-License-Identifier: Apache-2.0
#include "agent/transaction.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "tests/agent/simulated_node.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using tests::Behaviour;
using tests::Ending;
using tests::run_new;
using tests::SimulatedNode;

TEST(Transaction, CommitsAValueThatHoldsAndLosesNothing) {
  SimulatedNode node{{.name = "good"}};
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kCommitted);
  EXPECT_EQ(node.in_force(), SimulatedNode::after());
  EXPECT_EQ(node.restarts(), 1);
  EXPECT_GE(ending.took, seconds{120});
  ASSERT_TRUE(node.journal());
  EXPECT_EQ(parse_journal(*node.journal(), "j")->phase, Phase::kCommitted);
}

TEST(Transaction, IsPutBackWhereItFails) {
  for (const Behaviour& behaviour : tests::behaviours()) {
    if (tests::should_commit(behaviour)) {
      continue;
    }
    SCOPED_TRACE(behaviour.name);
    SimulatedNode node{behaviour};
    const Ending ending = run_new(node);
    EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
    EXPECT_EQ(node.file(), behaviour.before);
    EXPECT_TRUE(node.runs());
    EXPECT_LE(node.restarts(), 1);
    EXPECT_EQ(node.journal().has_value(), behaviour.before.has_value());
  }
}

TEST(Transaction, IsPutBackAndHealthyWithinTwoMinutesWhenTheKubeletDoesNotComeBack) {
  SimulatedNode node{{.name = "not back", .comes_back = false}};
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("not back and healthy after 60 s"));
  EXPECT_LT(ending.took, seconds{120});
}

// RKE2 and k3s import image tarballs before they start the kubelet.
TEST(Transaction, WaitsForAServiceThatTakesMinutesToStart) {
  SimulatedNode node{{.name = "imports", .imports = seconds{240}}};
  EXPECT_EQ(run_new(node).outcome, Transaction::Outcome::kCommitted);
  EXPECT_EQ(node.in_force(), SimulatedNode::after());
  EXPECT_EQ(node.restarts(), 1);
}

TEST(Transaction, RestartsNoServiceThatIsStillStarting) {
  for (const std::optional<std::string>& before :
       {std::optional<std::string>{}, std::optional<std::string>{"old"}}) {
    SimulatedNode node{{.name = "imports", .imports = seconds{800}, .before = before}};
    // k3s is the kubelet, as far as it shows from outside.
    node.show([&node](const Journal&, Facts& facts) {
      if (!node.runs()) {
        facts.kubelet = KubeletRun{facts.boot_id, 5050};
      }
    });
    const Ending ending = run_new(node);
    EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
    EXPECT_THAT(ending.reason, HasSubstr("not back and healthy after 300 s"));
    EXPECT_EQ(node.restarts(), 1);
    EXPECT_EQ(node.file(), before);
    node.pass(seconds{800});
    EXPECT_EQ(node.in_force(), SimulatedNode::after());
    ASSERT_TRUE(node.journal()) << "the kubelet's value would be taken for somebody else's";
    EXPECT_EQ(parse_journal(*node.journal(), "j")->after, SimulatedNode::after());
    EXPECT_EQ(parse_journal(*node.journal(), "j")->phase, Phase::kCommitted);
  }
}

// RKE2 starts its kubelet again and again with the arguments that it read itself.
TEST(Transaction, RestartsAServiceWhoseKubeletDoesNotStayWithItsArguments) {
  SimulatedNode node{{.name = "imports", .imports = seconds{20}}};
  node.show([&node](const Journal&, Facts& facts) {
    if (node.in_force() == SimulatedNode::after() && facts.kubelet) {
      facts.kubelet->start += static_cast<unsigned long long>(facts.now.count());
      facts.healthy = false;
    }
  });
  EXPECT_EQ(run_new(node).outcome, Transaction::Outcome::kFailed);
  EXPECT_EQ(node.restarts(), 2);
  EXPECT_EQ(node.in_force(), std::nullopt);
}

TEST(Transaction, IsNotCommittedWhileItCannotBeKnownWhetherPodsRun) {
  SimulatedNode node{{.name = "good"}};
  node.show([](const Journal&, Facts& facts) { facts.lost.reset(); });
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("whether the pods that ran before run cannot be known"));
  EXPECT_EQ(node.file(), std::nullopt);

  SimulatedNode late{{.name = "good"}};
  late.show([](const Journal&, Facts& facts) {
    if (facts.now < seconds{1200}) {
      facts.lost.reset();
    }
  });
  EXPECT_EQ(run_new(late).outcome, Transaction::Outcome::kCommitted);
}

/// Lets the kubelet crash this often while it is watched, each time so long after it came back.
Ending run_with_crashes(SimulatedNode& node, int crashes, seconds each) {
  node.show([&node, crashes, each](const Journal& journal, Facts& facts) mutable {
    if (journal.phase == Phase::kWatch && facts.kubelet && facts.kubelet_age >= each &&
        crashes-- > 0) {
      node.crash();
    }
  });
  return run_new(node);
}

TEST(Transaction, IsNotCommittedWithAKubeletThatCrashesAgainAndAgain) {
  for (const seconds each : {seconds{1}, seconds{3}, seconds{100}}) {
    SCOPED_TRACE(each.count());
    SimulatedNode node{{.name = "good"}};
    const Ending ending = run_with_crashes(node, 1000, each);
    EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed) << ending.reason;
    EXPECT_EQ(node.file(), std::nullopt);
  }
}

TEST(Transaction, WatchesAKubeletThatCrashedOnceAllTheTimeAfterThat) {
  SimulatedNode node{{.name = "good"}};
  const Ending ending = run_with_crashes(node, 1, seconds{60});
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kCommitted) << ending.reason;
  EXPECT_GE(ending.took, seconds{60 + 120});
}

TEST(Transaction, NeverRestartsAKubeletWithoutAFileThatIsWritten) {
  SimulatedNode node{{.name = "full disk", .can_write = false}};
  const Ending ending = run_new(node);
  EXPECT_THAT(ending.reason, HasSubstr("No space left on device"));
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Transaction, IsPutBackWhenTheNodeSaysThatTheRestartFailed) {
  SimulatedNode node{{.name = "not back", .comes_back = false}};
  node.show([&node](const Journal& journal, Facts& facts) {
    if (node.restarts() > 0 && journal.phase == Phase::kRestart) {
      facts.restart_impossible = "job failed";
    }
  });
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("job failed"));
  EXPECT_LT(ending.took, seconds{30});
}

TEST(Transaction, LeavesAFileThatSomebodyElseChanged) {
  SimulatedNode node{{.name = "not shown", .shows_value = false}};
  Transaction transaction{node, node.intent(), false};
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(transaction.advance(), Transaction::Outcome::kRunning);
    node.pass(seconds{1});
  }
  node.edit("an administrator's");
  const Ending ending = tests::run(node, transaction);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_EQ(node.file(), "an administrator's");
  EXPECT_THAT(ending.reason, HasSubstr("somebody else changed the file"));
}

TEST(Transaction, WithoutAJournalDoesNothing) {
  SimulatedNode node{{.name = "good", .can_save = false}};
  Transaction transaction{node, node.intent(), false};
  EXPECT_EQ(tests::run(node, transaction).outcome, Transaction::Outcome::kFailed);
  EXPECT_FALSE(transaction.begun());
  EXPECT_EQ(node.file(), std::nullopt);
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Transaction, IsPutBackWhenItsJournalCanNoMoreBeWritten) {
  for (const Phase phase : {Phase::kRestart, Phase::kWatch}) {
    SCOPED_TRACE(to_text(phase));
    SimulatedNode node{{.name = "good"}};
    Transaction transaction{node, node.intent(), false};
    while (transaction.journal().phase != phase) {
      ASSERT_EQ(transaction.advance(), Transaction::Outcome::kRunning);
      node.pass(seconds{1});
    }
    node.fill_disk();
    const Ending ending = tests::run(node, transaction);
    EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
    EXPECT_THAT(ending.reason, HasSubstr("the journal could not be written for 30 s"));
    EXPECT_LT(ending.took, seconds{200});
    EXPECT_EQ(node.file(), std::nullopt);
    EXPECT_EQ(node.journal(), std::nullopt);
    EXPECT_EQ(node.restarts(), 1);
  }
}

TEST(Transaction, RemovesAFileWhoseOldContentTheDiskDoesNotTake) {
  SimulatedNode node{
      {.name = "full disk", .comes_back = false, .can_put_back = false, .before = "old"}};
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("No space left on device"));
  EXPECT_EQ(node.file(), std::nullopt);
  EXPECT_TRUE(node.runs());
  EXPECT_EQ(node.journal(), std::nullopt);
}

}  // namespace
}  // namespace eviction::agent
