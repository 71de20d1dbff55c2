// SPDX-License-Identifier: Apache-2.0
#include "agent/transaction.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal_file.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kFile = "/etc/kubelet.conf.d/60-eviction-agent.conf";

/// How the node answers a change.
struct Behaviour {
  std::string name;
  bool comes_back = true;       ///< the kubelet, with the new file
  bool starts_bad_file = true;  ///< ... with the new file, without dying of it
  bool shows_value = true;      ///< the proof is found
  bool loses_pod = false;       ///< the restarted kubelet rejects a pod
  bool can_write = true;        ///< the target's file system takes the new content
  bool can_restart = true;      ///< the kubelet can be told
  std::optional<std::string> before = std::nullopt;
};

/// The agent was killed at this call.
struct Killed {};

/// A node whose time moves when it is told so. Like a disk, it keeps what was written when the
/// agent is killed; like a kubelet under RKE2, its kubelet is back 5 s after it ended.
class SimulatedNode : public TransactionNode {
 public:
  explicit SimulatedNode(Behaviour behaviour)
      : behaviour_{std::move(behaviour)}, file_{behaviour_.before}, in_force_{behaviour_.before} {}

  Facts look(const Journal& journal) override {
    Facts facts;
    facts.now = now_;
    facts.boot_id = boot_id_;
    facts.file_known = true;
    facts.file = file_;
    if (runs_) {
      facts.kubelet = KubeletRun{boot_id_, start_};
      facts.healthy = true;
    }
    const bool shown = in_force_ == journal.after && behaviour_.shows_value;
    facts.proof = {shown ? Proof::State::kInForce : Proof::State::kNotYet, "simulation", "seen"};
    if (pod_lost_) {
      facts.lost = journal.pods;
    }
    return facts;
  }

  Result<void> save(const Journal& journal) override {
    may_die();
    journal_ = render_journal(journal);
    may_die();
    return {};
  }

  Result<void> remove_journal(const std::string& /*file*/) override {
    may_die();
    journal_.reset();
    may_die();
    return {};
  }

  Result<void> write(const std::string& file, const std::optional<std::string>& content) override {
    EXPECT_EQ(file, kFile);
    may_die();
    if (content && content == after() && !behaviour_.can_write) {
      return tl::unexpected{Error{ErrorKind::kIo, file, 0, "No space left on device", {}}};
    }
    file_ = content;
    may_die();
    return {};
  }

  Result<void> restart_kubelet() override {
    may_die();
    if (!behaviour_.can_restart) {
      return tl::unexpected{Error{ErrorKind::kDenied, {}, 0, "no right to signal it", {}}};
    }
    ++restarts_;
    runs_ = false;
    back_at_ = now_ + seconds{5};
    may_die();
    return {};
  }

  void pass(seconds time) {
    for (seconds passed{}; passed < time; ++passed) {
      ++now_;
      if (!runs_ && now_ >= back_at_) {
        start_kubelet();
      }
    }
  }

  void power_cut() {
    boot_id_ += "'";
    now_ = seconds{20};
    runs_ = false;
    back_at_ = seconds{40};
  }

  /// The next calls up to the n-th succeed, and there the agent dies.
  void die_at(int call) { calls_until_death_ = call; }

  [[nodiscard]] bool dies() const { return calls_until_death_.has_value(); }

  static std::string after() { return "new"; }

  [[nodiscard]] Journal intent() const {
    Journal journal;
    journal.since = now_;
    journal.boot_id = boot_id_;
    journal.file = kFile;
    journal.before = behaviour_.before;
    journal.after = after();
    journal.kubelet = {boot_id_, start_};
    journal.pods = {"pod-1"};
    return journal;
  }

  [[nodiscard]] const std::optional<std::string>& journal() const { return journal_; }

  [[nodiscard]] const std::optional<std::string>& file() const { return file_; }

  [[nodiscard]] const std::optional<std::string>& in_force() const { return in_force_; }

  [[nodiscard]] bool runs() const { return runs_; }

  [[nodiscard]] int restarts() const { return restarts_; }

  void edit(const std::string& content) { file_ = content; }

 private:
  void may_die() {
    if (calls_until_death_ && (*calls_until_death_)-- == 0) {
      calls_until_death_.reset();
      throw Killed{};
    }
  }

  void start_kubelet() {
    const bool is_new = file_ == after();
    if (is_new && (!behaviour_.comes_back || !behaviour_.starts_bad_file)) {
      return;  // RKE2 tries again until it stays
    }
    runs_ = true;
    start_ += 100;
    in_force_ = file_;
    pod_lost_ = pod_lost_ || (is_new && behaviour_.loses_pod);
  }

  Behaviour behaviour_;
  seconds now_{1000};
  std::string boot_id_ = "boot";
  std::optional<std::string> journal_;
  std::optional<std::string> file_;
  std::optional<std::string> in_force_;
  bool runs_ = true;
  unsigned long long start_ = 5000;
  seconds back_at_{};
  bool pod_lost_ = false;
  int restarts_ = 0;
  std::optional<int> calls_until_death_;
};

struct Ending {
  Transaction::Outcome outcome = Transaction::Outcome::kRunning;
  std::string reason;
  seconds took{};
};

/// Advances every second for up to an hour.
Ending run(SimulatedNode& node, Transaction& transaction) {
  Ending ending;
  for (; ending.took < seconds{3600}; ++ending.took) {
    ending.outcome = transaction.advance();
    ending.reason = transaction.reason();
    if (ending.outcome != Transaction::Outcome::kRunning) {
      break;
    }
    node.pass(seconds{1});
  }
  return ending;
}

Ending run_new(SimulatedNode& node) {
  Transaction transaction{node, node.intent(), false};
  return run(node, transaction);
}

std::vector<Behaviour> behaviours() {
  std::vector<Behaviour> all;
  for (const std::optional<std::string>& before :
       {std::optional<std::string>{}, std::optional<std::string>{"old"}}) {
    const std::string suffix = before ? " over an old value" : "";
    all.push_back({.name = "good" + suffix, .before = before});
    all.push_back({.name = "not back" + suffix, .comes_back = false, .before = before});
    all.push_back({.name = "not shown" + suffix, .shows_value = false, .before = before});
    all.push_back({.name = "pod lost" + suffix, .loses_pod = true, .before = before});
    all.push_back({.name = "full disk" + suffix, .can_write = false, .before = before});
    all.push_back({.name = "no right" + suffix, .can_restart = false, .before = before});
  }
  return all;
}

bool should_commit(const Behaviour& behaviour) {
  return behaviour.comes_back && behaviour.shows_value && !behaviour.loses_pod &&
         behaviour.can_write && behaviour.can_restart;
}

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
  for (const Behaviour& behaviour : behaviours()) {
    if (should_commit(behaviour)) {
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

TEST(Transaction, NeverRestartsAKubeletWithoutAFileThatIsWritten) {
  SimulatedNode node{{.name = "full disk", .can_write = false}};
  const Ending ending = run_new(node);
  EXPECT_THAT(ending.reason, HasSubstr("No space left on device"));
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Transaction, IsPutBackWhenTheNodeSaysThatTheRestartFailed) {
  class FailedUnit : public SimulatedNode {
   public:
    using SimulatedNode::SimulatedNode;

    Facts look(const Journal& journal) override {
      Facts facts = SimulatedNode::look(journal);
      if (restarts() > 0 && journal.phase == Phase::kRestart) {
        facts.restart_impossible = "job failed";
      }
      return facts;
    }
  };

  FailedUnit node{{.name = "not back", .comes_back = false}};
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
  const Ending ending = run(node, transaction);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_EQ(node.file(), "an administrator's");
  EXPECT_THAT(ending.reason, HasSubstr("somebody else changed the file"));
}

TEST(Transaction, WithoutAJournalDoesNothing) {
  class FullDisk : public SimulatedNode {
   public:
    using SimulatedNode::SimulatedNode;

    Result<void> save(const Journal& journal) override {
      return tl::unexpected{Error{ErrorKind::kIo, journal_path(journal.file), 0, "full", {}}};
    }
  };

  FullDisk node{{.name = "good"}};
  Transaction transaction{node, node.intent(), false};
  EXPECT_EQ(run(node, transaction).outcome, Transaction::Outcome::kFailed);
  EXPECT_FALSE(transaction.begun());
  EXPECT_EQ(node.file(), std::nullopt);
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Transaction, RemovesAFileWhoseOldContentTheDiskDoesNotTake) {
  class FullDisk : public SimulatedNode {
   public:
    using SimulatedNode::SimulatedNode;

    Result<void> write(const std::string& file,
                       const std::optional<std::string>& content) override {
      if (content == "old") {
        return tl::unexpected{Error{ErrorKind::kIo, file, 0, "No space left on device", {}}};
      }
      return SimulatedNode::write(file, content);
    }
  };

  FullDisk node{{.name = "not back", .comes_back = false, .before = "old"}};
  const Ending ending = run_new(node);
  EXPECT_EQ(ending.outcome, Transaction::Outcome::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("No space left on device"));
  EXPECT_EQ(node.file(), std::nullopt);
  EXPECT_TRUE(node.runs());
  EXPECT_EQ(node.journal(), std::nullopt);
}

/// Its kubelet and its proof answer some seconds after they are first asked.
class SlowNode : public SimulatedNode {
 public:
  using SimulatedNode::SimulatedNode;

  Facts look(const Journal& journal) override {
    Facts facts = SimulatedNode::look(journal);
    asked_ = asked_.value_or(facts.now);
    if (facts.now < *asked_ + seconds{5}) {
      facts.healthy = false;
      facts.proof.state = Proof::State::kNotYet;
    }
    return facts;
  }

 private:
  std::optional<seconds> asked_;
};

TEST(Transaction, ThatIsTakenUpLateWaitsForAnswersBeforeItGivesUp) {
  for (const Phase phase : {Phase::kRestart, Phase::kProof, Phase::kWatch}) {
    SCOPED_TRACE(to_text(phase));
    SlowNode node{{.name = "good"}};
    Journal journal = node.intent();
    journal.phase = phase;
    ASSERT_TRUE(node.write(kFile, SimulatedNode::after()));
    ASSERT_TRUE(node.restart_kubelet());
    node.pass(seconds{300});
    Transaction transaction{node, journal, true};
    EXPECT_EQ(run(node, transaction).outcome, Transaction::Outcome::kCommitted);
    EXPECT_EQ(node.restarts(), 1);
  }
}

TEST(Transaction, PuttingBackDoesNotRestartAKubeletThatItHasNotSeenUnhealthyForLong) {
  SlowNode node{{.name = "good", .before = "old"}};
  Journal journal = node.intent();
  journal.phase = Phase::kPutBack;
  node.pass(seconds{100});
  Transaction transaction{node, journal, true};
  EXPECT_EQ(run(node, transaction).outcome, Transaction::Outcome::kFailed);
  EXPECT_EQ(node.restarts(), 0);
}

TEST(Transaction, PodsHaveTimeToComeBackAfterAPowerCut) {
  class BootingNode : public SimulatedNode {
   public:
    using SimulatedNode::SimulatedNode;

    Facts look(const Journal& journal) override {
      Facts facts = SimulatedNode::look(journal);
      if (facts.now < seconds{200}) {
        facts.lost = journal.pods;
      }
      return facts;
    }
  };

  BootingNode node{{.name = "good"}};
  Journal journal = node.intent();
  journal.phase = Phase::kRestart;
  ASSERT_TRUE(node.write(kFile, SimulatedNode::after()));
  node.power_cut();
  Transaction transaction{node, journal, true};
  EXPECT_EQ(run(node, transaction).outcome, Transaction::Outcome::kCommitted);
}

enum class Death { kKill, kPowerCut };

/// Runs until the agent dies at that call, or to the end. Whether it died.
bool run_until_death(SimulatedNode& node, int call) {
  node.die_at(call);
  try {
    static_cast<void>(run_new(node));
  } catch (const Killed&) {
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
  EXPECT_NE(run(node, transaction).outcome, Transaction::Outcome::kRunning);
}

/// The file has its old content or its new one, the kubelet runs, no journal waits, and it was
/// restarted at most twice more.
void expect_whole(const SimulatedNode& node, const Behaviour& behaviour, Death death) {
  EXPECT_TRUE(node.file() == behaviour.before || node.file() == SimulatedNode::after());
  EXPECT_TRUE(node.runs());
  EXPECT_LE(node.restarts(), 3);
  const bool power_cut_restarted_it = death == Death::kPowerCut && !behaviour.can_restart;
  if (!should_commit(behaviour) && !power_cut_restarted_it) {
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

TEST(Transaction, IsFinishedOrUndoneByTheNextAgent) {
  for (const Behaviour& behaviour : behaviours()) {
    EXPECT_GE(die_everywhere(behaviour, Death::kKill), 4) << behaviour.name;
    EXPECT_GE(die_everywhere(behaviour, Death::kPowerCut), 4) << behaviour.name;
  }
}

TEST(JournalFile, ComesBackAsItWas) {
  Journal journal = SimulatedNode{{.name = "good", .before = "a\n\"b\"\xc3\xa9"}}.intent();
  journal.phase = Phase::kPutBack;
  journal.failure = "because";
  journal.restarted_again = true;
  const Result<Journal> again = parse_journal(render_journal(journal), "j");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, journal);
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
                                       with("\"before\": null", "\"before\": 1"),
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
