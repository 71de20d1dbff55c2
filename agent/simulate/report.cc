// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/report.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/json_fields.h"

namespace eviction::agent::simulate {

namespace {

using nlohmann::ordered_json;

constexpr double kMib = 1 << 20;

std::int64_t bytes(double mib) {
  return static_cast<std::int64_t>(mib * kMib);
}

bool dominates(const Outcome& one, const Outcome& other, const HarmWeights& weights) {
  return one.harm(weights) < other.harm(weights) &&
         one.withheld_gib_hours < other.withheld_gib_hours;
}

bool is_off_front(const Report& report, const Outcome& outcome) {
  return std::ranges::any_of(report.outcomes, [&](const Outcome& other) {
    return other.scenario == outcome.scenario && dominates(other, outcome, report.weights);
  });
}

void add(Total& total, const Report& report, const Outcome& outcome) {
  total.harm += outcome.harm(report.weights);
  for (std::size_t i = 0; i < total.harm_otherwise.size(); ++i) {
    HarmWeights weights = report.weights;
    weights.*kHarmWeights.at(i / 2) *= i % 2 == 0 ? 0.5 : 2;
    total.harm_otherwise.at(i) += outcome.harm(weights);
  }
  total.withheld_gib_hours += outcome.withheld_gib_hours;
  total.oom_kills += outcome.oom_kills;
  total.vm_power_cuts += outcome.vm_power_cuts;
  total.needless_evictions += outcome.needless_vm_evictions + outcome.needless_container_evictions;
  total.evictions += outcome.vm_evictions + outcome.container_evictions;
  total.needless_spells += outcome.needless_spells;
  total.restarts += outcome.restarts;
  total.off_front += is_off_front(report, outcome) ? 1 : 0;
}

ordered_json to_json(const Thresholds& thresholds) {
  return {{"hard_bytes", bytes(thresholds.hard)},
          {"soft_bytes", bytes(thresholds.soft)},
          {"reclaim_bytes", bytes(thresholds.reclaim)},
          {"reserved_bytes", bytes(thresholds.reserved)}};
}

ordered_json to_json(const Outcome& outcome, const Report& report) {
  ordered_json events = ordered_json::array();
  for (const Event& event : outcome.events) {
    events.push_back({{"at_seconds", event.at}, {"what", event.what}, {"pod", event.pod}});
  }
  return {{"scenario", outcome.scenario},
          {"policy", outcome.policy},
          {"hours", outcome.hours},
          {"harm", outcome.harm(report.weights)},
          {"on_front", !is_off_front(report, outcome)},
          {"oom_kills", outcome.oom_kills},
          {"vm_power_cuts", outcome.vm_power_cuts},
          {"vm_evictions", outcome.vm_evictions},
          {"container_evictions", outcome.container_evictions},
          {"needless_vm_evictions", outcome.needless_vm_evictions},
          {"needless_container_evictions", outcome.needless_container_evictions},
          {"pressure_spells", outcome.pressure_spells},
          {"needless_pressure_spells", outcome.needless_spells},
          {"kubelet_restarts", outcome.restarts},
          {"pods_rejected", outcome.rejected},
          {"withheld_gib_hours", outcome.withheld_gib_hours},
          {"lowest_mem_available_bytes", bytes(outcome.lowest_mem_available)},
          {"short_of_bytes", bytes(outcome.short_of)},
          {"first", to_json(outcome.first)},
          {"last", to_json(outcome.last)},
          {"events", std::move(events)},
          {"events_left_out", outcome.events_left_out}};
}

std::string totals_table(const std::vector<Total>& all) {
  std::string text = fmt::format("{:<16} {:>8} {:>10} {:>6} {:>6} {:>9} {:>9} {:>7} {:>8} {:>9}\n",
                                 "policy",
                                 "harm",
                                 "GiB-hours",
                                 "OOM",
                                 "VM cut",
                                 "evictions",
                                 "needless",
                                 "spells",
                                 "restarts",
                                 "off front");
  for (const Total& total : all) {
    text += fmt::format("{:<16} {:>8g} {:>10.0f} {:>6} {:>6} {:>9} {:>9} {:>7} {:>8} {:>9}\n",
                        total.policy,
                        total.harm,
                        total.withheld_gib_hours,
                        total.oom_kills,
                        total.vm_power_cuts,
                        total.evictions,
                        total.needless_evictions,
                        total.needless_spells,
                        total.restarts,
                        total.off_front);
  }
  return text;
}

/// Harm with one weight halved or doubled.
std::string weights_table(const std::vector<Total>& all) {
  std::string text = "\nharm with one weight halved (/2) or doubled (x2)\npolicy          ";
  for (const char* const weight : {"OOM", "VM", "pod", "spell", "start"}) {
    text += fmt::format(" {:>7} {:>7}", std::string{weight} + "/2", std::string{weight} + "x2");
  }
  for (const Total& total : all) {
    text += fmt::format("\n{:<16}", total.policy);
    for (const double harm : total.harm_otherwise) {
      text += fmt::format(" {:>7g}", harm);
    }
  }
  return text + '\n';
}

/// One figure of each outcome: a line for each scenario, a column for each policy.
template <class Cell>
std::string matrix(const Report& report, const std::vector<Total>& all, const Cell& cell) {
  constexpr std::size_t kWidest = 9;
  std::string text = fmt::format("{:<28}", "scenario");
  for (const Total& total : all) {
    text += fmt::format(" {:>9}", total.policy.substr(0, kWidest));
  }
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    if (i % all.size() == 0) {
      text += fmt::format("\n{:<28}", report.outcomes[i].scenario);
    }
    text += fmt::format(" {:>9}", cell(report.outcomes[i]));
  }
  return text + '\n';
}

std::string suite_table(const Report& report, const std::vector<Total>& all) {
  return totals_table(all) + weights_table(all) +
         "\nharm; !: another policy has less of it and withholds less\n" +
         matrix(report,
                all,
                [&report](const Outcome& outcome) {
                  return fmt::format("{:g}{}",
                                     outcome.harm(report.weights),
                                     is_off_front(report, outcome) ? "!" : " ");
                }) +
         "\nGiB-hours withheld\n" + matrix(report, all, [](const Outcome& outcome) {
           return fmt::format("{:.0f} ", outcome.withheld_gib_hours);
         });
}

std::string outcome_table(const Report& report) {
  std::string text =
      fmt::format("{:<28} {:<16} {:>6} {:>11} {:>5} {:>6} {:>8} {:>8} {:>6} {:>8} {}\n",
                  "scenario",
                  "policy",
                  "harm",
                  "GiB-hours",
                  "OOM",
                  "VM cut",
                  "evicted",
                  "needless",
                  "spells",
                  "restarts",
                  "front");
  for (const Outcome& outcome : report.outcomes) {
    text += fmt::format("{:<28} {:<16} {:>6g} {:>11.1f} {:>5} {:>6} {:>8} {:>8} {:>6} {:>8} {}\n",
                        outcome.scenario,
                        outcome.policy,
                        outcome.harm(report.weights),
                        outcome.withheld_gib_hours,
                        outcome.oom_kills,
                        outcome.vm_power_cuts,
                        outcome.vm_evictions + outcome.container_evictions,
                        outcome.needless_vm_evictions + outcome.needless_container_evictions,
                        outcome.needless_spells,
                        outcome.restarts,
                        is_off_front(report, outcome) ? "no" : "yes");
  }
  return text;
}

}  // namespace

std::vector<Total> totals(const Report& report) {
  std::vector<Total> all;
  for (const Outcome& outcome : report.outcomes) {
    auto found = std::ranges::find(all, outcome.policy, &Total::policy);
    if (found == all.end()) {
      all.push_back({.policy = outcome.policy});
      found = all.end() - 1;
    }
    add(*found, report, outcome);
  }
  return all;
}

std::string to_table(const Report& report, bool /*colour*/) {
  const std::vector<Total> all = totals(report);
  return all.size() < report.outcomes.size() ? suite_table(report, all) : outcome_table(report);
}

ordered_json to_json(const Report& report) {
  ordered_json outcomes = ordered_json::array();
  for (const Outcome& outcome : report.outcomes) {
    outcomes.push_back(to_json(outcome, report));
  }
  ordered_json all = ordered_json::array();
  for (const Total& total : totals(report)) {
    all.push_back({{"policy", total.policy},
                   {"harm", total.harm},
                   {"harm_with_one_weight_halved_or_doubled", total.harm_otherwise},
                   {"withheld_gib_hours", total.withheld_gib_hours},
                   {"scenarios_off_front", total.off_front}});
  }
  const HarmWeights& weights = report.weights;
  ordered_json document{{"weights",
                         {{"oom_kill", weights.oom_kill},
                          {"needless_vm_eviction", weights.needless_vm},
                          {"needless_container_eviction", weights.needless_container},
                          {"needless_pressure_spell", weights.needless_spell},
                          {"kubelet_restart", weights.restart}}},
                        {"totals", std::move(all)},
                        {"outcomes", std::move(outcomes)}};
  put_text(document, "problem", report.problem ? to_text(*report.problem) : "", "none");
  return document;
}

}  // namespace eviction::agent::simulate
