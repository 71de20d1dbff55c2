// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/incident.h"
#include "agent/kmsg_reader.h"
#include "agent/observation.h"
#include "agent/plan.h"
#include "agent/policy/incidents.h"

namespace eviction::agent {

/// Finds out who was killed or evicted, and records it with what the agent itself did: each once,
/// in the journal and in the log that "incidents" shows.
class IncidentRecorder {
 public:
  /// plan: that of the last walk. All have to outlive it. began: now, on the kernel log's clock.
  IncidentRecorder(const Host& host,
                   systemd::EventLoop& loop,
                   const Plan& plan,
                   std::chrono::microseconds began = kmsg_now());

  /// After each cheap look. One sample a second is kept, and the last 60.
  void looked(std::optional<Bytes> kubelet_available, std::optional<Bytes> mem_available);

  /// Before a walk's pods take the place of those in the plan.
  void observed(const std::vector<Pod>& pods);

  /// After each walk, when the plan is what it found. After the first one, which tells names, reads
  /// the log of before, and then what the kernel's log holds that is not in it.
  void walked();

  /// Counted and logged at once; on the disk in the loop's next turn.
  void add(const Incident& incident);
  /// What was added is on the disk when it returns, or problems() tell why not.
  void keep();

  /// But for kills and evictions older than kOldKill that no log of this boot tells of.
  [[nodiscard]] const IncidentCounts& counts() const { return counts_; }

  /// As of the last walk.
  [[nodiscard]] IncidentSources sources() const;

  /// Why incidents are missed, or not kept.
  [[nodiscard]] std::vector<Error> problems() const;

  /// A guard that refuses on and off is recorded no more often.
  static constexpr std::chrono::hours kGuardInterval{1};
  /// An eviction that nobody recorded is told of no longer than this.
  static constexpr std::chrono::hours kEvictionAge{24};
  /// A kill that happened longer before the agent began is not counted where the log has none of
  /// this boot, as after a rollback: an alert would tell of it as of a new one.
  static constexpr std::chrono::minutes kOldKill{15};

 private:
  void start();
  void read_log();
  void on_kill(const cgroup::OomEvent& event);
  void add_counted();
  void add_evictions();
  void add_guards();
  void count(const Incident& incident);
  void record(const Incident& incident);
  [[nodiscard]] Scene scene() const;

  const Host& host_;
  systemd::EventLoop& loop_;
  const Plan& plan_;
  std::chrono::microseconds began_;
  std::string boot_id_;
  bool boot_in_log_ = false;                                ///< when it began
  std::optional<std::uint64_t> last_sequence_;              ///< of this boot's kills in the log
  std::set<std::string> evicted_;                           ///< UIDs in the log
  std::map<std::string, std::chrono::sys_seconds> guards_;  ///< when each was last recorded
  std::set<std::string> refusing_;

  std::unique_ptr<KmsgReader> kmsg_;
  std::optional<Error> kmsg_problem_;
  std::optional<Error> log_problem_;

  std::deque<MemorySample> samples_;
  std::deque<Pod> gone_;
  std::optional<OomLook> last_look_;
  std::uint64_t walks_ = 0;
  std::map<std::string, std::uint64_t> told_;  ///< UID: the walk before whose end a kill was told
  IncidentCounts counts_;
  std::vector<std::string> lines_;  ///< that are to be kept
  systemd::EventSource keep_;
};

}  // namespace eviction::agent
