// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/plan.h"
#include "config/drop_in.h"

namespace eviction::agent {

/// What the agent remembers of its own deeds, over restarts of itself and of the node.
struct Record {
  /// When it restarted the kubelet, oldest first; of the last 24 hours.
  std::vector<std::chrono::sys_seconds> restarts;
  int failures = 0;  ///< transactions that failed, without one that was committed in between
  std::optional<std::chrono::sys_seconds> last_failure;
  std::string last_failure_reason;
  /// The file of the last change, whose journal is beside it: while no kubelet runs, nothing else
  /// tells where that is. Empty: there was none.
  std::string file;

  bool operator==(const Record&) const = default;
};

/// After so many failures the agent only observes, until "rollback" clears its record.
inline constexpr int kQuarantineAfter = 3;
/// Wait after the first failure; doubled by each further one.
inline constexpr std::chrono::hours kBackOff{1};
/// A value that protects no more than the armed one is taken up only after this long: where
/// pods come and go by the hour it would soon be followed by the old one again.
inline constexpr std::chrono::hours kSlowToLower{24};

/// Adds a restart, and forgets those older than 24 hours.
void count_restart(Record& record, std::chrono::sys_seconds now);
/// Restarts of the future, which a clock that was set back leaves, become restarts of now: they
/// count for a day and no longer. Whether there was one.
bool leave_no_future(Record& record, std::chrono::sys_seconds now);
void count_failure(Record& record, std::chrono::sys_seconds now, std::string reason);
[[nodiscard]] int restarts_within_a_day(const Record& record, std::chrono::sys_seconds now);

/// Why no restart is right now whatever the budget says: back-off or quarantine. Empty: nothing.
[[nodiscard]] std::string restart_refused(const Record& record, std::chrono::sys_seconds now);

/// What the record says against a restart now.
[[nodiscard]] Circumstances circumstances_of(const Record& record, std::chrono::sys_seconds now);

/// Why a daemon that could have restarted the kubelet for this long, by its configuration and by
/// settled_for(), may not do it yet. Empty: it may. Each boot of a node has its turn somewhere
/// within the spread, by its boot_id, as the nodes and daemons of a cluster often begin together:
/// while a kubelet restarts, its pods with a readiness probe are not ready (kubernetes#100277), and
/// k3s takes its etcd with it.
[[nodiscard]] std::string not_yet_its_turn(std::string_view boot_id,
                                           std::chrono::seconds ready_for,
                                           std::chrono::minutes spread);

/// What is to be done with the file of this plan.
enum class Act {
  kNothing,
  kStage,     ///< write content beside the file
  kUnstage,   ///< remove what stands beside the file
  kApply,     ///< a transaction that writes content
  kShrink,    ///< write content, less than the file has, without a restart
  kWithdraw,  ///< remove the file without a restart
  kRestore,   ///< write content, with which the kubelet runs, without a restart
};

/// "nothing", "stage", "unstage", "apply", "shrink", "withdraw", "restore".
[[nodiscard]] std::string_view to_text(Act act);

struct Decision {
  Act act = Act::kNothing;
  std::string content = {};
  std::string reason = {};
};

/// What is known besides the plan when the decision is made.
struct Situation {
  config::Mode mode = config::Mode::kStage;
  std::optional<std::string> staged = {};  ///< what stands beside the file
  /// Why no value may be applied now, besides what the plan knows; empty: it may.
  std::string not_yet = {};
  /// How long asks_for_less() has held, by LowerWatch. Absent: it does not.
  std::optional<std::chrono::seconds> lower_for = {};
};

/// Watches plans for asks_for_less(). A plan that asks for clearly less than another one of the
/// time does not count yet, and the time begins anew: what a node needs at one hour of the day, the
/// next day brings again.
class LowerWatch {
 public:
  /// After each plan, before its decision. now: of a clock that runs on.
  void tell(const Plan& plan, std::chrono::seconds now, Situation& situation);

 private:
  std::optional<std::chrono::seconds> since_;
  Bytes highest_;  ///< that was asked for since then
};

/// Why the next start of the kubelet would reject running pods, with the value that our file has.
/// Empty: it would not, as far as requests are known.
[[nodiscard]] std::string next_start_rejects(const Plan& plan);

/// Pure. A value of ours that a later start of the kubelet would reject pods for is shrunk or
/// withdrawn in every mode but observe, whatever else holds, but where the kubelet would not start
/// without it; estimated requests count with their lower end for this. One that was comes back
/// while the kubelet still runs with it and the plan asks for it. Nothing else is done while a
/// guard does not allow it, but that what only calm, settled or restart-budget refuse is staged.
[[nodiscard]] Decision decide(const Plan& plan, const Situation& situation);

/// Why the armed hard value cannot be left to itself while no agent runs: without margin for one
/// more pod like the largest here, a later start of the kubelet could reject one, and it could
/// where requests are unknown. Absent: it can, or the kubelet would not start without it.
[[nodiscard]] std::optional<std::string> unsafe_alone(const Plan& plan);

/// Whether our file has the plan's value, or one so close that a change is not worth a restart: two
/// rounding steps, a fortieth of it, or upwards 64 MiB. Never one that fires too late to be of use,
/// nor a file of arguments that restates another's flag as it was before.
[[nodiscard]] bool is_armed(const Plan& plan);

/// Whether the plan asks for something else than is armed that protects no more: eviction would not
/// begin clearly earlier. Never where a soft threshold of ours is in others' way, or where no hard
/// one is right any more: the next kubelet might not start with it.
[[nodiscard]] bool asks_for_less(const Plan& plan);

}  // namespace eviction::agent
