// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/own_policy.h"

#include <cmath>
#include <utility>
#include <vector>

#include "agent/plan.h"
#include "config/drop_in.h"
#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::agent::simulate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr double kMib = 1 << 20;
constexpr double kPagesPerMib = 256;
/// The model's time 0 lies an hour after the node's boot, so that the node is settled.
constexpr double kUptime = 3600;
constexpr double kTicksPerSecond = 100;
constexpr const char* kFile =
    "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";

Bytes bytes(double mib) {
  return Bytes{std::llround(mib * kMib)};
}

double mib(const std::optional<Bytes>& amount) {
  return amount ? static_cast<double>(amount->value()) / kMib : 0;
}

std::int64_t pages(double mib) {
  return std::llround(mib * kPagesPerMib);
}

milliseconds since_boot(double now) {
  return milliseconds{std::llround((now + kUptime) * 1000)};
}

Thresholds thresholds_of(const Sizing& sizing, const NodeSpec& node) {
  return {.hard = mib(sizing.hard),
          .soft = mib(sizing.soft),
          .reclaim = mib(sizing.reclaim),
          .reserved = node.reserved};
}

void set_memory(Observation& seen, const ModelNode& node) {
  const Memory& memory = node.memory();
  const NodeSpec& spec = node.spec();
  cgroup::Meminfo meminfo;
  meminfo.mem_total = bytes(spec.capacity);
  meminfo.mem_free = bytes(memory.free);
  meminfo.mem_available = bytes(memory.mem_available);
  meminfo.active_file = bytes(memory.active_file);
  meminfo.inactive_file = bytes(memory.file - memory.active_file);
  meminfo.kreclaimable = Bytes{};
  meminfo.anon_pages = bytes(memory.anon);
  meminfo.page_tables = bytes(kPageTables * memory.anon);
  seen.meminfo = meminfo;

  cgroup::MemoryStat root;
  root.anon = bytes(memory.anon);
  root.file = bytes(memory.file);
  root.active_file = meminfo.active_file;
  root.inactive_file = meminfo.inactive_file;
  seen.root_stat = root;

  cgroup::Zone zone;
  zone.name = "Normal";
  zone.free = pages(memory.free);
  zone.low = pages(spec.low_watermarks);
  zone.high = pages(spec.reserve);  // its lowmem protection included
  zone.managed = pages(spec.capacity);
  zone.protection = {0};
  seen.zoneinfo = cgroup::Zoneinfo{.zones = {zone}};

  cgroup::CgroupMemory kubepods;
  cgroup::MemoryStat in_pods;
  const double inactive = memory.file - memory.active_file;
  in_pods.active_file = bytes(0.8 * memory.active_file);
  in_pods.inactive_file = bytes(0.8 * inactive);
  in_pods.slab_reclaimable = Bytes{};
  kubepods.current = bytes(memory.kubepods_working_set + 0.8 * inactive);
  kubepods.max = cgroup::MemoryLimit{.bytes = bytes(spec.kubepods_max)};
  kubepods.stat = in_pods;
  seen.kubepods = kubepods;

  if (spec.hugepages > 0) {
    constexpr Bytes kHugepage{std::int64_t{2} << 20};
    const auto count = std::llround(spec.hugepages * kMib / static_cast<double>(kHugepage.value()));
    seen.hugepages = {{.page_size = kHugepage, .total = count}};
  }
}

/// Its pods are placed, and none has taken memory yet.
ModelNode without_memory(const ModelNode& node) {
  std::vector<PodSpec> pods;
  for (const ModelPod& pod : node.pods()) {
    if (!pod.is_here()) {
      continue;
    }
    const PodSpec& spec = pod.spec();
    pods.push_back({.name = spec.name,
                    .workload = spec.workload,
                    .qos = spec.qos,
                    .priority = spec.priority,
                    .request = spec.request,
                    .limit = spec.limit});
  }
  return ModelNode{node.spec(), pods, 0};
}

}  // namespace

OwnPolicy::OwnPolicy(config::AgentConfig config) : config_{std::move(config)} {
  config_.mode = config::Mode::kEnforce;
}

Observation OwnPolicy::observe(const ModelNode& node, double now) const {
  Observation seen;
  set_memory(seen, node);
  seen.pressure = cgroup::Pressure{};
  seen.uptime = seconds{std::llround(now + kUptime)};
  seen.cgroup_mode = cgroup::CgroupMode::kV2;
  seen.driver = cgroup::CgroupDriver::kSystemd;
  seen.pods_known = true;
  for (std::size_t i = 0; i < node.pods().size(); ++i) {
    if (node.pods()[i].is_here()) {
      seen.pods.push_back(as_pod(node.pods()[i], i, node.pods()[i].mib()));
    }
  }
  Kubelet kubelet;
  kubelet.supervisor = "rke2";
  kubelet.start = static_cast<unsigned long long>((kubelet_start_ + kUptime) * kTicksPerSecond);
  kubelet.version = config::KubeletVersion{1, 32, 3, {}};
  kubelet.target = Target::kRke2Dropin;
  kubelet.file = kFile;
  kubelet.file_content = file_;
  if (node.spec().reserved > 0) {
    kubelet.loaded.settings.kube_reserved = config::SettingMap{
        {"memory", {config::render_quantity(bytes(node.spec().reserved)), "--kube-reserved"}}};
  }
  kubelet.without_file = kubelet.loaded.settings;
  kubelet.committed = in_force_.value_or("");
  kubelet.proven = in_force_.has_value();
  kubelet.withdrawn = in_force_ && !file_;
  if (file_) {
    if (const auto own = config::parse_own_file(*file_, kFile); own && own->hard) {
      kubelet.loaded.settings.eviction_hard = config::SettingMap{
          {config::kMemoryAvailable, {config::render_quantity(*own->hard), kFile}}};
    }
  }
  seen.kubelet = std::move(kubelet);
  return seen;
}

Plan OwnPolicy::plan(const ModelNode& node, double now) {
  Circumstances known;
  known.available_low = available_.low(since_boot(now));
  known.stalls = 0;
  known.runtime_silence = std::string{};
  const sys_seconds wall{std::chrono::duration_cast<seconds>(since_boot(now))};
  known.restarts_today = restarts_within_a_day(record_, wall);
  known.restart_refused = restart_refused(record_, wall);
  known.growth = &growth_;
  return make_plan(observe(node, now), config_, known);
}

Thresholds OwnPolicy::set_up(const ModelNode& node) {
  // What an hour before showed: enough for the guard that asks for a history.
  for (int minute = 0; minute < 60; ++minute) {
    available_.add(std::chrono::minutes{minute}, bytes(node.memory().kubelet_available));
  }
  Plan first = plan(node, 0);
  if (first.file_content.empty()) {
    first = OwnPolicy{config_}.plan(without_memory(node), 0);
  }
  reason_ = first.sizing.reason;
  file_ = first.file_content.empty() ? std::nullopt : std::optional{first.file_content};
  in_force_ = file_;
  return thresholds_of(first.sizing, node.spec());
}

void OwnPolicy::look(const ModelNode& node, double now) {
  const Memory& memory = node.memory();
  growth_.see_node(since_boot(now), bytes(node.spec().capacity), bytes(memory.mem_available));
}

std::optional<Thresholds> OwnPolicy::walk(const ModelNode& node, double now) {
  double vms = 0;
  for (const ModelPod& pod : node.pods()) {
    vms += pod.spec().workload == WorkloadClass::kVm ? pod.mib() : 0;
  }
  growth_.see_pods(since_boot(now), bytes(vms), bytes(node.memory().pods - vms));
  available_.add(std::chrono::duration_cast<seconds>(since_boot(now)),
                 bytes(node.memory().kubelet_available));
  Observation memory;
  set_memory(memory, node);
  if (const auto left = left_to_kubelet(account(memory)); left && near_ > Bytes{}) {
    growth_.see_left(since_boot(now), *left, near_);
  }
  if (std::fmod(now, 60) >= 10) {
    return std::nullopt;  // plans of a minute's walks differ little, and each costs time
  }
  const Plan now_planned = plan(node, now);
  reason_ = now_planned.sizing.reason;
  near_ = near_running_out(now_planned.sizing.growth.value_or(Growth{}).prior);
  Situation situation{.mode = config_.mode};
  lower_watch_.tell(now_planned, std::chrono::duration_cast<seconds>(since_boot(now)), situation);
  const Decision decision = decide(now_planned, situation);
  if (decision.act == Act::kShrink || decision.act == Act::kRestore) {
    file_ = decision.content;
  } else if (decision.act == Act::kWithdraw) {
    file_.reset();
  } else if (decision.act == Act::kApply) {
    file_ = decision.content;
    in_force_ = file_;
    kubelet_start_ = now;
    count_restart(record_, sys_seconds{std::chrono::duration_cast<seconds>(since_boot(now))});
    return thresholds_of(now_planned.sizing, node.spec());
  }
  return std::nullopt;
}

}  // namespace eviction::agent::simulate
