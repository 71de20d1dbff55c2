// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/transaction.h"

#include <algorithm>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

Step enter(Phase phase, std::string reason) {
  return {Move::kEnter, phase, std::move(reason)};
}

Step put_back(std::string reason) {
  return enter(Phase::kPutBack, std::move(reason));
}

Step wait(std::string reason) {
  return {Move::kWait, Phase::kWrite, std::move(reason)};
}

/// Since the phase began; after a reboot, since that.
std::chrono::seconds elapsed(const Journal& journal, const Facts& facts) {
  return facts.boot_id == journal.boot_id ? facts.now - journal.since : facts.now;
}

/// The limit, or what stands for it after a reboot.
std::chrono::seconds allowed(const Journal& journal,
                             const Facts& facts,
                             std::chrono::seconds limit) {
  return facts.boot_id == journal.kubelet.boot_id ? limit : std::max(limit, kBootLimit);
}

/// Whether the phase lasts longer than the limit, and this process had the time to see why.
bool is_late(const Journal& journal, const Facts& facts, std::chrono::seconds limit) {
  return elapsed(journal, facts) > allowed(journal, facts, limit) && facts.looked_for > kPatience;
}

bool has_restarted(const Journal& journal, const Facts& facts) {
  return facts.kubelet && *facts.kubelet != journal.kubelet;
}

bool holds(const Facts& facts, const std::optional<std::string>& content) {
  return facts.file_known && facts.file == content;
}

Step in_write(const Journal& journal, const Facts& facts) {
  if (has_restarted(journal, facts) && holds(facts, journal.after)) {
    return enter(Phase::kProof, "the kubelet restarted by itself and has read the file");
  }
  if (facts.resumed) {
    return put_back("interrupted before the kubelet was told");
  }
  if (facts.write_failure) {
    return put_back("the file could not be written: " + *facts.write_failure);
  }
  if (holds(facts, journal.after)) {
    return enter(Phase::kRestart, "the file is written");
  }
  if (holds(facts, journal.before)) {
    return {Move::kWriteAfter, Phase::kWrite, "the file has its old content"};
  }
  return put_back("the file could not be read, or somebody else changed it");
}

Step in_restart(const Journal& journal, const Facts& facts) {
  if (has_restarted(journal, facts) && facts.healthy) {
    return enter(Phase::kProof, "the kubelet is back and healthy");
  }
  if (facts.restart_impossible) {
    return put_back("the kubelet could not be restarted: " + *facts.restart_impossible);
  }
  const std::chrono::seconds limit = journal.whole_service ? kServiceLimit : kRestartLimit;
  if (is_late(journal, facts, limit)) {
    return put_back(fmt::format("the kubelet was not back and healthy after {} s", limit.count()));
  }
  if (facts.resumed && !has_restarted(journal, facts) && facts.kubelet) {
    return {Move::kRestart, Phase::kRestart, "interrupted while the kubelet was told to restart"};
  }
  return wait("for the kubelet to come back healthy");
}

Step in_proof(const Journal& journal, const Facts& facts) {
  if (facts.proof.state == Proof::State::kOther) {
    return put_back("the kubelet has another value: " + facts.proof.reason);
  }
  if (facts.proof.state == Proof::State::kInForce && facts.healthy) {
    return enter(Phase::kWatch, "in force by " + facts.proof.source);
  }
  if (is_late(journal, facts, kProofLimit)) {
    return put_back(fmt::format(
        "the value did not show within {} s: {}", kProofLimit.count(), facts.proof.reason));
  }
  return wait("for the kubelet to show the value: " + facts.proof.reason);
}

std::string show_watch(const Facts& facts) {
  const std::string pods =
      facts.lost ? fmt::format("{} pods that ran before do not run", facts.lost->size())
                 : "whether the pods that ran before run cannot be known";
  return fmt::format("kubelet {}, started {} s ago, {}, value: {}",
                     facts.healthy ? "healthy" : "not healthy",
                     facts.kubelet_age.count(),
                     pods,
                     facts.proof.reason);
}

Step in_watch(const Journal& journal, const Facts& facts) {
  if (facts.unhealthy_for > allowed(journal, facts, kPatience)) {
    return put_back(
        fmt::format("the kubelet is not healthy since {} s", facts.unhealthy_for.count()));
  }
  if (facts.lost && !facts.lost->empty() && facts.lost_for > allowed(journal, facts, kPatience)) {
    return put_back(fmt::format("{} pods that ran before do not run since {} s, the first is {}",
                                facts.lost->size(),
                                facts.lost_for.count(),
                                facts.lost->front()));
  }
  if (facts.proof.state == Proof::State::kOther) {
    return put_back("the kubelet has another value by now: " + facts.proof.reason);
  }
  const bool none_lost = facts.lost && facts.lost->empty();
  // One that crashes again and again is healthy in between.
  const bool stays = facts.healthy && facts.kubelet_age >= kWatchTime;
  const bool well = stays && none_lost && facts.proof.state == Proof::State::kInForce;
  const std::chrono::seconds watched = elapsed(journal, facts);
  if (well && watched >= kWatchTime) {
    return {Move::kCommit, Phase::kCommitted, "every pod runs on"};
  }
  if (is_late(journal, facts, 2 * kWatchTime)) {
    return put_back(
        fmt::format("after {} s not all is well: {}", watched.count(), show_watch(facts)));
  }
  return wait(fmt::format("watching the pods for {} s", kWatchTime.count()));
}

/// Whether another restart would help a kubelet whose file is put back. RKE2 and k3s may still be
/// starting, and give their kubelet the arguments that they read when they started.
bool needs_restart(const Journal& journal, const Facts& facts) {
  const bool hangs = journal.whole_service ? facts.unhealthy_for > kServiceLimit
                                           : facts.run_unhealthy_for > kPatience;
  return hangs && !journal.restarted_again && !facts.restart_pending && facts.kubelet;
}

Step in_put_back(const Journal& journal, const Facts& facts) {
  if (!facts.file_known) {
    return wait("for the file to be readable");
  }
  if (!holds(facts, journal.before)) {
    if (!holds(facts, journal.after)) {
      return {Move::kFail,
              Phase::kPutBack,
              journal.failure + "; somebody else changed the file, which is left as it is"};
    }
    return {Move::kWriteBefore, Phase::kPutBack, "the file has the content that failed"};
  }
  if (facts.healthy) {
    return {Move::kFail, Phase::kPutBack, journal.failure};
  }
  if (is_late(journal, facts, journal.whole_service ? 2 * kServiceLimit : kPutBackLimit)) {
    return {Move::kFail,
            Phase::kPutBack,
            journal.failure + "; the kubelet is not healthy with its old settings either"};
  }
  if (needs_restart(journal, facts)) {
    return {Move::kRestart, Phase::kPutBack, "not healthy though the file is put back"};
  }
  return wait("for the kubelet to be healthy with its old settings");
}

}  // namespace

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::kWrite:
      return "write";
    case Phase::kRestart:
      return "restart";
    case Phase::kProof:
      return "proof";
    case Phase::kWatch:
      return "watch";
    case Phase::kPutBack:
      return "put-back";
    case Phase::kCommitted:
      return "committed";
  }
  return "";
}

std::string_view to_text(Proof::State state) {
  switch (state) {
    case Proof::State::kInForce:
      return "in-force";
    case Proof::State::kNotYet:
      return "not-yet";
    case Proof::State::kOther:
      return "other";
  }
  return "";
}

Step next_step(const Journal& journal, const Facts& facts) {
  // Somebody else took it away, or an agent that died before it could write so into the journal.
  const bool is_told = journal.phase == Phase::kRestart || journal.phase == Phase::kProof ||
                       journal.phase == Phase::kWatch;
  if (is_told && facts.file_known && facts.file != journal.after) {
    return put_back("the file does not have its new content any more");
  }
  switch (journal.phase) {
    case Phase::kWrite:
      return in_write(journal, facts);
    case Phase::kRestart:
      return in_restart(journal, facts);
    case Phase::kProof:
      return in_proof(journal, facts);
    case Phase::kWatch:
      return in_watch(journal, facts);
    case Phase::kPutBack:
      return in_put_back(journal, facts);
    case Phase::kCommitted:
      break;
  }
  return {Move::kCommit, Phase::kCommitted, "done"};
}

}  // namespace eviction::agent
