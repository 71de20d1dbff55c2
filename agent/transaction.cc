// SPDX-License-Identifier: Apache-2.0
#include "agent/transaction.h"

#include <utility>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

/// How long something has been so; begins to count with the first look that shows it.
std::chrono::seconds lasting(bool shows,
                             std::chrono::seconds now,
                             std::optional<std::chrono::seconds>& since) {
  if (!shows) {
    since.reset();
    return std::chrono::seconds{};
  }
  since = since.value_or(now);
  return now - *since;
}

}  // namespace

Transaction::Transaction(TransactionNode& node, Journal journal, bool resumed)
    : node_{node}, journal_{std::move(journal)}, resumed_{resumed}, saved_{resumed} {}

Facts Transaction::look() {
  Facts facts = node_.look(journal_);
  facts.resumed = resumed_;
  facts.write_failure = write_failure_;
  if (restart_impossible_) {
    facts.restart_impossible = restart_impossible_;
  }
  if (facts.kubelet != run_) {
    run_ = facts.kubelet;
    run_unhealthy_since_.reset();
  }
  facts.looked_for = lasting(true, facts.now, looked_since_);
  facts.run_unhealthy_for = lasting(!facts.healthy, facts.now, run_unhealthy_since_);
  facts.unhealthy_for = lasting(!facts.healthy, facts.now, unhealthy_since_);
  facts.lost_for = lasting(facts.lost && !facts.lost->empty(), facts.now, lost_since_);
  return facts;
}

Transaction::Outcome Transaction::advance() {
  if (!saved_) {
    if (const Result<void> saved = node_.save(journal_); !saved) {
      reason_ = "the journal could not be written: " + to_text(saved.error());
      return Outcome::kFailed;
    }
    saved_ = true;
  }
  // Each phase is entered once and has a handful of steps.
  constexpr int kMostSteps = 32;
  for (int steps = 0; steps < kMostSteps; ++steps) {
    const Facts facts = look();
    const Step step = next_step(journal_, facts);
    reason_ = step.reason;
    if (const std::optional<Outcome> outcome = take(step, facts)) {
      return *outcome;
    }
    resumed_ = false;
  }
  return Outcome::kRunning;
}

void Transaction::give_up(const std::string& reason, bool without_before) {
  const Facts facts = look();
  const bool is_back = journal_.phase == Phase::kPutBack;
  if (without_before && is_back && facts.file_known && facts.file == journal_.before) {
    // Ignored where it fails: then the file is taken for somebody else's, and stays.
    static_cast<void>(node_.write(journal_.file, std::nullopt));
  }
  if (without_before) {
    journal_.before.reset();
  }
  const std::string failure = is_back ? journal_.failure : reason;
  static_cast<void>(enter({Move::kEnter, Phase::kPutBack, failure}, facts));
}

std::optional<Transaction::Outcome> Transaction::take(const Step& step, const Facts& facts) {
  switch (step.move) {
    case Move::kWait:
      return Outcome::kRunning;
    case Move::kWriteAfter:
      if (const Result<void> written = node_.write(journal_.file, journal_.after); !written) {
        write_failure_ = to_text(written.error());
      }
      return std::nullopt;
    case Move::kWriteBefore:
      return put_back();
    case Move::kEnter:
      return enter(step, facts);
    case Move::kRestart:
      resumed_ = false;
      restart();
      return Outcome::kRunning;
    case Move::kCommit:
      return commit(facts);
    case Move::kFail:
      return fail();
  }
  return Outcome::kRunning;
}

std::optional<Transaction::Outcome> Transaction::enter(const Step& step, const Facts& facts) {
  Journal next = journal_;
  next.phase = step.phase;
  next.since = facts.now;
  next.boot_id = facts.boot_id;
  if (step.phase == Phase::kPutBack) {
    next.failure = step.reason;
  }
  const Result<void> saved = node_.save(next);
  // What is to be put back is put back without a journal too: an older phase leads there as well.
  if (!saved && step.phase != Phase::kPutBack) {
    if (journal_.phase == Phase::kWrite) {
      write_failure_ = to_text(saved.error());
      return std::nullopt;
    }
    return cannot_save(saved.error(), facts);
  }
  journal_ = std::move(next);
  unsaved_since_.reset();
  looked_since_.reset();
  unhealthy_since_.reset();
  run_unhealthy_since_.reset();
  lost_since_.reset();
  if (journal_.phase == Phase::kRestart) {
    restart();
  }
  return std::nullopt;
}

/// What cannot be remembered for long does not stay.
std::optional<Transaction::Outcome> Transaction::cannot_save(const Error& error,
                                                             const Facts& facts) {
  if (lasting(true, facts.now, unsaved_since_) <= kPatience) {
    return hold(error);
  }
  reason_ = fmt::format(
      "the journal could not be written for {} s: {}", kPatience.count(), to_text(error));
  return enter({Move::kEnter, Phase::kPutBack, reason_}, facts);
}

std::optional<Transaction::Outcome> Transaction::put_back() {
  const Result<void> written = node_.write(journal_.file, journal_.before);
  if (written) {
    return std::nullopt;
  }
  // On a full disk a file can still be removed, and none is safer than one that failed.
  if (!journal_.before || !node_.write(journal_.file, std::nullopt)) {
    return hold(written.error());
  }
  journal_.failure +=
      "; its old content could not be written, so it was removed: " + to_text(written.error());
  journal_.before.reset();
  return std::nullopt;
}

void Transaction::restart() {
  if (journal_.phase == Phase::kPutBack) {
    journal_.restarted_again = true;
    // Ignored: without it a crash from here on may lead to one restart more.
    static_cast<void>(node_.save(journal_));
  }
  if (const Result<void> told = node_.restart_kubelet(); !told) {
    restart_impossible_ = to_text(told.error());
  }
}

std::optional<Transaction::Outcome> Transaction::commit(const Facts& facts) {
  Journal done = journal_;
  done.phase = Phase::kCommitted;
  done.proven = run_;
  if (const Result<void> saved = node_.save(done); !saved) {
    return cannot_save(saved.error(), facts);
  }
  journal_ = std::move(done);
  return Outcome::kCommitted;
}

Transaction::Outcome Transaction::fail() {
  // RKE2 and k3s may have given their kubelet the arguments before these were put back: the journal
  // says whose they are.
  const bool may_run_with_after = journal_.whole_service && run_ != journal_.kubelet;
  // A file of ours keeps a journal that says so.
  Result<void> ended;
  if (journal_.before || may_run_with_after) {
    Journal done = journal_;
    done.phase = Phase::kCommitted;
    done.after = may_run_with_after ? journal_.after : journal_.before;
    ended = node_.save(done);
  } else {
    ended = node_.remove_journal(journal_.file);
  }
  return ended ? Outcome::kFailed : hold(ended.error());
}

Transaction::Outcome Transaction::hold(const Error& error) {
  reason_ += "; cannot go on: " + to_text(error);
  return Outcome::kRunning;
}

}  // namespace eviction::agent
