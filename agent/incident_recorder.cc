// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_recorder.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "agent/incident_json.h"
#include "agent/incident_log.h"
#include "agent/json_fields.h"
#include "agent/live_node.h"
#include "agent/page.h"
#include "agent/policy/set_thresholds.h"
#include "config/utc_time.h"
#include "systemd/journal.h"

namespace eviction::agent {

namespace {

using std::chrono::microseconds;
using std::chrono::sys_seconds;

constexpr std::size_t kMostSamples = 60;
/// Their killers may be told of a minute later, by the API server.
constexpr std::size_t kMostGone = 64;

/// The wall-clock time of a moment on the kernel log's clock.
sys_seconds wall_time(microseconds since_boot) {
  const microseconds elapsed = kmsg_now();
  const microseconds age = std::clamp(elapsed - since_boot, microseconds{}, elapsed);
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() - age);
}

spdlog::level::level_enum level_of(const Incident& incident) {
  const bool loss =
      incident.kind == IncidentKind::kOomKill || incident.kind == IncidentKind::kEviction;
  return loss ? spdlog::level::warn : spdlog::level::info;
}

}  // namespace

IncidentRecorder::IncidentRecorder(const Host& host,
                                   systemd::EventLoop& loop,
                                   const Plan& plan,
                                   microseconds began)
    : host_{host}, loop_{loop}, plan_{plan}, began_{began} {}

void IncidentRecorder::start() {
  boot_id_ = read_boot_id(host_);
  read_log();
  boot_in_log_ = last_sequence_.has_value();
  auto file = open_kmsg(*host_.root);
  if (!file) {
    // A container without privileges has none, and cannot be given one.
    if (file.error().kind == ErrorKind::kAbsent) {
      spdlog::info("OOM kills are told from the kernel's counters: {}", to_text(file.error()));
    } else {
      kmsg_problem_ = std::move(file.error());
    }
    return;
  }
  kmsg_ = std::make_unique<KmsgReader>(
      loop_, std::move(*file), [this](const cgroup::OomEvent& event) { on_kill(event); });
}

void IncidentRecorder::read_log() {
  const auto visited = visit_incidents(*host_.root, [this](const nlohmann::ordered_json& known) {
    const auto sequence = known.find("sequence");
    if (sequence != known.end() && sequence->is_number_unsigned() &&
        text_at(known, "/boot_id") == boot_id_) {
      last_sequence_ = std::max(last_sequence_.value_or(0), sequence->get<std::uint64_t>());
    }
    if (text_at(known, "/kind") == to_text(IncidentKind::kEviction)) {
      evicted_.insert(text_at(known, "/victim/uid"));
    }
    const auto at = config::parse_utc(text_at(known, "/time"));
    if (const std::string guard = text_at(known, "/guard"); !guard.empty() && at) {
      guards_[guard] = *at;
    }
  });
  if (!visited) {
    log_problem_ = visited.error();
  }
}

void IncidentRecorder::looked(std::optional<Bytes> kubelet_available,
                              std::optional<Bytes> mem_available) {
  const sys_seconds now = wall_now();
  if (!samples_.empty() && samples_.back().at == now) {
    return;
  }
  samples_.push_back({now, kubelet_available, mem_available});
  if (samples_.size() > kMostSamples) {
    samples_.pop_front();
  }
}

void IncidentRecorder::observed(const std::vector<Pod>& pods) {
  for (const Pod& pod : plan_.observation.pods) {
    if (!std::ranges::binary_search(pods, pod.uid, {}, &Pod::uid)) {
      gone_.push_back(pod);
    }
  }
  while (gone_.size() > kMostGone) {
    gone_.pop_front();
  }
}

void IncidentRecorder::walked() {
  if (walks_ == 0) {
    start();
  }
  // What the counters have by now is in the kernel's log as well.
  if (kmsg_) {
    kmsg_->drain();
  }
  add_counted();
  add_evictions();
  add_guards();
  keep();
  ++walks_;
  std::erase_if(told_, [this](const auto& told) { return told.second + 1 < walks_; });
}

void IncidentRecorder::on_kill(const cgroup::OomEvent& event) {
  if (last_sequence_ && event.sequence <= *last_sequence_) {
    return;
  }
  last_sequence_ = event.sequence;
  const sys_seconds at = wall_time(event.since_boot);
  const bool before = event.since_boot < began_;
  Scene now = scene();
  if (before) {
    now.in_force.reset();  // what the kubelet has now is not what it had then
  }
  Incident incident = oom_incident(event, at, boot_id_, now);
  if (!incident.victim->uid.empty() && incident.victim->name.empty()) {
    now.names = read_pod_names(*host_.root).value_or(decltype(now.names){});
    incident = oom_incident(event, at, boot_id_, now);
  }
  told_[incident.victim->uid] = walks_;
  // Without a log of this boot nobody knows whether an earlier agent counted it.
  if (!before || boot_in_log_ || began_ - event.since_boot <= kOldKill) {
    count(incident);
  }
  record(incident);
}

void IncidentRecorder::add_counted() {
  const auto look = oom_look(plan_.observation);
  if (!look) {
    return;
  }
  if (last_look_) {
    for (const CountedKill& kill : counted_kills(*last_look_, *look)) {
      // One that was told of just after the walk before may be counted only now.
      const auto told = told_.find(kill.uid);
      if (told == told_.end() || told->second + 1 < walks_) {
        add(counted_incident(kill, wall_now(), scene()));
      }
    }
  }
  last_look_ = look;
}

void IncidentRecorder::add_evictions() {
  const sys_seconds now = wall_now();
  for (const EvictedPod& pod : plan_.observation.evicted) {
    const bool old = pod.at && now - *pod.at > kEvictionAge;
    if (old || !evicted_.insert(pod.uid).second) {
      continue;
    }
    const Incident incident = eviction_incident(pod, now, scene());
    // Without a log that knows it, an earlier agent may have counted it.
    if (boot_in_log_ || !pod.at || now - *pod.at <= kOldKill) {
      count(incident);
    }
    record(incident);
  }
}

void IncidentRecorder::add_guards() {
  const sys_seconds now = wall_now();
  std::set<std::string> refusing;
  for (const Guard& guard : plan_.guards) {
    if (guard.ok != false) {
      continue;
    }
    refusing.insert(guard.name);
    const auto last = guards_.find(guard.name);
    const bool recorded = last != guards_.end() && now - last->second < kGuardInterval;
    if (!refusing_.contains(guard.name) && !recorded) {
      guards_[guard.name] = now;
      add(guard_incident(guard, now, scene()));
    }
  }
  refusing_ = std::move(refusing);
}

void IncidentRecorder::add(const Incident& incident) {
  count(incident);
  record(incident);
}

void IncidentRecorder::record(const Incident& incident) {
  const std::string text =
      incident.what + (incident.prevention.empty() ? "" : "; ") + incident.prevention;
  systemd::log_with_fields(level_of(incident), printable(text), journal_fields(incident));
  lines_.push_back(render_incident(incident));
  // One write for all that is told at once: a kernel that kills a lot is short of memory, and slow.
  if (lines_.size() == 1) {
    auto later = loop_.after({}, [this] { keep(); });
    if (later) {
      keep_ = std::move(*later);
    } else {
      log_problem_ = later.error();
    }
  }
}

void IncidentRecorder::keep() {
  if (lines_.empty()) {
    return;
  }
  log_problem_.reset();
  if (const Result<void> kept = append_incidents(*host_.root, lines_); !kept) {
    log_problem_ = kept.error();
    // No more than the log itself would keep.
    lines_.erase(lines_.begin(),
                 lines_.end() - std::min(std::ssize(lines_), std::ptrdiff_t{kMostIncidents}));
  }
}

IncidentSources IncidentRecorder::sources() const {
  const Observation& seen = plan_.observation;
  return {.kernel_log = kmsg_ && !kmsg_->problem(),
          .counters = seen.pods_known && seen.cgroup_mode == cgroup::CgroupMode::kV2,
          .api_server = seen.api_answered};
}

void IncidentRecorder::count(const Incident& incident) {
  if (incident.kind == IncidentKind::kOomKill) {
    ++counts_.oom_kills[incident.cause];
  } else if (incident.kind == IncidentKind::kEviction) {
    const auto workload = incident.victim ? incident.victim->workload : std::nullopt;
    ++(workload ? counts_.evictions[*workload] : counts_.evictions_unclassed);
  }
}

Scene IncidentRecorder::scene() const {
  Scene scene;
  for (const Pod& pod : gone_) {
    scene.pods.insert_or_assign(pod.uid, &pod);
  }
  for (const Pod& pod : plan_.observation.pods) {
    scene.pods.insert_or_assign(pod.uid, &pod);
  }
  scene.samples.assign(samples_.begin(), samples_.end());
  scene.need = plan_.sizing.need;
  scene.desired = plan_.sizing.hard ? plan_.sizing.hard : plan_.sizing.soft;
  const auto thresholds = set_thresholds(plan_.observation);
  if (!thresholds || !plan_.memory.capacity) {
    return scene;
  }
  scene.in_force = Scene::InForce{};
  for (const config::Threshold& threshold : *thresholds) {
    if (threshold.signal == config::kMemoryAvailable) {
      (threshold.soft ? scene.in_force->soft : scene.in_force->hard) =
          config::threshold_bytes(threshold.value, *plan_.memory.capacity);
    }
  }
  return scene;
}

std::vector<Error> IncidentRecorder::problems() const {
  std::vector<Error> problems;
  for (const auto& problem : {kmsg_ ? kmsg_->problem() : kmsg_problem_, log_problem_}) {
    if (problem) {
      problems.push_back(*problem);
    }
  }
  return problems;
}

}  // namespace eviction::agent
