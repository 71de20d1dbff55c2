// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/incident.h"
#include "agent/live_node.h"
#include "agent/policy/decide.h"
#include "agent/policy/incidents.h"
#include "agent/runtime_watch.h"
#include "agent/status_file.h"
#include "agent/target_files.h"

namespace eviction::agent {

/// Does to the kubelet's files what is decided at each full walk of the daemon, and carries a
/// transaction on between them.
class Executor {
 public:
  /// changed: called when a transaction has gone on; look_again: when a decision waits for a walk.
  /// host, config and loop have to outlive it.
  Executor(const Host& host,
           const config::AgentConfig& config,
           systemd::EventLoop& loop,
           std::function<void()> changed,
           std::function<void()> look_again);

  /// Reads the record of earlier deeds; anew at each walk, because "apply" and "rollback" write it
  /// as well.
  [[nodiscard]] const Record& read_record();

  /// Why the container runtime does not answer; empty when it does. Absent: it has not yet been
  /// asked to the end.
  [[nodiscard]] std::optional<std::string> runtime_silence(const Kubelet& kubelet);

  /// Takes up a transaction that was interrupted, or decides on the plan and acts. not_yet: why
  /// no other may begin; empty: one may.
  void act_on(const Plan& plan, const std::string& not_yet);

  /// Before the daemon ends: a hard value that nobody will watch over is withdrawn if it has to be,
  /// and a transaction that would put one there is undone.
  void leave(const Plan& plan);

  /// Puts what it did into the status, and its problems since the last call behind the status'.
  void report(Status& status);

  /// What came of values for the kubelet since the last call.
  [[nodiscard]] std::vector<Incident> take_incidents() { return std::exchange(incidents_, {}); }

 private:
  void check_in_force(const Plan& plan);
  void remember(const Plan& plan, const Proof& proof);
  /// not_yet: why no transaction may begin; empty: one may.
  void decide_and_act(const Plan& plan, const std::string& not_yet);
  void act(const Decision& decision, const Plan& plan);
  void shrink(const Decision& decision, const Plan& plan);
  void begin(const Kubelet& kubelet, const std::string& content);
  /// Why no other transaction may begin; empty: one may. Absent: nothing is to be decided by this
  /// plan, which is older than what a transaction has done.
  [[nodiscard]] std::optional<std::string> resume(const Plan& plan);
  void sweep(const std::string& file);
  void run(Journal journal, bool resumed);
  void advance();
  void end_transaction(Transaction::Outcome outcome);
  void leave_transaction(const Plan& plan);
  void save();
  void stage(const Kubelet& kubelet, const std::optional<std::string>& content);
  [[nodiscard]] std::optional<HostLock> lock_changes();
  /// False: the file system did not take it.
  bool change_file(ValueChange change,
                   const Kubelet& kubelet,
                   const std::optional<std::string>& content,
                   const std::string& reason);
  void mark_withdrawn(const Kubelet& kubelet, bool withdrawn);
  void keep(ValueChange change, const std::string& file, const std::string& reason);
  void remove_outdated(const Plan& plan);

  void problem(const Error& error) { problems_.push_back(to_text(error)); }

  const Host& host_;
  const config::AgentConfig& config_;
  systemd::EventLoop& loop_;
  std::function<void()> changed_;
  Record record_;
  bool unsaved_ = false;  ///< the record on the disk is older
  std::string unread_;    ///< why the record on the disk is not known
  LiveNode node_;
  RuntimeWatch runtime_;
  std::unique_ptr<Transaction> transaction_;
  std::optional<HostLock> change_lock_;
  systemd::EventSource timer_;
  Decision decision_;
  Deeds deeds_;
  std::optional<bool> staged_;
  std::string transaction_reason_;
  std::optional<Proof> in_force_;
  LowerWatch lower_watch_;
  std::vector<Incident> incidents_;
  std::vector<std::string> problems_;
};

}  // namespace eviction::agent
