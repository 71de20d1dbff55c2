// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/journal_file.h"
#include "agent/transaction.h"

namespace eviction::agent::tests {

inline constexpr const char* kFile = "/etc/kubelet.conf.d/60-eviction-agent.conf";

/// How the node answers a change.
struct Behaviour {
  std::string name;
  bool comes_back = true;    ///< the kubelet, with the new file
  bool shows_value = true;   ///< the proof is found
  bool loses_pod = false;    ///< the restarted kubelet rejects a pod
  bool can_write = true;     ///< the target's file system takes the new content
  bool can_put_back = true;  ///< ... and the old content again
  bool can_save = true;      ///< the journal's file system takes it
  bool can_restart = true;   ///< the kubelet can be told
  /// It restarts with its supervisor, which reads the file when it starts, and then this later.
  std::optional<std::chrono::seconds> imports = std::nullopt;
  std::optional<std::string> before = std::nullopt;
};

/// The agent was killed at this call.
struct Killed {};

/// A node whose time moves when it is told so. Like a disk, it keeps what was written when the
/// agent is killed; like a kubelet under RKE2, its kubelet is back 5 s after it ended.
class SimulatedNode final : public TransactionNode {
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
      facts.kubelet_age = now_ - started_at_;
      facts.healthy = true;
    }
    facts.restart_pending = behaviour_.imports && !runs_;
    const bool shown = in_force_ == journal.after && behaviour_.shows_value;
    facts.proof = {shown ? Proof::State::kInForce : Proof::State::kNotYet, "simulation", "seen"};
    facts.lost = pod_lost_ ? journal.pods : std::vector<std::string>{};
    if (also_) {
      also_(journal, facts);
    }
    return facts;
  }

  Result<void> save(const Journal& journal) override {
    may_die();
    if (!behaviour_.can_save || disk_full_) {
      return tl::unexpected{Error{ErrorKind::kIo, journal_path(kFile), 0, "full", {}}};
    }
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
    const bool full = content == after() ? !behaviour_.can_write : !behaviour_.can_put_back;
    if (content && (full || disk_full_)) {
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
    read_at_ = now_ + std::chrono::seconds{5};
    back_at_ = read_at_ + behaviour_.imports.value_or(std::chrono::seconds{});
    may_die();
    return {};
  }

  void pass(std::chrono::seconds time) {
    for (std::chrono::seconds passed{}; passed < time; ++passed) {
      ++now_;
      if (now_ == read_at_) {
        arguments_ = file_;
      }
      if (!runs_ && now_ >= back_at_) {
        start_kubelet();
      }
    }
  }

  void power_cut() {
    boot_id_ += "'";
    now_ = std::chrono::seconds{20};
    runs_ = false;
    back_at_ = std::chrono::seconds{40};
  }

  void fill_disk() { disk_full_ = true; }

  /// What each look shows besides.
  void show(std::function<void(const Journal&, Facts&)> also) { also_ = std::move(also); }

  /// The next calls up to the n-th succeed, and there the agent dies.
  void die_at(int call) { calls_until_death_ = call; }

  static std::string after() { return "new"; }

  [[nodiscard]] Journal intent() const {
    Journal journal;
    journal.since = now_;
    journal.boot_id = boot_id_;
    journal.file = kFile;
    journal.before = behaviour_.before;
    journal.after = after();
    journal.kubelet = {boot_id_, start_};
    journal.whole_service = behaviour_.imports.has_value();
    journal.pods = {"pod-1"};
    return journal;
  }

  [[nodiscard]] const std::optional<std::string>& journal() const { return journal_; }

  [[nodiscard]] const std::optional<std::string>& file() const { return file_; }

  [[nodiscard]] const std::optional<std::string>& in_force() const { return in_force_; }

  [[nodiscard]] bool runs() const { return runs_; }

  [[nodiscard]] int restarts() const { return restarts_; }

  /// The kubelet ends by itself, and is started again like any that ended.
  void crash() {
    runs_ = false;
    back_at_ = now_ + std::chrono::seconds{5};
  }

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
    if (is_new && !behaviour_.comes_back) {
      return;  // RKE2 tries again until it stays
    }
    runs_ = true;
    start_ += 100;
    started_at_ = now_;
    in_force_ = behaviour_.imports ? arguments_ : file_;
    pod_lost_ = pod_lost_ || (is_new && behaviour_.loses_pod);
  }

  Behaviour behaviour_;
  std::function<void(const Journal&, Facts&)> also_;
  std::chrono::seconds now_{1000};
  std::string boot_id_ = "boot";
  std::optional<std::string> journal_;
  std::optional<std::string> file_;
  std::optional<std::string> in_force_;
  bool runs_ = true;
  unsigned long long start_ = 5000;
  std::chrono::seconds started_at_{};
  std::chrono::seconds read_at_{};
  std::optional<std::string> arguments_;  ///< that the supervisor read
  std::chrono::seconds back_at_{};
  bool pod_lost_ = false;
  bool disk_full_ = false;
  int restarts_ = 0;
  std::optional<int> calls_until_death_;
};

struct Ending {
  Transaction::Outcome outcome = Transaction::Outcome::kRunning;
  std::string reason;
  std::chrono::seconds took{};
};

/// Advances every second for up to an hour.
inline Ending run(SimulatedNode& node, Transaction& transaction) {
  Ending ending;
  for (; ending.took < std::chrono::seconds{3600}; ++ending.took) {
    ending.outcome = transaction.advance();
    ending.reason = transaction.reason();
    if (ending.outcome != Transaction::Outcome::kRunning) {
      break;
    }
    node.pass(std::chrono::seconds{1});
  }
  return ending;
}

inline Ending run_new(SimulatedNode& node) {
  Transaction transaction{node, node.intent(), false};
  return run(node, transaction);
}

inline std::vector<Behaviour> behaviours() {
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

inline bool should_commit(const Behaviour& behaviour) {
  return behaviour.comes_back && behaviour.shows_value && !behaviour.loses_pod &&
         behaviour.can_write && behaviour.can_restart;
}

}  // namespace eviction::agent::tests
