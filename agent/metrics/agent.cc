// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>

#include "agent/metrics/parts.h"
#include "agent/policy/foreign_settings.h"
#include "agent/version.h"

namespace eviction::agent::metrics {

namespace {

constexpr std::array kActs{
    Act::kStage, Act::kUnstage, Act::kApply, Act::kShrink, Act::kWithdraw, Act::kRestore};

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>{time}.count();
}

double timestamp(std::chrono::sys_seconds at) {
  return static_cast<double>(at.time_since_epoch().count());
}

void add_build(Families& families, const Status& status) {
  const Counters& counters = status.counters;
  families.gauge("build_info", "Version of the agent and what it was compiled with.");
  families.add(true, {{"version", kVersion}, {"compiler", kCompiler}});
  families.gauge("mode_info", "What the agent does with the value it computes.");
  families.add(true, {{"mode", config::to_text(status.mode)}});
  families.gauge("start_time_seconds", "When the agent started, in seconds since 1970.");
  families.add(timestamp(counters.started));
  families.counter("cpu_seconds_total", "CPU time of the agent.");
  families.add(seconds(counters.cpu));
}

void add_work(Families& families, const Counters& counters) {
  families.gauge("observation_timestamp_seconds",
                 "When the last full look at the node began, in seconds since 1970.");
  if (counters.walked_at) {
    families.add(timestamp(*counters.walked_at));
  }
  families.summary("tick_duration_seconds",
                   "Time the agent took for a cheap look at free memory, and for a full look at "
                   "the node.");
  families.add_summary(counters.looks.count, seconds(counters.looks.total), {{"tick", "look"}});
  families.add_summary(counters.walks.count, seconds(counters.walks.total), {{"tick", "walk"}});
  families.counter("read_errors_total",
                   "Files and sources that could not be read or understood, at each full look.");
  for (const auto& [kind, count] : counters.read_errors) {
    families.add(count, {{"file", kind}});
  }
}

void add_state(Families& families, const Plan& plan, const Status& status) {
  const auto& kubelet = plan.observation.kubelet;
  families.gauge("value_staged", "1 if a value is kept beside its file, for \"apply\", else 0.");
  families.add(status.staged);
  families.gauge("value_applied", "1 if the agent's file for the kubelet is there, else 0.");
  if (kubelet && kubelet->target != Target::kNone) {
    families.add(armed(*kubelet).has_value());
  }
  families.gauge("value_in_force",
                 "1 if the running kubelet uses the value of the agent's file, 0 if it does not "
                 "(yet); none while it cannot be asked.");
  if (status.in_force) {
    families.add(status.in_force->state == Proof::State::kInForce);
  }
  families.gauge("quarantined",
                 "1 if the agent only observes, after too many failures, until \"rollback\".");
  families.add(status.record.failures >= kQuarantineAfter);
  families.gauge("transaction_running", "1 while a change is under way.");
  families.add(status.transaction.has_value());
  families.gauge("transaction_failures",
                 "Transactions that failed since the last one that was committed.");
  families.add(static_cast<std::uint64_t>(status.record.failures));
  families.gauge("transaction_last_failure_timestamp_seconds",
                 "When a transaction last failed, in seconds since 1970.");
  if (status.record.last_failure) {
    families.add(timestamp(*status.record.last_failure));
  }
  families.gauge("problems", "Problems of configuration, state and the agent's last act.");
  families.add(std::uint64_t{status.problems.size()});
}

void add_deeds(Families& families, const Status& status) {
  const Deeds& deeds = status.deeds;
  families.gauge("kubelet_restarts_last_day",
                 "Restarts of the kubelet by the agent in the last 24 h.");
  families.add(static_cast<std::uint64_t>(restarts_within_a_day(status.record, status.at)));
  families.counter("kubelet_restarts_total",
                   "Restarts of the kubelet by this daemon, those of apply not among them.");
  families.add(deeds.restarts);
  families.counter("transactions_total",
                   "Transactions of this daemon by how they ended; put-back is a rollback.");
  families.add(deeds.committed, {{"outcome", "committed"}});
  families.add(deeds.put_back, {{"outcome", "put-back"}});
  families.counter("acts_total", "What the agent decided to do with its file.");
  for (const Act act : kActs) {
    const auto count = deeds.acts.find(act);
    families.add(count == deeds.acts.end() ? std::uint64_t{0} : count->second,
                 {{"act", to_text(act)}});
  }
}

}  // namespace

void add_agent(Families& families, const Plan& plan, const Status& status) {
  add_state(families, plan, status);
  add_deeds(families, status);
  add_work(families, status.counters);
  add_build(families, status);
}

}  // namespace eviction::agent::metrics
