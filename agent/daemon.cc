// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

#include "agent/container_runtime.h"
#include "agent/journal_file.h"
#include "config/drop_in.h"
#include "systemd/notify.h"

namespace eviction::agent {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The kubelet looks as often. Source: kubelet v1.36 pkg/kubelet/kubelet.go
/// evictionMonitoringPeriod.
constexpr seconds kWalkInterval{10};
/// While more than twice the threshold is available; pods come and go meanwhile, so not longer.
constexpr seconds kQuietWalkInterval{20};
/// Pressure and a fall of memory ask for a walk no more often than this.
constexpr milliseconds kLeastWalkInterval{1000};
constexpr seconds kTransactionInterval{1};
constexpr milliseconds kRuntimeAnswerTime{1000};
/// Stalls of 150 ms within a second. Source: linux v6.1 Documentation/accounting/psi.rst, the
/// example of its monitor.
constexpr std::string_view kPressureTrigger = "some 150000 1000000";

milliseconds steady_now() {
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

std::chrono::sys_seconds wall_now() {
  return std::chrono::time_point_cast<seconds>(std::chrono::system_clock::now());
}

/// Ignored where it fails: what the service manager shows is a convenience, and a broken socket
/// would fail again each time.
void tell_manager(const Result<void>& told) {
  if (!told) {
    spdlog::debug("service manager: {}", to_text(told.error()));
  }
}

/// The largest threshold that the plan or the file asks for.
std::optional<Bytes> threshold_of(const Plan& plan) {
  const std::optional<Bytes> own = plan.sizing.soft ? plan.sizing.soft : plan.sizing.hard;
  return own ? own : plan.sizing.need;
}

}  // namespace

Daemon::Daemon(const Host& host,
               config::AgentConfig config,
               std::function<config::LoadedConfig()> load,
               systemd::EventLoop& loop)
    : host_{host},
      config_{std::move(config)},
      load_{std::move(load)},
      loop_{loop},
      node_{host_, config_, loop_, [this] {
              count_restart(record_, wall_now());
              return save_record(*host_.root, record_);
            }} {}

Result<void> Daemon::run() {
  const Result<HostLock> lock = HostLock::take(*host_.root, kRunLock);
  if (!lock) {
    return tl::unexpected{lock.error()};
  }
  if (Result<void> listening = listen(); !listening) {
    return listening;
  }
  tell_manager(systemd::notify_ready());
  status_.pid = ::getpid();
  spdlog::info("started, mode {}", config::to_text(config_.mode));
  const Result<int> ended = loop_.run();
  return ended ? Result<void>{} : tl::unexpected{ended.error()};
}

Result<void> Daemon::listen() {
  const std::array<std::pair<int, void (Daemon::*)()>, 3> signals{
      {{SIGTERM, &Daemon::stop}, {SIGINT, &Daemon::stop}, {SIGHUP, &Daemon::reload}}};
  for (const auto& [signal, call] : signals) {
    auto member = call;
    auto source = loop_.on_signal(signal, [this, member] { (this->*member)(); });
    if (!source) {
      return tl::unexpected{source.error()};
    }
    signals_.push_back(std::move(*source));
  }
  const std::array<std::pair<systemd::EventSource*, void (Daemon::*)()>, 2> timers{
      {{&walk_timer_, &Daemon::walk}, {&look_timer_, &Daemon::look}}};
  for (const auto& [timer, call] : timers) {
    auto member = call;
    auto source = loop_.after(milliseconds{}, [this, member] { (this->*member)(); });
    if (!source) {
      return tl::unexpected{source.error()};
    }
    *timer = std::move(*source);
  }
  arm_pressure_trigger();
  return loop_.enable_watchdog();
}

void Daemon::arm_pressure_trigger() {
  if (!host_.proc) {
    return;
  }
  Descriptor file{
      ::openat(host_.proc->fd(), "pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
  const std::string trigger = std::string{kPressureTrigger} + '\0';
  if (file.get() < 0 || ::write(file.get(), trigger.data(), trigger.size()) < 0) {
    spdlog::info("no memory pressure trigger; the looks at /proc/meminfo have to do");
    return;
  }
  pressure_file_ = std::move(file);
  if (auto source = loop_.on_io(pressure_file_.get(), EPOLLPRI, [this](std::uint32_t events) {
        if ((events & EPOLLERR) != 0) {
          pressure_ = {};
        } else {
          on_pressure();
        }
      })) {
    pressure_ = std::move(*source);
  }
}

void Daemon::on_pressure() {
  if (steady_now() - last_walk_ >= kLeastWalkInterval) {
    spdlog::info("tasks stall on memory");
    walk();
  }
}

void Daemon::look() {
  const milliseconds now = steady_now();
  const auto meminfo =
      host_.proc ? cgroup::read_meminfo(*host_.proc, buffer_) : tl::unexpected{host_.proc.error()};
  milliseconds next{kWalkInterval};
  const std::optional<Bytes> threshold = threshold_of(plan_);
  if (meminfo && meminfo->mem_available && threshold && plan_.memory.gap) {
    const Bytes available = *meminfo->mem_available + *plan_.memory.gap;
    if (last_available_ && now > last_look_) {
      const Bytes fall = *last_available_ - available;
      fastest_fall_ =
          std::max(fastest_fall_,
                   Bytes{std::max(fall, Bytes{}).value() * 1000 / (now - last_look_).count()});
    }
    last_available_ = available;
    last_look_ = now;
    const Bytes headroom = available - *threshold;
    next = next_look(headroom, fastest_fall_);
    const bool warns = headroom <= Bytes{};
    if (warns != warned_) {
      warned_ = warns;
      spdlog::warn("available memory {} is {} the threshold that this node needs, {}",
                   to_human(available),
                   warns ? "below" : "above",
                   to_human(*threshold));
      if (now - last_walk_ >= kLeastWalkInterval) {
        walk();
      }
    }
  }
  if (const Result<void> again = look_timer_.again(next); !again) {
    problem(again.error());
  }
}

void Daemon::walk() {
  last_walk_ = steady_now();
  earlier_problems_ = std::exchange(status_.problems, configuration_problems_);
  if (!transaction_) {
    read_record();
  }
  observe_and_plan();
  if (!transaction_) {
    resume();
  }
  if (!transaction_) {
    decide_and_act();
  }
  tell();
  // With what is known now the next look may have to come sooner.
  if (const Result<void> again = look_timer_.again(milliseconds{}); !again) {
    problem(again.error());
  }
  const std::optional<Bytes> threshold = threshold_of(plan_);
  const bool quiet = threshold && plan_.memory.kubelet_available &&
                     *plan_.memory.kubelet_available > *threshold + *threshold;
  if (const Result<void> again = walk_timer_.again(quiet ? kQuietWalkInterval : kWalkInterval);
      !again) {
    problem(again.error());
  }
}

void Daemon::read_record() {
  LoadedRecord loaded = load_record(*host_.root);
  record_ = std::move(loaded.record);
  if (loaded.problem) {
    problem(*loaded.problem);
  }
}

Circumstances Daemon::circumstances() {
  Circumstances known;
  known.available_low = history_.low();
  known.restarts_today = restarts_within_a_day(record_, wall_now());
  known.restart_refused = restart_refused(record_, wall_now());
  return known;
}

void Daemon::observe_and_plan() {
  Observation seen = observe(host_, config_, buffer_);
  Circumstances known = circumstances();
  if (seen.vmstat && seen.vmstat->allocstall) {
    if (last_stalls_) {
      known.stalls = *seen.vmstat->allocstall - *last_stalls_;
    }
    last_stalls_ = seen.vmstat->allocstall;
  }
  if (config_.mode == config::Mode::kEnforce && seen.kubelet) {
    const auto answers = container_runtime_answers(*seen.kubelet, *host_.root, kRuntimeAnswerTime);
    known.runtime_silence = answers ? std::string{} : to_text(answers.error());
  }
  plan_ = make_plan(std::move(seen), config_, known);
  if (plan_.memory.kubelet_available) {
    history_.add(since_boot(), *plan_.memory.kubelet_available);
  }
}

void Daemon::decide_and_act() {
  Situation situation{.mode = config_.mode};
  const auto& kubelet = plan_.observation.kubelet;
  if (kubelet && kubelet->target != Target::kNone) {
    situation.restart_forbidden = restart_forbidden(*kubelet, config_);
    if (auto staged = read_file(*host_.root, staged_path(kubelet->file))) {
      situation.staged = std::move(*staged);
    } else {
      problem(staged.error());
    }
    if (config_.mode != config::Mode::kObserve) {
      remove_outdated();
    }
  }
  if (!asks_for_less(plan_)) {
    lower_since_.reset();
  } else {
    lower_since_ = lower_since_.value_or(since_boot());
    situation.lower_for = since_boot() - *lower_since_;
  }
  const Decision decision = decide(plan_, situation);
  if (decision.act != status_.decision.act || decision.content != status_.decision.content) {
    spdlog::info("decision {}: {}", to_text(decision.act), decision.reason);
  }
  status_.decision = decision;
  act(decision);
}

void Daemon::act(const Decision& decision) {
  switch (decision.act) {
    case Act::kNothing:
      break;
    case Act::kStage:
      stage(decision.content);
      break;
    case Act::kUnstage:
      stage(std::nullopt);
      break;
    case Act::kApply:
      begin(decision.content);
      break;
    case Act::kShrink:
      change_file(decision.content, decision.reason);
      break;
    case Act::kWithdraw:
      change_file(std::nullopt, decision.reason);
      break;
  }
}

void Daemon::stage(const std::optional<std::string>& content) {
  const std::string path = staged_path(plan_.observation.kubelet->file);
  if (const Result<void> put = put_file(*host_.root, path, content); !put) {
    problem(put.error());
  }
}

void Daemon::change_file(const std::optional<std::string>& content, const std::string& reason) {
  const Result<HostLock> lock = HostLock::take(*host_.root, kChangeLock);
  const std::string& path = plan_.observation.kubelet->file;
  const Result<void> put =
      lock ? put_file(*host_.root, path, content) : tl::unexpected{lock.error()};
  if (!put) {
    problem(put.error());
    return;
  }
  spdlog::warn("{} {}: {}", path, content ? "is smaller now" : "is withdrawn", reason);
}

void Daemon::remove_outdated() {
  const auto outdated = outdated_file(*host_.root, *plan_.observation.kubelet);
  if (!outdated) {
    return;
  }
  if (const Result<void> removed = put_file(*host_.root, *outdated, std::nullopt); !removed) {
    problem(removed.error());
    return;
  }
  spdlog::warn("{}: removed; the kubelet reads drop-ins by now, which this would shadow",
               *outdated);
}

void Daemon::begin(const std::string& content) {
  auto lock = HostLock::take(*host_.root, kChangeLock);
  Result<Journal> journal = lock ? node_.intend(content) : tl::unexpected{lock.error()};
  if (!journal) {
    problem(journal.error());
    return;
  }
  change_lock_ = std::move(*lock);
  spdlog::warn("transaction: {} is to be put in force", journal->file);
  transaction_ = std::make_unique<Transaction>(node_, std::move(*journal), false);
  advance();
}

void Daemon::resume() {
  const auto& kubelet = plan_.observation.kubelet;
  if (!kubelet || kubelet->target == Target::kNone) {
    return;
  }
  auto journal = read_journal(*host_.root, kubelet->file);
  if (!journal) {
    problem(journal.error());
    return;
  }
  if (!*journal || (**journal).phase == Phase::kCommitted) {
    return;
  }
  if (config_.mode == config::Mode::kObserve) {
    problem(Error{.kind = ErrorKind::kUnsupported,
                  .path = host_.root->path_of(kubelet->file),
                  .what = "a change of it was interrupted in phase " +
                          std::string{to_text((**journal).phase)} +
                          ", and mode observe neither finishes nor undoes it",
                  .remedy = "set [agent] mode = stage, or run eviction-agent rollback"});
    return;
  }
  auto lock = HostLock::take(*host_.root, kChangeLock);
  if (!lock) {
    // It is not interrupted: "apply" is at it.
    status_.transaction_reason = to_text(lock.error());
    return;
  }
  change_lock_ = std::move(*lock);
  spdlog::warn("transaction: one that was interrupted in phase {} is taken up",
               to_text((**journal).phase));
  transaction_ = std::make_unique<Transaction>(node_, std::move(**journal), true);
  advance();
}

void Daemon::advance() {
  const Phase before = transaction_->journal().phase;
  const Transaction::Outcome outcome = transaction_->advance();
  if (transaction_->journal().phase != before) {
    spdlog::info("transaction: phase {}: {}",
                 to_text(transaction_->journal().phase),
                 transaction_->reason());
  }
  status_.transaction_reason = transaction_->reason();
  if (outcome != Transaction::Outcome::kRunning) {
    end_transaction(outcome);
    return;
  }
  auto timer = loop_.after(kTransactionInterval, [this] {
    advance();
    tell();
  });
  if (timer) {
    transaction_timer_ = std::move(*timer);
  } else {
    problem(timer.error());
  }
}

void Daemon::end_transaction(Transaction::Outcome outcome) {
  if (outcome == Transaction::Outcome::kCommitted) {
    record_.failures = 0;
    spdlog::info("transaction: committed: {}", transaction_->reason());
  } else {
    count_failure(record_, wall_now(), transaction_->reason());
    spdlog::error("transaction: failed and put back: {}", transaction_->reason());
  }
  for (const std::string& line :
       node_.kubelet_warnings_since(std::chrono::system_clock::now() - 2 * kWatchTime)) {
    spdlog::warn("kubelet: {}", line);
  }
  if (const Result<void> saved = save_record(*host_.root, record_); !saved) {
    problem(saved.error());
  }
  transaction_.reset();
  change_lock_.reset();
}

void Daemon::tell() {
  status_.at = wall_now();
  status_.mode = config_.mode;
  status_.record = record_;
  status_.transaction.reset();
  if (transaction_) {
    status_.transaction = transaction_->journal();
  }
  if (const Result<void> saved = save_status(*host_.root, status_, plan_); !saved) {
    spdlog::debug("status: {}", to_text(saved.error()));
  }
  const std::string line =
      transaction_
          ? "transaction " + std::string{to_text(transaction_->journal().phase)} + ": " +
                transaction_->reason()
          : std::string{config::to_text(config_.mode)} + ", " +
                std::string{to_text(status_.decision.act)} + ": " + status_.decision.reason;
  if (line != last_told_) {
    tell_manager(systemd::notify_status(line.substr(0, 500)));
    last_told_ = line;
  }
}

void Daemon::reload() {
  tell_manager(systemd::notify_reloading());
  config::LoadedConfig loaded = load_();
  configuration_problems_.clear();
  if (loaded.errors.empty()) {
    config_ = std::move(loaded.config);
    spdlog::info("configuration read again, mode {}", config::to_text(config_.mode));
  } else {
    spdlog::error("the new configuration has errors; the old one stays");
  }
  for (const Error& error : loaded.errors) {
    configuration_problems_.push_back(to_text(error));
    spdlog::error("{}", configuration_problems_.back());
  }
  tell_manager(systemd::notify_ready());
  walk();
}

void Daemon::stop() {
  tell_manager(systemd::notify_stopping());
  const auto& kubelet = plan_.observation.kubelet;
  if (!transaction_ && kubelet && config_.mode != config::Mode::kObserve) {
    if (const std::optional<std::string> reason = unsafe_alone(plan_)) {
      change_file(std::nullopt, *reason);
    }
  }
  spdlog::info("stopped");
  loop_.exit(0);
}

void Daemon::problem(const Error& error) {
  const std::string text = to_text(error);
  const bool lasts = std::ranges::find(earlier_problems_, text) != earlier_problems_.end();
  spdlog::log(lasts ? spdlog::level::debug : spdlog::level::err, "{}", text);
  status_.problems.push_back(text);
}

}  // namespace eviction::agent
