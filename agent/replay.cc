// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/json_fields.h"
#include "agent/live_node.h"
#include "agent/page.h"
#include "agent/render.h"
#include "config/utc_time.h"

namespace eviction::agent {

namespace {

using nlohmann::ordered_json;

constexpr std::chrono::minutes kPause{1};

/// By more than a tenth.
bool far(const std::optional<Bytes>& one, const std::optional<Bytes>& other) {
  if (!one || !other) {
    return one.has_value() != other.has_value();
  }
  const Bytes larger = std::max(*one, *other);
  return larger - std::min(*one, *other) > scale(larger, 1, 10);
}

/// Whether the second says something that the first, which was told, did not.
bool differs(const ReplayEvent& told, const ReplayEvent& now) {
  return now.act != Act::kNothing || now.outcome != told.outcome ||
         now.sizing.instrument != told.sizing.instrument || far(told.sizing.need, now.sizing.need);
}

std::string bytes_or_dash(const std::optional<Bytes>& bytes) {
  return bytes ? to_human(*bytes) : "-";
}

std::string_view name_of(const ReplayEvent& event) {
  return event.warning ? *event.warning ? "warning" : "all clear" : to_text(event.act);
}

ordered_json event_json(const ReplayEvent& event) {
  ordered_json object{{"at", config::to_utc(event.at)},
                      {"act", to_text(event.act)},
                      {"early_warning", event.warning ? *event.warning ? "begins" : "ends" : ""},
                      {"outcome", to_text(event.outcome)},
                      {"instrument", to_text(event.sizing.instrument)}};
  const char* const none = "the plan has none";
  put(object, "need_bytes", event.sizing.need, none);
  put(object, "hard_bytes", event.sizing.hard, none);
  put(object, "soft_bytes", event.sizing.soft, none);
  put(object, "reclaim_bytes", event.sizing.reclaim, none);
  put(object, "available_bytes", event.available, "it was not recorded");
  put_text(object, "reason", event.reason, "nothing was to be done");
  return object;
}

}  // namespace

void ReplayRun::take(const Moment& moment) {
  replay_.from = replay_.from.value_or(moment.at);
  replay_.to = moment.at;
  if (last_ && (moment.since_boot < *last_ || moment.since_boot - *last_ >= kPause)) {
    ++replay_.pauses;
  }
  if (last_ && moment.since_boot < *last_) {
    lower_watch_ = {};
  }
  last_ = moment.since_boot;
  if (moment.learned != nullptr) {
    history_.growth().restore(*moment.learned);
  }
  if (moment.mem_available) {
    replay_.lowest_available =
        std::min(replay_.lowest_available.value_or(*moment.mem_available), *moment.mem_available);
  }
  if (moment.seen == nullptr) {
    ++replay_.looks;
  } else {
    ++replay_.walks;
    walk(moment);
  }
  // The daemon follows each full look with a cheap one, which other recordings do not have. Where
  // it was recorded, too, that makes no difference: what is learned goes by time, not by looks.
  history_.look(moment.since_boot, moment.mem_total, moment.mem_available);
}

void ReplayRun::walk(const Moment& moment) {
  Observation seen = *moment.seen;
  if (seen.vmstat && seen.vmstat->oom_kill) {
    const std::uint64_t kills = *seen.vmstat->oom_kill;
    replay_.oom_kills += last_kills_ && kills > *last_kills_ ? kills - *last_kills_ : 0;
    last_kills_ = kills;
  }
  if (seen.kubelet && file_) {
    seen.kubelet->file_content = *file_;
  }
  Circumstances known = circumstances_of(record_, moment.at);
  history_.add_to(known, seen, moment.since_boot);
  known.runtime_silence = std::string{};
  const Plan plan = make_plan(std::move(seen), config_, known);
  const bool warned = history_.walked(moment.since_boot, plan);

  const Decision decision = decide_on(plan, moment);
  act(decision, moment);
  ReplayEvent event{.at = moment.at,
                    .act = decision.act,
                    .reason = decision.reason,
                    .outcome = outcome(plan),
                    .sizing = plan.sizing,
                    .available = plan.memory.kubelet_available};
  event.sizing.terms.clear();
  event.sizing.growth.reset();
  if (warned) {
    ReplayEvent warning = event;
    warning.act = Act::kNothing;
    warning.warning = history_.warning().on();
    warning.reason = history_.warning().reason();
    replay_.warnings += *warning.warning ? 1U : 0U;
    replay_.events.push_back(std::move(warning));
  }
  if (replay_.events.empty() || differs(replay_.events.back(), event)) {
    replay_.events.push_back(std::move(event));
  }
}

Decision ReplayRun::decide_on(const Plan& plan, const Moment& moment) {
  Situation situation{.mode = config_.mode, .staged = staged_};
  lower_watch_.tell(
      plan, std::chrono::duration_cast<std::chrono::seconds>(moment.since_boot), situation);
  return decide(plan, situation);
}

void ReplayRun::act(const Decision& decision, const Moment& moment) {
  switch (decision.act) {
    case Act::kNothing:
      break;
    case Act::kStage:
      staged_ = decision.content;
      break;
    case Act::kUnstage:
      staged_.reset();
      break;
    case Act::kApply:
      count_restart(record_, moment.at);
      staged_.reset();
      file_ = decision.content;
      break;
    case Act::kShrink:
    case Act::kRestore:
      file_ = decision.content;
      break;
    case Act::kWithdraw:
      file_ = std::optional<std::string>{};
      break;
  }
}

ordered_json to_json(const Replay& replay) {
  ordered_json document;
  put_text(
      document, "from", replay.from ? config::to_utc(*replay.from) : "", "nothing was recorded");
  put_text(document, "to", replay.from ? config::to_utc(replay.to) : "", "nothing was recorded");
  document["looks"] = replay.looks;
  document["walks"] = replay.walks;
  document["pauses"] = replay.pauses;
  document["oom_kills"] = replay.oom_kills;
  document["early_warnings"] = replay.warnings;
  put(document, "lowest_available_bytes", replay.lowest_available, "it was not recorded");
  document["events"] = ordered_json::array();
  std::ranges::transform(replay.events, std::back_inserter(document["events"]), event_json);
  put_text(document, "problem", replay.problem ? to_text(*replay.problem) : "", "none");
  return document;
}

std::string to_table(const Replay& replay, bool colour) {
  const std::string problem = replay.problem ? to_text(*replay.problem) + '\n' : std::string{};
  if (!replay.from) {
    return "nothing was recorded\n" + problem;
  }
  constexpr std::string_view kRow = "{:<22}{:<10}{:<11}{:>11}{:>11}{:>11}{:>12}\n";
  std::string page =
      styled(fmt::format(kRow, "time", "act", "instrument", "hard", "soft", "need", "available"),
             Style::kHeading,
             colour);
  for (const ReplayEvent& event : replay.events) {
    page += fmt::format(kRow,
                        config::to_utc(event.at),
                        name_of(event),
                        to_text(event.sizing.instrument),
                        bytes_or_dash(event.sizing.hard),
                        bytes_or_dash(event.sizing.soft),
                        bytes_or_dash(event.sizing.need),
                        bytes_or_dash(event.available));
    if (!event.reason.empty()) {
      page += paragraph("    ", event.reason);
    }
  }
  page += fmt::format(
      "{} full and {} cheap looks from {} to {}, {} pauses; least MemAvailable {}, {} OOM kills, "
      "{} early warnings\n",
      replay.walks,
      replay.looks,
      config::to_utc(*replay.from),
      config::to_utc(replay.to),
      replay.pauses,
      bytes_or_dash(replay.lowest_available),
      replay.oom_kills,
      replay.warnings);
  return page + problem;
}

}  // namespace eviction::agent
