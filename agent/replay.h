// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/history.h"
#include "agent/plan.h"
#include "agent/policy/decide.h"
#include "agent/recording/recording.h"

namespace eviction::agent {

/// Something that would have been decided, an early warning that would have begun or ended, or
/// another outcome, instrument or (by a tenth) need than the event before had.
struct ReplayEvent {
  std::chrono::sys_seconds at;
  Act act = Act::kNothing;
  std::optional<bool> warning = {};  ///< absent: it is none of a warning
  std::string reason;
  PlanOutcome outcome = PlanOutcome::kNothingToApply;
  Sizing sizing;                   ///< without its terms
  std::optional<Bytes> available;  ///< to the kubelet
};

/// What the policy would have done with what was recorded.
struct Replay {
  std::optional<std::chrono::sys_seconds> from;
  std::chrono::sys_seconds to;
  std::size_t looks = 0;        ///< cheap ones
  std::size_t walks = 0;        ///< full ones
  std::size_t pauses = 0;       ///< a minute or more without a look, or a restart of the node
  std::uint64_t oom_kills = 0;  ///< that the kernel counted meanwhile, those at a limit included
  std::size_t warnings = 0;     ///< early ones
  std::optional<Bytes> lowest_available;  ///< MemAvailable
  std::vector<ReplayEvent> events;
  std::optional<Error> problem;  ///< why reading ended before the end
};

/// The daemon's policy over recorded moments, with a configuration of one's choice. Its deeds are
/// taken to succeed at once: a value that would have been put in force is, for what follows, in the
/// agent's file. Target, version and settings of the kubelet are those that were recorded.
class ReplayRun {
 public:
  /// config has to outlive it.
  explicit ReplayRun(const config::AgentConfig& config) : config_{config} {}

  void take(const Moment& moment);

  /// What came of it so far.
  [[nodiscard]] Replay& result() { return replay_; }

 private:
  void walk(const Moment& moment);
  [[nodiscard]] Decision decide_on(const Plan& plan, const Moment& moment);
  void act(const Decision& decision, const Moment& moment);

  const config::AgentConfig& config_;
  NodeHistory history_;
  Record record_;
  std::optional<std::string> staged_;
  /// What the agent's file holds by its own deeds. Absent: as it was recorded.
  std::optional<std::optional<std::string>> file_;
  std::optional<std::chrono::milliseconds> last_;
  LowerWatch lower_watch_;
  std::optional<std::uint64_t> last_kills_;
  Replay replay_;
};

/// "replay -o json".
[[nodiscard]] nlohmann::ordered_json to_json(const Replay& replay);
/// The lines that a person reads.
[[nodiscard]] std::string to_table(const Replay& replay, bool colour);

}  // namespace eviction::agent
