// SPDX-License-Identifier: Apache-2.0
#include "agent/apply.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/container_runtime.h"
#include "agent/incident_json.h"
#include "agent/incident_log.h"
#include "agent/live_node.h"
#include "agent/needed_files.h"
#include "agent/policy/decide.h"
#include "agent/policy/foreign_settings.h"
#include "agent/policy/incidents.h"
#include "agent/recall.h"
#include "agent/state_file.h"
#include "agent/target_files.h"
#include "agent/value_proof.h"

namespace eviction::agent {

namespace {

constexpr std::chrono::milliseconds kRuntimeAnswerTime{2000};
constexpr std::chrono::milliseconds kProofAnswerTime{2000};
constexpr std::chrono::seconds kInterval{1};
/// Between the two looks that show whether allocations stall where there is no PSI.
constexpr std::chrono::seconds kStallInterval{2};

ActReport failed(const Error& error) {
  return {ActOutcome::kFailed, to_text(error)};
}

/// Allocations that stalled on reclaim within kStallInterval. Absent: the kernel does not say.
std::optional<std::uint64_t> stalls(const Host& host,
                                    const Observation& seen,
                                    cgroup::Buffer& buffer) {
  if (!host.proc || !seen.vmstat || !seen.vmstat->allocstall) {
    return std::nullopt;
  }
  std::this_thread::sleep_for(kStallInterval);
  const auto now = cgroup::read_vmstat(*host.proc, buffer);
  return now && now->allocstall ? std::optional{*now->allocstall - *seen.vmstat->allocstall}
                                : std::nullopt;
}

/// The plan with what only one who acts may ask: the record and the container runtime.
Plan plan_to_act(const Host& host, const config::AgentConfig& config, const Record& record) {
  cgroup::Buffer buffer;
  Observation seen = observe(host, config, buffer);
  Circumstances known = circumstances_of(record, wall_now());
  if (!seen.pressure) {
    known.stalls = stalls(host, seen, buffer);
  }
  if (seen.kubelet && host.root) {
    const auto answers = container_runtime_answers(*seen.kubelet, *host.root, kRuntimeAnswerTime);
    known.runtime_silence = answers ? std::string{} : to_text(answers.error());
  }
  NodeHistory history;
  if (host.root) {
    static_cast<void>(recall(*host.root, history));  // without it the plan is as on the first day
  }
  history.add_to(known, seen, seen.uptime);
  return make_plan(std::move(seen), config, known);
}

/// Every guard that does not hold, a line each.
std::string guards_against(const Plan& plan) {
  std::string text;
  for (const Guard& guard : plan.guards) {
    if (guard.ok != true) {
      text += fmt::format("\n  {} {}: {}", guard.ok ? "NO" : "? ", guard.name, guard.reason);
    }
  }
  return text;
}

/// Runs a transaction to its end on the loop.
class Run {
 public:
  Run(systemd::EventLoop& loop, Transaction& transaction, const Progress& progress)
      : loop_{loop}, transaction_{transaction}, progress_{progress} {}

  Transaction::Outcome to_the_end() {
    step();
    const Result<int> ended = loop_.run();
    return ended ? outcome_ : Transaction::Outcome::kRunning;
  }

 private:
  void step() {
    outcome_ = transaction_.advance();
    const std::string line =
        std::string{to_text(transaction_.journal().phase)} + ": " + transaction_.reason();
    if (line != told_) {
      progress_(line);
      told_ = line;
    }
    if (outcome_ != Transaction::Outcome::kRunning) {
      loop_.exit(0);
      return;
    }
    auto timer = loop_.after(kInterval, [this] { step(); });
    if (timer) {
      timer_ = std::move(*timer);
    } else {
      loop_.exit(1);
    }
  }

  systemd::EventLoop& loop_;
  Transaction& transaction_;
  const Progress& progress_;
  systemd::EventSource timer_;
  Transaction::Outcome outcome_ = Transaction::Outcome::kRunning;
  std::string told_;
};

/// Why the plan cannot be applied. Absent: it can.
std::optional<ActReport> refusal(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  if (!kubelet) {
    return ActReport{ActOutcome::kFailed, "no kubelet is found on this node"};
  }
  if (plan.file_content.empty()) {
    return ActReport{
        ActOutcome::kFailed,
        "nothing to apply: " +
            (kubelet->target == Target::kNone ? kubelet->target_reason : plan.sizing.reason)};
  }
  if (const std::string guards = guards_against(plan); !guards.empty()) {
    return ActReport{ActOutcome::kRefused, "refused by guards, nothing was changed:" + guards};
  }
  if (!plan.restart_forbidden.empty()) {
    return ActReport{ActOutcome::kRefused, "nothing was changed: " + plan.restart_forbidden};
  }
  return std::nullopt;
}

ActReport report_end(const Host& host,
                     const Transaction& transaction,
                     Transaction::Outcome outcome,
                     Record& record) {
  std::string text = transaction.reason();
  if (outcome == Transaction::Outcome::kCommitted) {
    record.failures = 0;
    text = "in force: " + transaction.journal().file + ": " + text;
  } else if (transaction.begun()) {
    count_failure(record, wall_now(), transaction.reason());
    text = "failed and put back: " + text;
  } else {
    return {ActOutcome::kFailed, "nothing was changed: " + text};
  }
  if (const Result<void> saved = save_record(*host.root, record); !saved) {
    text += "\n" + to_text(saved.error());
  }
  const Incident incident = transaction_incident(
      outcome == Transaction::Outcome::kCommitted ? ValueChange::kInForce : ValueChange::kPutBack,
      transaction.journal().file,
      transaction.reason(),
      wall_now());
  std::vector<std::string> lines{render_incident(incident)};
  if (const auto kept = append_incidents(*host.root, lines); !kept) {
    text += "\n" + to_text(kept.error());
  }
  return {outcome == Transaction::Outcome::kCommitted ? ActOutcome::kDone : ActOutcome::kFailed,
          text};
}

Result<Record> peek_own_record(const Host& host, const Progress& progress) {
  Result<Record> record = peek_record(*host.root);
  if (record) {
    leave_no_future(*record, wall_now());
    return record;
  }
  if (record.error().kind != ErrorKind::kMalformed) {
    return record;
  }
  progress(to_text(record.error()));
  return Record{};
}

/// The record; times of the future in it are mended on the disk, too.
Result<Record> load_own_record(const Host& host, const Progress& progress) {
  LoadedRecord loaded = load_record(*host.root);
  if (loaded.unread) {
    return tl::unexpected{*loaded.problem};
  }
  if (loaded.problem) {
    progress(to_text(*loaded.problem));
  }
  if (leave_no_future(loaded.record, wall_now())) {
    if (const Result<void> saved = save_record(*host.root, loaded.record); !saved) {
      progress(to_text(saved.error()));
    }
  }
  return std::move(loaded.record);
}

/// Finishes or undoes what was interrupted, or else gives the file this content; absent: there was
/// something that was interrupted.
ActReport carry_out(const Host& host,
                    const config::AgentConfig& config,
                    const std::optional<Kubelet>& kubelet,
                    const std::optional<std::string>& content,
                    const Progress& progress) {
  auto loop = systemd::EventLoop::create();
  const Result<HostLock> lock = HostLock::take(*host.root, kChangeLock);
  if (!loop || !lock) {
    return failed(loop ? lock.error() : loop.error());
  }
  // What was read without the lock may be older than what another agent did.
  LoadedRecord loaded = load_record(*host.root);
  if (loaded.unread) {
    return failed(*loaded.problem);
  }
  Record record = std::move(loaded.record);
  auto left = interrupted_change(*host.root, kubelet, record.file);
  if (!left) {
    return failed(left.error());
  }
  if (!*left && !content) {
    return {ActOutcome::kFailed,
            "nothing was changed: another agent has just ended what was interrupted"};
  }
  LiveNode node{host, config, *loop, [&host, &record] {
                  count_restart(record, wall_now());
                  return save_record(*host.root, record);
                }};
  const bool resumed = left->has_value();
  Result<Journal> journal = resumed ? Result<Journal>{std::move(**left)} : node.intend(content);
  if (!journal) {
    return failed(journal.error());
  }
  record.file = journal->file;
  if (const Result<void> saved = save_record(*host.root, record); !saved) {
    return failed(saved.error());
  }
  Transaction transaction{node, std::move(*journal), resumed};
  const auto begun = std::chrono::system_clock::now();
  const Transaction::Outcome outcome = Run{*loop, transaction, progress}.to_the_end();
  for (const std::string& line : node.kubelet_warnings_since(begun)) {
    progress("kubelet: " + line);
  }
  return report_end(host, transaction, outcome, record);
}

/// What went, and what could not, a line each.
std::string removal_text(const Removed& removed) {
  std::string text;
  for (const std::string& path : removed.paths) {
    text += (text.empty() ? "removed:\n  " : "\n  ") + path;
  }
  if (!removed.problems.empty()) {
    text += text.empty() ? "could not be removed:" : "\ncould not be removed:";
  }
  for (const Error& problem : removed.problems) {
    text += "\n  " + to_text(problem);
  }
  return text.empty() ? "nothing of the agent's was there" : text;
}

}  // namespace

ActReport apply(const Host& host,
                const config::AgentConfig& config,
                bool dry_run,
                const Progress& progress) {
  const Result<Record> record =
      dry_run ? peek_own_record(host, progress) : load_own_record(host, progress);
  if (!record) {
    return failed(record.error());
  }
  const Plan plan = plan_to_act(host, config, *record);
  const auto& kubelet = plan.observation.kubelet;
  const auto journal = interrupted_change(*host.root, kubelet, record->file);
  if (!journal) {
    return failed(journal.error());
  }
  if (*journal && dry_run) {
    return {ActOutcome::kDone, "an interrupted transaction would be finished or undone first"};
  }
  if (*journal) {
    return carry_out(host, config, kubelet, std::nullopt, progress);
  }
  if (!plan.file_content.empty() && is_armed(plan)) {
    const Proof proof =
        prove_value(*kubelet, *armed(*kubelet), *host.root, kTokenFile, kProofAnswerTime);
    if (proof.state == Proof::State::kInForce) {
      return {ActOutcome::kDone,
              kubelet->file + " has this value already, or one that is close, in force by " +
                  proof.source};
    }
    progress("the file has the value or one that is close, the running kubelet does not use it: " +
             proof.reason);
  }
  if (std::optional<ActReport> refused = refusal(plan)) {
    return *refused;
  }
  if (dry_run) {
    return {ActOutcome::kDone,
            plan.diff.empty()
                ? "the kubelet would be restarted"
                : kubelet->file + " would be written, and the kubelet restarted:\n" + plan.diff};
  }
  // Not the file's own value, however close it is: the guards looked at the plan's.
  return carry_out(host, config, kubelet, plan.file_content, progress);
}

ActReport roll_back(const Host& host, const config::AgentConfig& config) {
  const Result<HostLock> lock = HostLock::take(*host.root, kChangeLock);
  if (!lock) {
    return failed(lock.error());
  }
  cgroup::Buffer buffer;
  const Result<Kubelet> kubelet = host.proc ? find_kubelet(*host.proc, *host.root, config, buffer)
                                            : tl::unexpected{host.proc.error()};
  const auto needed = needed_files(host, observe(host, config, buffer), config);
  const std::string last_changed = load_record(*host.root).record.file;
  Removed removed =
      remove_target_files(*host.root,
                          kubelet ? std::optional{*kubelet} : std::optional<Kubelet>{},
                          last_changed,
                          needed);
  const bool kubelet_files = !removed.paths.empty();
  const bool daemon_runs = HostLock::is_held(*host.root, kRunLock).value_or(false);
  // The record tells the next rollback where a file is that stayed.
  if (removed.problems.empty()) {
    Removed state = remove_state(*host.root, daemon_runs);
    std::ranges::move(state.paths, std::back_inserter(removed.paths));
    removed.problems = std::move(state.problems);
  }
  for (const auto& [file, reason] : needed) {
    removed.problems.push_back(stays(host.root->path_of(file), reason));
  }
  std::string text = removal_text(removed);
  if (!kubelet) {
    text += "\nonly the usual places of RKE2 and k3s" +
            (last_changed.empty() ? std::string{} : " and " + last_changed) +
            " were looked at: " + to_text(kubelet.error());
  } else if (kubelet_files) {
    text += "\nthe kubelet runs on with its present value until its next start";
  }
  if (daemon_runs) {
    text += "\nthe daemon runs on, acts by its mode, and keeps what it learned and recorded";
  }
  return {removed.problems.empty() ? ActOutcome::kDone : ActOutcome::kFailed, text};
}

}  // namespace eviction::agent
