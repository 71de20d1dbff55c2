// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/decide.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "agent/policy/foreign_settings.h"
#include "agent/policy/guards.h"

namespace eviction::agent {

namespace {

using std::chrono::sys_seconds;

constexpr std::chrono::hours kDay{24};

/// Values no further apart are the same: two rounding steps, a fortieth of the larger, and upwards
/// 64 MiB. A higher value restarts the kubelet at once, a lower one after a day: what the kernel
/// holds moves within that.
bool close(Bytes now, Bytes wanted, Bytes step) {
  constexpr Bytes kNotWorthARestart{std::int64_t{64} << 20};
  const Bytes larger = std::max(now, wanted);
  const Bytes band = std::max(step + step, Bytes{larger.value() / 40});
  return larger - std::min(now, wanted) <=
         (wanted > now ? std::max(band, kNotWorthARestart) : band);
}

bool close(const std::optional<Bytes>& now, const std::optional<Bytes>& wanted, Bytes step) {
  return now.has_value() == wanted.has_value() && (!now || close(*now, *wanted, step));
}

/// Where eviction begins at the latest: by a soft threshold, one poll after it is met.
Bytes level(const std::optional<Bytes>& hard, const std::optional<Bytes>& soft, Bytes poll) {
  return std::max(hard.value_or(Bytes{}), soft ? *soft - poll : Bytes{});
}

Bytes poll_of(const Plan& plan) {
  return plan.sizing.growth ? plan.sizing.growth->per_poll : Bytes{};
}

Bytes level_of(const Plan& plan) {
  return level(plan.sizing.hard, plan.sizing.soft, poll_of(plan));
}

/// Whether the guard looks at the moment and not at the value, which may wait for a better one.
bool is_of_the_moment(const Guard& guard) {
  return guard.name == "calm" || guard.name == "settled" || guard.name == "restart-budget";
}

const Guard* first_against(const Plan& plan) {
  const auto found =
      std::ranges::find_if(plan.guards, [](const Guard& guard) { return guard.ok == false; });
  return found == plan.guards.end() ? nullptr : &*found;
}

const Guard* first_unknown(const Plan& plan) {
  const auto found =
      std::ranges::find_if(plan.guards, [](const Guard& guard) { return !guard.ok.has_value(); });
  return found == plan.guards.end() ? nullptr : &*found;
}

/// Whether a file with the plan's content is safe to be read by the next kubelet, whoever starts
/// it: the guards that bind the value itself. Those about the moment do not matter here.
bool is_safe(const Plan& plan) {
  return !plan.file_content.empty() && std::ranges::none_of(plan.guards, [](const Guard& guard) {
    const bool matters =
        !is_of_the_moment(guard) && guard.name != "version" && guard.name != "headroom-now";
    return matters && guard.ok != true;
  });
}

/// What an armed value needs now, when it can no longer stand.
Decision protect_pods(const Plan& plan, Bytes hard, const std::string& why) {
  if (is_safe(plan) && plan.sizing.hard.value_or(Bytes{}) < hard) {
    return {Act::kShrink, plan.file_content, why};
  }
  if (plan.file_needed) {
    return {Act::kNothing,
            {},
            why + "; it stays, as without it the kubelet would not start: " + *plan.file_needed};
  }
  return {Act::kWithdraw, {}, why};
}

Decision stage(const Plan& plan, const Situation& situation, const std::string& why) {
  const bool refused = std::ranges::any_of(plan.guards, [](const Guard& guard) {
    return guard.ok == false && !is_of_the_moment(guard);
  });
  if (plan.file_content.empty() || refused) {
    return situation.staged ? Decision{Act::kUnstage, {}, why} : Decision{Act::kNothing, {}, why};
  }
  if (situation.staged == plan.file_content) {
    return {Act::kNothing, {}, why};
  }
  return {Act::kStage, plan.file_content, why};
}

Decision enforce(const Plan& plan, const Situation& situation) {
  if (const Guard* const guard = first_against(plan)) {
    return stage(plan, situation, "guard " + guard->name + " refuses: " + guard->reason);
  }
  if (const Guard* const guard = first_unknown(plan)) {
    return stage(plan, situation, "guard " + guard->name + " cannot know: " + guard->reason);
  }
  for (const std::string& why : {plan.restart_forbidden, situation.not_yet}) {
    if (!why.empty()) {
      return stage(plan, situation, why);
    }
  }
  return {Act::kApply, plan.file_content, "all guards hold"};
}

/// Whether our file of arguments restates others' flags as they are now.
bool restates_others(const Plan& plan, const config::MemoryEviction& now) {
  const std::string& content = *plan.observation.kubelet->file_content;
  const config::RestatedFlags restated = config::restated_in(content);
  const config::RestatedFlags wanted = config::restated_in(plan.file_content);
  const Sizing& sizing = plan.sizing;
  return plan.file_content.empty() ||
         ((!now.hard || !sizing.hard || restated.eviction_hard == wanted.eviction_hard) &&
          (!now.reclaim || !sizing.reclaim ||
           restated.eviction_minimum_reclaim == wanted.eviction_minimum_reclaim));
}

/// What is to be done about the value that our file has. Absent: nothing of its own.
std::optional<Decision> about_armed(const Plan& plan, const Situation& situation) {
  const auto& kubelet = plan.observation.kubelet;
  const auto now = kubelet ? armed(*kubelet) : std::nullopt;
  if (!now || !plan.memory.capacity) {
    return std::nullopt;
  }
  const Bytes step = rounding_step(*plan.memory.capacity);
  const auto bound = requests_bound(plan.observation, plan.memory, step);
  if (const std::string why = next_start_rejects(plan); !why.empty()) {
    return protect_pods(plan, *now->hard, why);
  }
  if (is_armed(plan)) {
    return Decision{
        situation.staged ? Act::kUnstage : Act::kNothing, {}, "the file has this value"};
  }
  if (now->hard && bound && *now->hard > bound->sure) {
    return stage(plan,
                 situation,
                 fmt::format("the hard threshold of {} stays: only by estimates of requests would "
                             "a pod not fit beside it",
                             to_human(*now->hard)));
  }
  return std::nullopt;
}

/// Whether the file is as the agent left it when it shrank or withdrew this value.
bool is_taken_back(const Kubelet& kubelet, const config::MemoryEviction& value) {
  const auto now = armed(kubelet);
  return kubelet.withdrawn ? !kubelet.file_content
                           : now && now->hard && value.hard && *now->hard < *value.hard;
}

/// Whether what the agent shrank or withdrew may come back: this run of the kubelet has it, the
/// plan asks for it, and the next start would reject no pod for it.
std::optional<Decision> about_taken_back(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  if (!kubelet || !kubelet->proven || !plan.memory.capacity || !is_safe(plan)) {
    return std::nullopt;
  }
  const auto value = config::parse_own_file(kubelet->committed, kubelet->file);
  if (!value || !is_taken_back(*kubelet, *value)) {
    return std::nullopt;
  }
  const Bytes step = rounding_step(*plan.memory.capacity);
  if (!close(value->hard, plan.sizing.hard, step) || !close(value->soft, plan.sizing.soft, step)) {
    return std::nullopt;
  }
  const auto bound = requests_bound(plan.observation, plan.memory, step);
  if (value->hard && (!bound || *value->hard > bound->sure)) {
    return std::nullopt;
  }
  return Decision{
      Act::kRestore, kubelet->committed, "the kubelet still runs with it, and pods fit beside it"};
}

/// Absent: there is nothing that could be applied, and why is told.
std::optional<std::string> nothing_to_apply(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  if (!kubelet) {
    return "no kubelet is found";
  }
  if (kubelet->target == Target::kNone) {
    return "this kubelet reads no file of ours: " + kubelet->target_reason;
  }
  if (plan.file_content.empty()) {
    return plan.sizing.reason;
  }
  return std::nullopt;
}

/// What requests_bound() lacks.
std::string unknown_for_requests(const Plan& plan) {
  const Observation& seen = plan.observation;
  if (!seen.pods_known) {
    return "the pods are unknown";
  }
  if (!plan.memory.capacity) {
    return "the memory of the node is unknown";
  }
  return fmt::format("memory requests of {} of {} pods are unknown",
                     std::ranges::count_if(seen.pods, [](const Pod& pod) { return !pod.request; }),
                     seen.pods.size());
}

}  // namespace

void count_restart(Record& record, sys_seconds now) {
  std::erase_if(record.restarts, [now](sys_seconds at) { return now - at >= kDay; });
  record.restarts.push_back(now);
}

bool leave_no_future(Record& record, sys_seconds now) {
  bool found = false;
  for (sys_seconds& at : record.restarts) {
    found = found || at > now;
    at = std::min(at, now);
  }
  return found;
}

void count_failure(Record& record, sys_seconds now, std::string reason) {
  ++record.failures;
  record.last_failure = now;
  record.last_failure_reason = std::move(reason);
}

int restarts_within_a_day(const Record& record, sys_seconds now) {
  return static_cast<int>(
      std::ranges::count_if(record.restarts, [now](sys_seconds at) { return now - at < kDay; }));
}

std::string restart_refused(const Record& record, sys_seconds now) {
  if (record.failures >= kQuarantineAfter) {
    return fmt::format(
        "quarantined after {} failures, the last: {}; eviction-agent rollback clears "
        "this",
        record.failures,
        record.last_failure_reason);
  }
  if (record.failures == 0 || !record.last_failure) {
    return {};
  }
  const std::chrono::hours wait = kBackOff * (1 << (record.failures - 1));
  const std::chrono::seconds since = now - *record.last_failure;
  if (since >= wait || since < -wait) {
    return {};
  }
  return fmt::format("failed {} s ago, the next try is after {} s: {}",
                     since.count(),
                     std::chrono::seconds{wait}.count(),
                     record.last_failure_reason);
}

Circumstances circumstances_of(const Record& record, sys_seconds now) {
  Circumstances known;
  known.restarts_today = restarts_within_a_day(record, now);
  known.restart_refused = restart_refused(record, now);
  return known;
}

std::string not_yet_its_turn(std::string_view boot_id,
                             std::chrono::seconds ready_for,
                             std::chrono::minutes spread) {
  constexpr std::size_t kDigits = 8;
  constexpr std::int64_t kTurns = std::int64_t{1} << (4 * kDigits);
  std::uint32_t turn = 0;  // of kTurns
  const std::string_view digits = boot_id.substr(0, kDigits);
  std::from_chars(digits.data(), digits.data() + digits.size(), turn, 16);
  const std::chrono::seconds wait = std::chrono::seconds{spread} * turn / kTurns;
  if (ready_for >= wait) {
    return {};
  }
  return fmt::format(
      "this node's turn is {} s after its agent read the configuration and node and kubelet have "
      "settled, so that the kubelets of a cluster do not restart together ([agent] restart-spread)",
      wait.count());
}

std::string_view to_text(Act act) {
  switch (act) {
    case Act::kNothing:
      return "nothing";
    case Act::kStage:
      return "stage";
    case Act::kUnstage:
      return "unstage";
    case Act::kApply:
      return "apply";
    case Act::kShrink:
      return "shrink";
    case Act::kWithdraw:
      return "withdraw";
    case Act::kRestore:
      return "restore";
  }
  return "";
}

std::optional<std::string> unsafe_alone(const Plan& plan) {
  const Observation& seen = plan.observation;
  const auto now = seen.kubelet ? armed(*seen.kubelet) : std::nullopt;
  if (!now || !now->hard || plan.file_needed) {
    return std::nullopt;
  }
  const Bytes step = rounding_step(plan.memory.capacity.value_or(Bytes{}));
  const auto bound = requests_bound(seen, plan.memory, step);
  if (!bound) {
    return fmt::format(
        "{}, so whether pods fit beside the hard threshold of {} cannot be known, and no agent "
        "runs to watch over it",
        unknown_for_requests(plan),
        to_human(*now->hard));
  }
  Bytes largest;
  for (const Pod& pod : seen.pods) {
    largest = std::max(largest, pod.request ? pod.request->high : Bytes{});
  }
  if (*now->hard <= bound->sure - largest) {
    return std::nullopt;
  }
  return fmt::format(
      "the hard threshold of {} leaves {} for pods, less than the largest request "
      "here, {}, and no agent runs to watch over it",
      to_human(*now->hard),
      to_human(std::max(bound->sure - *now->hard, Bytes{})),
      to_human(largest));
}

bool is_armed(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  const auto now = kubelet ? armed(*kubelet) : std::nullopt;
  if (!now || !plan.memory.capacity) {
    return false;
  }
  const Sizing& sizing = plan.sizing;
  const Bytes step = rounding_step(*plan.memory.capacity);
  const bool useless = (now->hard && *now->hard < sizing.hard_effective) ||
                       (now->soft && *now->soft < sizing.soft_effective);
  return !useless && close(now->hard, sizing.hard, step) && close(now->soft, sizing.soft, step) &&
         restates_others(plan, *now);
}

bool asks_for_less(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  const auto now = kubelet ? armed(*kubelet) : std::nullopt;
  if (!now || !plan.memory.capacity || soft_in_use(plan.observation) ||
      (now->hard && !plan.sizing.hard)) {
    return false;
  }
  const Bytes before = level(now->hard, now->soft, poll_of(plan));
  const Bytes after = level_of(plan);
  return !is_armed(plan) &&
         (after < before || close(before, after, rounding_step(*plan.memory.capacity)));
}

void LowerWatch::tell(const Plan& plan, std::chrono::seconds now, Situation& situation) {
  if (!asks_for_less(plan)) {
    since_.reset();
    return;
  }
  const Bytes asked = level_of(plan);
  const auto begin = [&] {
    since_ = now;
    highest_ = asked;
  };
  if (!since_) {
    begin();
  }
  highest_ = std::max(highest_, asked);
  if (now - *since_ >= kSlowToLower &&
      !close(highest_, asked, rounding_step(*plan.memory.capacity))) {
    begin();
  }
  situation.lower_for = now - *since_;
}

std::string next_start_rejects(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  const auto now = kubelet ? armed(*kubelet) : std::nullopt;
  if (!now || !now->hard || !plan.memory.capacity) {
    return {};
  }
  const auto bound =
      requests_bound(plan.observation, plan.memory, rounding_step(*plan.memory.capacity));
  return bound && *now->hard > bound->possible
             ? fmt::format(
                   "with a hard threshold of {} the next start of the kubelet would reject "
                   "running pods, whose requests leave {}",
                   to_human(*now->hard),
                   to_human(std::max(bound->possible, Bytes{})))
             : std::string{};
}

Decision decide(const Plan& plan, const Situation& situation) {
  if (situation.mode == config::Mode::kObserve) {
    return {Act::kNothing, {}, "mode observe"};
  }
  if (std::optional<Decision> decision = about_armed(plan, situation)) {
    return *decision;
  }
  if (std::optional<Decision> decision = about_taken_back(plan)) {
    return *decision;
  }
  if (const std::optional<std::string> why = nothing_to_apply(plan)) {
    return stage(plan, situation, *why);
  }
  if (situation.mode == config::Mode::kStage) {
    return stage(plan, situation, "mode stage: eviction-agent apply puts the value in force");
  }
  if (situation.lower_for && *situation.lower_for < kSlowToLower) {
    return {Act::kNothing,
            {},
            fmt::format("what is armed has been enough for {} s; the change waits for {} s",
                        situation.lower_for->count(),
                        std::chrono::seconds{kSlowToLower}.count())};
  }
  return enforce(plan, situation);
}

}  // namespace eviction::agent
