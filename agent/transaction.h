// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "agent/policy/transaction.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What a transaction asks of the node and does to it.
class TransactionNode {
 public:
  TransactionNode() = default;
  TransactionNode(const TransactionNode&) = delete;
  TransactionNode& operator=(const TransactionNode&) = delete;
  TransactionNode(TransactionNode&&) = delete;
  TransactionNode& operator=(TransactionNode&&) = delete;
  virtual ~TransactionNode() = default;

  /// What the node shows; of the facts those that need no memory of earlier looks.
  [[nodiscard]] virtual Facts look(const Journal& journal) = 0;
  /// On the disk when it returns.
  [[nodiscard]] virtual Result<void> save(const Journal& journal) = 0;
  [[nodiscard]] virtual Result<void> remove_journal(const std::string& file) = 0;
  /// Gives the file this content, or removes it; on the disk when it returns.
  [[nodiscard]] virtual Result<void> write(const std::string& file,
                                           const std::optional<std::string>& content) = 0;
  /// Tells the kubelet to restart; does not wait for it.
  [[nodiscard]] virtual Result<void> restart_kubelet() = 0;
};

/// One change of the kubelet's memory eviction: written, in force, proven, watched; or put back.
/// Does what next_step() says. node has to outlive it.
class Transaction {
 public:
  enum class Outcome { kRunning, kCommitted, kFailed };

  /// A new one, whose journal is to be written; or, resumed, one that another process left.
  Transaction(TransactionNode& node, Journal journal, bool resumed);

  /// Goes as far as the node allows now, without waiting. To be called every second or so while it
  /// is running.
  [[nodiscard]] Outcome advance();

  /// From here on it is put back. without_before: the file is removed, whatever it held before.
  void give_up(const std::string& reason, bool without_before);

  [[nodiscard]] const Journal& journal() const { return journal_; }

  /// Whether its journal was written: before that nothing at all was done.
  [[nodiscard]] bool begun() const { return saved_; }

  /// Why it waits, was committed, or failed.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  [[nodiscard]] Facts look();
  /// Absent: another step can be taken at once.
  [[nodiscard]] std::optional<Outcome> take(const Step& step, const Facts& facts);
  [[nodiscard]] std::optional<Outcome> enter(const Step& step, const Facts& facts);
  [[nodiscard]] std::optional<Outcome> cannot_save(const Error& error, const Facts& facts);
  [[nodiscard]] std::optional<Outcome> put_back();
  void restart();
  [[nodiscard]] std::optional<Outcome> commit(const Facts& facts);
  [[nodiscard]] Outcome fail();
  [[nodiscard]] Outcome hold(const Error& error);

  TransactionNode& node_;
  Journal journal_;
  bool resumed_;
  bool saved_;
  std::string reason_;
  std::optional<std::string> write_failure_;
  std::optional<std::string> restart_impossible_;
  std::optional<std::chrono::seconds> unsaved_since_;  ///< of what this phase leads to
  std::optional<std::chrono::seconds> looked_since_;   ///< at this phase
  std::optional<KubeletRun> run_;                      ///< of the last look
  std::optional<std::chrono::seconds> unhealthy_since_;
  std::optional<std::chrono::seconds> run_unhealthy_since_;
  std::optional<std::chrono::seconds> lost_since_;
};

}  // namespace eviction::agent
