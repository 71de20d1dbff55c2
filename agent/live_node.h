// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/observation.h"
#include "agent/question.h"
#include "agent/transaction.h"
#include "config/agent_config.h"
#include "config/drop_in.h"
#include "systemd/event_loop.h"
#include "systemd/unit_manager.h"

namespace eviction::agent {

/// Since the boot of the node, suspended time included, as /proc counts process starts.
[[nodiscard]] std::chrono::seconds since_boot();
[[nodiscard]] std::chrono::sys_seconds wall_now();

/// /proc/sys/kernel/random/boot_id. Empty: it cannot be read.
[[nodiscard]] std::string read_boot_id(const Host& host);

/// UIDs of the pods that have a process, sorted. Errors: those of the cgroup tree.
[[nodiscard]] Result<std::vector<std::string>> running_pods(const cgroup::Directory& sys,
                                                            cgroup::Buffer& buffer);

/// The node that the agent runs on. host, config and loop have to outlive it.
class LiveNode final : public TransactionNode {
 public:
  /// before_restart is called before the kubelet is told, and must have remembered it on the disk
  /// when it returns; without that no restart is made.
  LiveNode(const Host& host,
           const config::AgentConfig& config,
           systemd::EventLoop& loop,
           std::function<Result<void>()> before_restart)
      : host_{host},
        config_{config},
        loop_{loop},
        before_restart_{std::move(before_restart)},
        health_{loop},
        proof_{loop},
        api_{loop} {}

  /// The journal of a transaction that gives the target's file this content. Errors: no kubelet, no
  /// boot id, no file system, no pods to be seen.
  [[nodiscard]] Result<Journal> intend(const std::optional<std::string>& content);

  /// Forgets what came of restarts of units: before a transaction begins or is taken up.
  void forget_restarts();

  /// What the kubelet logged of our value and of its start since then, where its log can be read.
  [[nodiscard]] std::vector<std::string> kubelet_warnings_since(
      std::chrono::system_clock::time_point since);

  /// Whether the running kubelet uses what is wanted; asked anew when the last answer is older than
  /// every. Absent: there is no answer yet.
  [[nodiscard]] std::optional<Proof> proof(const Kubelet& kubelet,
                                           const config::MemoryEviction& wanted,
                                           std::chrono::milliseconds every);

  [[nodiscard]] Facts look(const Journal& journal) override;
  [[nodiscard]] Result<void> save(const Journal& journal) override;
  [[nodiscard]] Result<void> remove_journal(const std::string& file) override;
  [[nodiscard]] Result<void> write(const std::string& file,
                                   const std::optional<std::string>& content) override;
  [[nodiscard]] Result<void> restart_kubelet() override;

 private:
  [[nodiscard]] Result<Kubelet> kubelet();
  [[nodiscard]] Result<void> restart_unit(const Kubelet& kubelet);
  [[nodiscard]] Proof proof_of(const Journal& journal,
                               const Kubelet& kubelet,
                               std::chrono::milliseconds every);
  [[nodiscard]] bool healthy(const Kubelet& kubelet, std::chrono::milliseconds every);
  [[nodiscard]] std::optional<std::vector<std::string>> lost_pods(const Journal& journal,
                                                                  const Kubelet* kubelet);
  void note_ended(const Kubelet& kubelet, std::chrono::milliseconds every);

  const Host& host_;
  const config::AgentConfig& config_;
  systemd::EventLoop& loop_;
  std::function<Result<void>()> before_restart_;
  std::unique_ptr<systemd::UnitManager> units_;
  std::optional<std::string> unit_failure_;
  bool restart_pending_ = false;  ///< of a unit
  Question health_;
  Question proof_;
  Question api_;
  std::set<std::string> ended_;  ///< pods whose end was no deed of the kubelet's
  cgroup::Buffer buffer_;
};

}  // namespace eviction::agent
