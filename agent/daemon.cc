// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

#include "agent/own_file.h"
#include "agent/policy/restart_guards.h"
#include "agent/recall.h"
#include "systemd/journal.h"
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
/// Stalls of 150 ms within a second. Source: linux v6.1 Documentation/accounting/psi.rst, the
/// example of its monitor.
constexpr std::string_view kPressureTrigger = "some 150000 1000000";

milliseconds steady_now() {
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

/// Ignored where it fails: what the service manager shows is a convenience, and a broken socket
/// would fail again each time.
void tell_manager(const Result<void>& told) {
  if (!told) {
    spdlog::debug("service manager: {}", to_text(told.error()));
  }
}

/// A recorded node has a file there that a trigger would be written over.
bool is_of_proc(const Descriptor& file) {
  struct statfs system = {};
  return file.get() >= 0 && ::fstatfs(file.get(), &system) == 0 &&
         system.f_type == PROC_SUPER_MAGIC;
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
               systemd::EventLoop& loop,
               std::optional<std::string> textfile)
    : host_{host},
      config_{std::move(config)},
      load_{std::move(load)},
      loop_{loop},
      exporter_{loop, plan_, status_, std::move(textfile)},
      api_{loop_, host_.root, [this] { on_api_answer(); }},
      executor_{host_, config_, loop_, [this] { tell(); }, [this] { walk(); }},
      incidents_{host_, loop_, plan_} {}

Result<void> Daemon::run() {
  const Result<HostLock> lock = HostLock::take(*host_.root, kRunLock);
  if (!lock) {
    return tl::unexpected{lock.error()};
  }
  if (Result<void> listening = listen(); !listening) {
    return listening;
  }
  if (const Result<void> opened = growth_.open(*host_.root); !opened) {
    problem(opened.error());
  }
  recall_looks(*host_.root, history_);
  if (const Result<void> opened = recording_.open(*host_.root); !opened) {
    const std::string file{kRecordingFile};
    const bool is_folder{host_.root->open_below(std::string{kStateFolder} + '/' + file)};
    problem(is_folder ? set_aside(*host_.root, file, opened.error()) : opened.error());
  }
  tell_manager(systemd::notify_ready());
  status_.pid = ::getpid();
  status_.counters.started = wall_now();
  configured_ = steady_now();
  exporter_.configure(config_);
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
  if (!is_of_proc(file) || ::write(file.get(), trigger.data(), trigger.size()) < 0) {
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
  const Timed timed{status_.counters.looks};
  const milliseconds now = steady_now();
  const auto meminfo =
      host_.proc ? cgroup::read_meminfo(*host_.proc, buffer_) : tl::unexpected{host_.proc.error()};
  milliseconds next{kWalkInterval};
  if (meminfo) {
    history_.look(since_boot(), meminfo->mem_total, meminfo->mem_available);
    keep_moment(*meminfo, nullptr);
  }
  const std::optional<Bytes> threshold = threshold_of(plan_);
  const std::optional<Bytes> mem_available = meminfo ? meminfo->mem_available : std::nullopt;
  const std::optional<Bytes> kubelet_available =
      mem_available && plan_.memory.gap ? std::optional{*mem_available + *plan_.memory.gap}
                                        : std::nullopt;
  if (mem_available) {
    incidents_.looked(kubelet_available, mem_available);
  }
  if (kubelet_available && threshold) {
    const Bytes available = *kubelet_available;
    next = pace_.next(now, *mem_available, available - *threshold);
    warn(available, *threshold);
  }
  if (const Result<void> again = look_timer_.again(next); !again) {
    problem(again.error());
  }
}

/// The line is crossed upwards only with some distance: it moves a little with each plan.
void Daemon::warn(Bytes available, Bytes threshold) {
  const Bytes clear = threshold + Bytes{threshold.value() / 20};
  const bool warns = available <= (warned_ ? clear : threshold);
  if (warns == warned_) {
    return;
  }
  warned_ = warns;
  spdlog::warn("available memory {} is {} the threshold that this node needs, {}",
               to_human(available),
               warns ? "below" : "above",
               to_human(threshold));
  if (steady_now() - last_walk_ >= kLeastWalkInterval) {
    walk();
  }
}

void Daemon::walk() {
  const Timed timed{status_.counters.walks};
  last_walk_ = steady_now();
  earlier_problems_ = std::exchange(status_.problems, configuration_problems_);
  take_exporter_problems();
  observe_and_plan(executor_.read_record());
  incidents_.walked();
  for (const Error& error : incidents_.problems()) {
    problem(error);
  }
  for (const std::string_view name : {kGrowthFile, kRecordingFile}) {
    if (const auto aside = find_set_aside(*host_.root, std::string{name})) {
      problem(*aside);
    }
  }
  const seconds ready_for =
      std::min(std::chrono::duration_cast<seconds>(steady_now() - configured_),
               std::max(settled_for(plan_.observation).value_or(seconds{}), seconds{}));
  executor_.act_on(
      plan_,
      not_yet_its_turn(
          read_boot_id(host_), ready_for, std::chrono::minutes{config_.restart_spread_minutes}));
  tell();
  exporter_.walked();
  take_exporter_problems();
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

void Daemon::observe_and_plan(const Record& record) {
  status_.counters.walked_at = wall_now();
  Observation seen =
      observe(host_, config_, buffer_, [this](const Kubelet& kubelet, const auto& pods) {
        return api_.view(kubelet, pods);
      });
  count_walk(status_.counters, seen.problems);
  if (const auto& failure = api_.problem(); failure && failure->kind != ErrorKind::kAbsent) {
    count_error(status_.counters, *failure);
    problem(*failure);
  }
  Circumstances known = circumstances_of(record, wall_now());
  history_.add_to(known, seen, since_boot());
  if (seen.kubelet) {
    known.runtime_silence = executor_.runtime_silence(*seen.kubelet);
  }
  incidents_.observed(seen.pods);
  plan_ = make_plan(std::move(seen), config_, known);
  if (history_.walked(since_boot(), plan_)) {
    tell_warning();
  }
  status_.forecast = history_.forecast();
  status_.warning = history_.warning().on();
  status_.warning_reason = history_.warning().reason();
  if (const Result<void> kept = growth_.keep(since_boot()); !kept) {
    problem(kept.error());
  }
  if (plan_.observation.meminfo) {
    keep_moment(*plan_.observation.meminfo, &plan_.observation);
  }
}

void Daemon::tell_warning() const {
  const EarlyWarning& warning = history_.warning();
  systemd::log_with_fields(
      warning.on() ? spdlog::level::warn : spdlog::level::info,
      fmt::format("early warning {}: {}", warning.on() ? "begins" : "ends", warning.reason()),
      {{"EVICTION_AGENT_WARNING", warning.on() ? "begins" : "ends"},
       {"EVICTION_AGENT_REASON", warning.reason()}});
}

void Daemon::keep_moment(const cgroup::Meminfo& meminfo, const Observation* seen) {
  const Result<void> kept = recording_.add({.at = wall_now(),
                                            .since_boot = since_boot(),
                                            .mem_total = meminfo.mem_total,
                                            .mem_available = meminfo.mem_available,
                                            .seen = seen});
  if (!kept) {
    problem(kept.error());
  }
}

void Daemon::tell() {
  status_.at = wall_now();
  status_.mode = config_.mode;
  const std::size_t known_problems = status_.problems.size();
  executor_.report(status_);
  take_incidents();
  status_.incidents = incidents_.counts();
  status_.incident_sources = incidents_.sources();
  for (std::size_t i = known_problems; i < status_.problems.size(); ++i) {
    log_problem(status_.problems[i]);
  }
  const Result<void> saved = save_status(*host_.root, status_, plan_);
  if (const bool failed_before = std::exchange(status_unsaved_, !saved); !saved && !failed_before) {
    spdlog::error("status: {}", to_text(saved.error()));
  }
  const std::string line = status_.transaction
                               ? "transaction " + std::string{to_text(status_.transaction->phase)} +
                                     ": " + status_.transaction_reason
                               : std::string{config::to_text(config_.mode)} + ", " +
                                     std::string{to_text(status_.decision.act)} + ": " +
                                     status_.decision.reason;
  if (line != last_told_) {
    tell_manager(systemd::notify_status(line.substr(0, 500)));
    last_told_ = line;
  }
}

void Daemon::take_exporter_problems() {
  for (const Error& error : exporter_.problems()) {
    if (std::ranges::find(status_.problems, to_text(error)) == status_.problems.end()) {
      problem(error);
    }
  }
}

void Daemon::take_incidents() {
  for (const Incident& incident : executor_.take_incidents()) {
    incidents_.add(incident);
  }
}

/// The first one is what a decision waits for.
void Daemon::on_api_answer() {
  if (!std::exchange(api_answered_, true)) {
    walk();
  }
}

void Daemon::reload() {
  tell_manager(systemd::notify_reloading());
  config::LoadedConfig loaded = load_();
  configuration_problems_.clear();
  if (loaded.errors.empty()) {
    config_ = std::move(loaded.config);
    configured_ = steady_now();
    exporter_.configure(config_);
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
  executor_.leave(plan_);
  take_incidents();
  incidents_.keep();
  if (const Result<void> saved = growth_.save(); !saved) {
    problem(saved.error());
  }
  spdlog::info("stopped");
  loop_.exit(0);
}

void Daemon::problem(const Error& error) {
  status_.problems.push_back(to_text(error));
  log_problem(status_.problems.back());
}

void Daemon::log_problem(const std::string& text) const {
  const bool lasts = std::ranges::find(earlier_problems_, text) != earlier_problems_.end();
  spdlog::log(lasts ? spdlog::level::debug : spdlog::level::err, "{}", text);
}

}  // namespace eviction::agent
