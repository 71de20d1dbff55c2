// SPDX-License-Identifier: Apache-2.0
// A transaction that an agent takes up which did not begin it.
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "agent/transaction.h"
#include "tests/agent/simulated_node.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using tests::Behaviour;
using tests::run_new;
using tests::SimulatedNode;

/// The kubelet and the proof answer some seconds after they are first asked.
auto slow_answers() {
  return [asked = std::optional<seconds>{}](const Journal&, Facts& facts) mutable {
    asked = asked.value_or(facts.now);
    if (facts.now < *asked + seconds{5}) {
      facts.healthy = false;
      facts.proof.state = Proof::State::kNotYet;
    }
  };
}

TEST(ResumedTransaction, WaitsForAnswersBeforeItGivesUp) {
  for (const Phase phase : {Phase::kRestart, Phase::kProof, Phase::kWatch}) {
    SCOPED_TRACE(to_text(phase));
    SimulatedNode node{{.name = "good"}};
    node.show(slow_answers());
    Journal journal = node.intent();
    journal.phase = phase;
    ASSERT_TRUE(node.write(tests::kFile, SimulatedNode::after()));
    ASSERT_TRUE(node.restart_kubelet());
    node.pass(seconds{300});
    Transaction transaction{node, journal, true};
    EXPECT_EQ(tests::run(node, transaction).outcome, Transaction::Outcome::kCommitted);
    EXPECT_EQ(node.restarts(), 1);
  }
}

TEST(ResumedTransaction, PuttingBackDoesNotRestartAKubeletThatItHasNotSeenUnhealthyForLong) {
  SimulatedNode node{{.name = "good", .before = "old"}};
  node.show(slow_answers());
  Journal journal = node.intent();
  journal.phase = Phase::kPutBack;
  node.pass(seconds{100});
  Transaction transaction{node, journal, true};
  EXPECT_EQ(tests::run(node, transaction).outcome, Transaction::Outcome::kFailed);
  EXPECT_EQ(node.restarts(), 0);
}

TEST(ResumedTransaction, PodsHaveTimeToComeBackAfterAPowerCut) {
  SimulatedNode node{{.name = "good"}};
  node.show([](const Journal& journal, Facts& facts) {
    if (facts.now < seconds{200}) {
      facts.lost = journal.pods;
    }
  });
  Journal journal = node.intent();
  journal.phase = Phase::kRestart;
  ASSERT_TRUE(node.write(tests::kFile, SimulatedNode::after()));
  node.power_cut();
  Transaction transaction{node, journal, true};
  EXPECT_EQ(tests::run(node, transaction).outcome, Transaction::Outcome::kCommitted);
}

// An agent may put the file back, not get that into its journal on a full disk, and die.
TEST(ResumedTransaction, IsNotCommittedWithoutItsFile) {
  for (const Phase phase : {Phase::kRestart, Phase::kProof, Phase::kWatch}) {
    for (const char* const content : {"old", "somebody else's"}) {
      SCOPED_TRACE(std::string{to_text(phase)} + ", " + content);
      SimulatedNode node{{.name = "good", .before = "old"}};
      Journal journal = node.intent();
      journal.phase = phase;
      ASSERT_TRUE(node.write(tests::kFile, SimulatedNode::after()));
      ASSERT_TRUE(node.restart_kubelet());
      node.pass(seconds{300});
      node.edit(content);
      ASSERT_EQ(node.in_force(), SimulatedNode::after());
      Transaction transaction{node, journal, true};
      EXPECT_EQ(tests::run(node, transaction).outcome, Transaction::Outcome::kFailed);
      EXPECT_EQ(node.file(), content);
      EXPECT_EQ(node.restarts(), 1);
    }
  }
}

enum class Death { kKill, kPowerCut };

/// Runs until the agent dies at that call, or to the end. Whether it died.
bool run_until_death(SimulatedNode& node, int call) {
  node.die_at(call);
  try {
    static_cast<void>(run_new(node));
  } catch (const tests::Killed&) {
    return true;
  }
  return false;
}

/// What the next agent does with what the dead one left.
void finish_or_undo(SimulatedNode& node) {
  if (!node.journal()) {
    return;
  }
  const Result<Journal> left = parse_journal(*node.journal(), "journal");
  ASSERT_TRUE(left) << to_text(left.error());
  if (left->phase == Phase::kCommitted) {
    return;
  }
  Transaction transaction{node, *left, true};
  EXPECT_NE(tests::run(node, transaction).outcome, Transaction::Outcome::kRunning);
}

/// The file has its old content or its new one, the kubelet runs, no journal waits, and it was
/// restarted at most twice more.
void expect_whole(const SimulatedNode& node, const Behaviour& behaviour, Death death) {
  EXPECT_TRUE(node.file() == behaviour.before || node.file() == SimulatedNode::after());
  EXPECT_TRUE(node.runs());
  EXPECT_LE(node.restarts(), 3);
  const bool power_cut_restarted_it = death == Death::kPowerCut && !behaviour.can_restart;
  if (!tests::should_commit(behaviour) && !power_cut_restarted_it) {
    EXPECT_EQ(node.file(), behaviour.before);
  }
  if (node.journal()) {
    EXPECT_EQ(parse_journal(*node.journal(), "journal")->phase, Phase::kCommitted);
  } else {
    EXPECT_EQ(node.file(), behaviour.before);
  }
}

/// Lets the agent die at each of its calls in turn. How many it has.
int die_everywhere(const Behaviour& behaviour, Death death) {
  constexpr int kMostCalls = 60;
  for (int call = 0; call < kMostCalls; ++call) {
    SCOPED_TRACE(behaviour.name + (death == Death::kKill ? ", killed" : ", power cut") +
                 " at call " + std::to_string(call));
    SimulatedNode node{behaviour};
    if (!run_until_death(node, call)) {
      return call;
    }
    if (death == Death::kPowerCut) {
      node.power_cut();
    }
    node.pass(seconds{3});
    finish_or_undo(node);
    node.pass(seconds{60});
    expect_whole(node, behaviour, death);
  }
  return kMostCalls;
}

TEST(ResumedTransaction, IsFinishedOrUndoneByTheNextAgent) {
  for (const Behaviour& behaviour : tests::behaviours()) {
    EXPECT_GE(die_everywhere(behaviour, Death::kKill), 4) << behaviour.name;
    EXPECT_GE(die_everywhere(behaviour, Death::kPowerCut), 4) << behaviour.name;
  }
}

}  // namespace
}  // namespace eviction::agent
