// SPDX-License-Identifier: Apache-2.0
#include "agent/executor.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "agent/journal_file.h"
#include "agent/needed_files.h"
#include "agent/policy/foreign_settings.h"
#include "agent/state_file.h"
#include "agent/value_proof.h"
#include "config/drop_in.h"

namespace eviction::agent {

namespace {

using std::chrono::seconds;

constexpr seconds kTransactionInterval{1};
/// How often the running kubelet is asked for the value of our file: as long as it has another, and
/// when it has it.
constexpr seconds kUnprovenInterval{30};
constexpr seconds kProvenInterval{300};
/// The sources of a proof are up to date so long after a kubelet's start.
constexpr seconds kProofSettles{120};

/// unsafe_alone() of another content of the file than the plan saw.
std::optional<std::string> unsafe_alone(Plan plan, const std::optional<std::string>& content) {
  const auto value =
      content ? config::parse_own_file(*content, {}) : Result<config::MemoryEviction>{};
  if (!value || !value->hard) {
    return std::nullopt;
  }
  if (!plan.observation.kubelet) {
    return "no kubelet runs, so whether pods fit beside the hard threshold cannot be known, and no "
           "agent runs to watch over it";
  }
  plan.observation.kubelet->file_content = content;
  return unsafe_alone(plan);
}

}  // namespace

Executor::Executor(const Host& host,
                   const config::AgentConfig& config,
                   systemd::EventLoop& loop,
                   std::function<void()> changed,
                   std::function<void()> look_again)
    : host_{host},
      config_{config},
      loop_{loop},
      changed_{std::move(changed)},
      node_{host_,
            config_,
            loop_,
            [this] {
              ++deeds_.restarts;
              count_restart(record_, wall_now());
              record_.file = transaction_->journal().file;
              return save_record(*host_.root, record_);
            }},
      runtime_{loop_, host_.root, std::move(look_again)} {}

const Record& Executor::read_record() {
  if (!transaction_ && unsaved_) {
    save();
  }
  // While a transaction runs, what it has counted is the newest.
  if (!transaction_ && !unsaved_) {
    LoadedRecord loaded = load_record(*host_.root);
    record_ = std::move(loaded.record);
    unread_ = loaded.unread ? to_text(*loaded.problem) : std::string{};
    if (loaded.problem) {
      problem(*loaded.problem);
    }
    if (leave_no_future(record_, wall_now())) {
      save();
    }
  }
  return record_;
}

std::optional<std::string> Executor::runtime_silence(const Kubelet& kubelet) {
  const bool quiet = config_.mode != config::Mode::kEnforce ||
                     (in_force_ && in_force_->state == Proof::State::kInForce);
  return runtime_.silence(kubelet, quiet);
}

void Executor::act_on(const Plan& plan, const std::string& not_yet) {
  const std::string rejects =
      config_.mode == config::Mode::kObserve ? next_start_rejects(plan) : std::string{};
  if (!rejects.empty()) {
    problem(Error{.kind = ErrorKind::kUnsupported,
                  .path = host_.root->path_of(plan.observation.kubelet->file),
                  .what = rejects + ", and mode observe does not mend that",
                  .remedy = "set [agent] mode = stage, or run eviction-agent rollback"});
  }
  const std::optional<std::string> unfinished = transaction_ ? std::nullopt : resume(plan);
  if (unfinished) {
    check_in_force(plan);
    decide_and_act(plan, unfinished->empty() ? not_yet : *unfinished);
  }
}

void Executor::check_in_force(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  const auto wanted = kubelet ? armed(*kubelet) : std::nullopt;
  if (!wanted) {
    in_force_.reset();
    return;
  }
  const bool proven = in_force_ && in_force_->state == Proof::State::kInForce;
  in_force_ = node_.proof(*kubelet, *wanted, proven ? kProvenInterval : kUnprovenInterval);
  const bool settled = kubelet_age(plan.observation) > kProofSettles;
  if (in_force_ && settled && config_.mode != config::Mode::kObserve) {
    remember(plan, *in_force_);
  }
}

/// Notes in the journal which run of the kubelet uses the file's value. A file with our mark and
/// without a journal is what is left of a change that nobody remembers: taken for committed when
/// the kubelet uses it, and undone when it does not; while nobody tells, or where no kubelet would
/// start without it, it stays.
void Executor::remember(const Plan& plan, const Proof& proof) {
  const Kubelet& kubelet = *plan.observation.kubelet;
  const auto journal = read_journal(*host_.root, kubelet.file);
  if (!journal || (*journal && (**journal).phase != Phase::kCommitted)) {
    return;
  }
  if (proof.state != Proof::State::kInForce) {
    if (!*journal && proof.source != kNobody && !plan.file_needed) {
      change_file(ValueChange::kWithdrawn,
                  kubelet,
                  std::nullopt,
                  "it has no journal, and the kubelet does not use it: " + proof.reason);
    }
    return;
  }
  if (*journal && kubelet.proven && !kubelet.withdrawn &&
      kubelet.committed == kubelet.file_content) {
    return;
  }
  const std::optional<HostLock> lock = lock_changes();
  if (!lock) {
    return;
  }
  Journal found = journal->value_or(Journal{});
  found.phase = Phase::kCommitted;
  found.file = kubelet.file;
  found.after = kubelet.file_content;
  found.proven = KubeletRun{read_boot_id(host_), kubelet.start};
  found.withdrawn = false;
  if (const Result<void> saved = node_.save(found); !saved) {
    problem(saved.error());
  }
}

void Executor::decide_and_act(const Plan& plan, const std::string& not_yet) {
  Situation situation{.mode = config_.mode};
  const auto& kubelet = plan.observation.kubelet;
  if (kubelet && kubelet->target != Target::kNone) {
    situation.not_yet = unread_.empty() ? not_yet : unread_;
    if (auto staged = read_file(*host_.root, staged_path(kubelet->file))) {
      situation.staged = std::move(*staged);
      staged_ = situation.staged.has_value();
    } else {
      problem(staged.error());
    }
    if (config_.mode != config::Mode::kObserve) {
      remove_outdated(plan);
    }
  }
  lower_watch_.tell(plan, since_boot(), situation);
  Decision decision = decide(plan, situation);
  if (decision.act != decision_.act || decision.content != decision_.content) {
    spdlog::info("decision {}: {}", to_text(decision.act), decision.reason);
  }
  decision_ = std::move(decision);
  ++deeds_.acts[decision_.act];
  if (decision_.act != Act::kNothing) {
    act(decision_, plan);
  }
}

void Executor::act(const Decision& decision, const Plan& plan) {
  const Kubelet& kubelet = *plan.observation.kubelet;
  switch (decision.act) {
    case Act::kNothing:
      break;
    case Act::kStage:
      stage(kubelet, decision.content);
      break;
    case Act::kUnstage:
      stage(kubelet, std::nullopt);
      break;
    case Act::kApply:
      if (runtime_.is_fresh(kubelet)) {
        begin(kubelet, decision.content);
      }
      break;
    case Act::kShrink:
      shrink(decision, plan);
      break;
    case Act::kWithdraw:
      change_file(ValueChange::kWithdrawn, kubelet, std::nullopt, decision.reason);
      break;
    case Act::kRestore:
      change_file(ValueChange::kRestored, kubelet, decision.content, decision.reason);
      break;
  }
}

/// On a full disk a file can still be removed, and none is safer than one that is too large.
void Executor::shrink(const Decision& decision, const Plan& plan) {
  const Kubelet& kubelet = *plan.observation.kubelet;
  if (!change_file(ValueChange::kShrunk, kubelet, decision.content, decision.reason) &&
      !plan.file_needed) {
    change_file(ValueChange::kWithdrawn,
                kubelet,
                std::nullopt,
                decision.reason + "; a smaller one could not be written");
  }
}

void Executor::stage(const Kubelet& kubelet, const std::optional<std::string>& content) {
  const Result<void> put = put_file(*host_.root, staged_path(kubelet.file), content);
  if (!put) {
    problem(put.error());
  }
}

std::optional<HostLock> Executor::lock_changes() {
  Result<HostLock> lock = HostLock::take(*host_.root, kChangeLock);
  if (!lock) {
    problem(lock.error());
    return std::nullopt;
  }
  return std::move(*lock);
}

/// Without a restart. A crash between journal and file does no harm: remember() looks at both.
bool Executor::change_file(ValueChange change,
                           const Kubelet& kubelet,
                           const std::optional<std::string>& content,
                           const std::string& reason) {
  const std::optional<HostLock> lock = lock_changes();
  if (!lock) {
    return true;
  }
  if (change == ValueChange::kWithdrawn) {
    mark_withdrawn(kubelet, true);
  }
  if (const Result<void> put = put_file(*host_.root, kubelet.file, content); !put) {
    problem(put.error());
    return false;
  }
  if (change == ValueChange::kRestored) {
    mark_withdrawn(kubelet, false);
  }
  keep(change, kubelet.file, reason);
  spdlog::warn("{}", incidents_.back().what);
  return true;
}

/// Where the journal cannot be written the file is withdrawn all the same, and then does not come
/// back without a restart.
void Executor::mark_withdrawn(const Kubelet& kubelet, bool withdrawn) {
  auto journal = read_journal(*host_.root, kubelet.file);
  if (!journal || !*journal) {
    return;
  }
  (**journal).withdrawn = withdrawn;
  if (const Result<void> saved = node_.save(**journal); !saved) {
    problem(saved.error());
  }
}

void Executor::keep(ValueChange change, const std::string& file, const std::string& reason) {
  incidents_.push_back(transaction_incident(change, file, reason, wall_now()));
}

void Executor::remove_outdated(const Plan& plan) {
  const auto outdated = outdated_file(*host_.root, *plan.observation.kubelet);
  if (!outdated) {
    return;
  }
  const auto needed = needed_files(host_, plan.observation, config_);
  if (const auto file = needed.find(*outdated); file != needed.end()) {
    problem(stays(host_.root->path_of(file->first), file->second));
    return;
  }
  if (const Result<void> removed = put_file(*host_.root, *outdated, std::nullopt); !removed) {
    problem(removed.error());
    return;
  }
  spdlog::warn("{}: removed; the kubelet reads drop-ins by now, which this would shadow",
               *outdated);
}

void Executor::begin(const Kubelet& kubelet, const std::string& content) {
  std::optional<HostLock> lock = lock_changes();
  if (!lock) {
    return;
  }
  // Another agent may have had the lock since the walk began: the next one sees what it left.
  const auto left = interrupted_change(*host_.root, kubelet, record_.file);
  if (!left || *left) {
    return;
  }
  static_cast<void>(read_record());
  Result<Journal> journal = node_.intend(content);
  if (!journal) {
    problem(journal.error());
    return;
  }
  // What cannot be remembered would be tried again at each walk.
  record_.file = journal->file;
  if (const Result<void> saved = save_record(*host_.root, record_); !saved) {
    problem(saved.error());
    return;
  }
  change_lock_ = std::move(*lock);
  spdlog::warn("transaction: {} is to be put in force", journal->file);
  run(std::move(*journal), false);
}

std::optional<std::string> Executor::resume(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  auto journal = interrupted_change(*host_.root, kubelet, record_.file);
  if (!journal) {
    problem(journal.error());
    return "whether a change was interrupted cannot be known: " + to_text(journal.error());
  }
  if (!*journal) {
    if (kubelet && kubelet->target != Target::kNone) {
      sweep(kubelet->file);
    }
    return std::string{};
  }
  const std::string phase{to_text((**journal).phase)};
  if (config_.mode == config::Mode::kObserve) {
    problem(Error{.kind = ErrorKind::kUnsupported,
                  .path = host_.root->path_of((**journal).file),
                  .what = "a change of it was interrupted in phase " + phase +
                          ", and mode observe neither finishes nor undoes it",
                  .remedy = "set [agent] mode = stage, or run eviction-agent rollback"});
    return std::string{};
  }
  auto lock = HostLock::take(*host_.root, kChangeLock);
  if (!lock) {
    // It is not interrupted: "apply" is at it.
    transaction_reason_ = to_text(lock.error());
    return transaction_reason_;
  }
  // Until now another agent may have had the lock, and gone on with it or finished it.
  journal = interrupted_change(*host_.root, kubelet, record_.file);
  if (journal && *journal) {
    static_cast<void>(read_record());
    change_lock_ = std::move(*lock);
    spdlog::warn("transaction: one that was interrupted in phase {} is taken up", phase);
    run(std::move(**journal), true);
  }
  return std::nullopt;
}

void Executor::sweep(const std::string& file) {
  if (config_.mode == config::Mode::kObserve || !has_leftovers(*host_.root, file)) {
    return;
  }
  // Without the lock, what is there is being written just now.
  if (const Result<HostLock> lock = HostLock::take(*host_.root, kChangeLock); lock) {
    if (const Result<void> swept = remove_leftovers(*host_.root, file); !swept) {
      problem(swept.error());
    }
  }
}

void Executor::run(Journal journal, bool resumed) {
  node_.forget_restarts();
  transaction_ = std::make_unique<Transaction>(node_, std::move(journal), resumed);
  advance();
}

void Executor::advance() {
  const Phase before = transaction_->journal().phase;
  const Transaction::Outcome outcome = transaction_->advance();
  if (transaction_->journal().phase != before) {
    spdlog::info("transaction: phase {}: {}",
                 to_text(transaction_->journal().phase),
                 transaction_->reason());
  }
  transaction_reason_ = transaction_->reason();
  if (outcome != Transaction::Outcome::kRunning) {
    end_transaction(outcome);
    return;
  }
  auto timer = loop_.after(kTransactionInterval, [this] {
    advance();
    changed_();
  });
  if (timer) {
    timer_ = std::move(*timer);
  } else {
    problem(timer.error());
  }
}

void Executor::end_transaction(Transaction::Outcome outcome) {
  if (!transaction_->begun()) {
    problems_.push_back("nothing was changed: " + transaction_->reason());
    transaction_.reset();
    change_lock_.reset();
    return;
  }
  keep(outcome == Transaction::Outcome::kCommitted ? ValueChange::kInForce : ValueChange::kPutBack,
       transaction_->journal().file,
       transaction_->reason());
  if (outcome == Transaction::Outcome::kCommitted) {
    ++deeds_.committed;
    record_.failures = 0;
    spdlog::info("transaction: committed: {}", transaction_->reason());
  } else {
    ++deeds_.put_back;
    count_failure(record_, wall_now(), transaction_->reason());
    spdlog::error("transaction: failed and put back: {}", transaction_->reason());
  }
  for (const std::string& line :
       node_.kubelet_warnings_since(std::chrono::system_clock::now() - 2 * kWatchTime)) {
    spdlog::warn("kubelet: {}", line);
  }
  save();
  transaction_.reset();
  change_lock_.reset();
}

void Executor::save() {
  const Result<void> saved = save_record(*host_.root, record_);
  unsaved_ = !saved;
  if (!saved) {
    problem(saved.error());
  }
}

void Executor::leave(const Plan& plan) {
  if (transaction_) {
    leave_transaction(plan);
    return;
  }
  const auto& kubelet = plan.observation.kubelet;
  if (!kubelet || config_.mode == config::Mode::kObserve) {
    return;
  }
  if (const std::optional<std::string> reason = unsafe_alone(plan)) {
    change_file(ValueChange::kWithdrawn, *kubelet, std::nullopt, *reason);
  }
}

/// What is not at its end when it is put back is finished by the next agent, from the journal.
void Executor::leave_transaction(const Plan& plan) {
  const Journal& journal = transaction_->journal();
  const auto with_after = unsafe_alone(plan, journal.after);
  const auto with_before = unsafe_alone(plan, journal.before);
  const bool is_back = journal.phase == Phase::kPutBack;
  if (is_back ? !with_before : !with_after) {
    return;
  }
  transaction_->give_up("the agent was stopped in the middle: " + with_after.value_or(""),
                        with_before.has_value());
  advance();
}

void Executor::report(Status& status) {
  status.decision = decision_;
  status.record = record_;
  status.in_force = in_force_;
  status.staged = staged_;
  status.deeds = deeds_;
  status.transaction_reason = transaction_reason_;
  status.transaction.reset();
  if (transaction_) {
    status.transaction = transaction_->journal();
  }
  for (std::string& text : std::exchange(problems_, {})) {
    status.problems.push_back(std::move(text));
  }
}

}  // namespace eviction::agent
