// SPDX-License-Identifier: Apache-2.0
#include "agent/plan.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "agent/diff.h"
#include "agent/policy/foreign_settings.h"
#include "agent/policy/growth.h"
#include "agent/policy/restart_guards.h"
#include "agent/policy/victims.h"
#include "config/drop_in.h"
#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

std::map<WorkloadClass, WorkloadSum> sum_workloads(const std::vector<Pod>& pods) {
  std::map<WorkloadClass, WorkloadSum> sums;
  for (const WorkloadClass workload : kWorkloadClasses) {
    sums[workload] = WorkloadSum{};
  }
  std::set<std::string> vms;
  for (const Pod& pod : pods) {
    WorkloadSum& sum = sums[pod.workload];
    add(sum, pod);
    // A launcher that does not say which VM it runs counts as one of its own.
    if (pod.workload == WorkloadClass::kVm &&
        vms.insert(pod.vm_uid.empty() ? pod.uid : pod.vm_uid).second) {
      ++sum.vms;
    }
  }
  return sums;
}

/// The VMs' part of what the pods hold for good, as GrowthHistory sees it.
double vm_share(const Plan& plan, const GrowthInput& otherwise) {
  GrowthInput held;
  for (const auto& [workload, sum] : plan.workloads) {
    if (!sum.unreclaimable) {
      return otherwise.vm_share();
    }
    (workload == WorkloadClass::kVm ? held.vm_working_set : held.container_working_set) +=
        *sum.unreclaimable;
  }
  return held.vm_share();
}

Growth grow(const Plan& plan,
            Bytes capacity,
            const config::AgentConfig& config,
            const GrowthHistory* history) {
  GrowthInput input;
  input.capacity = capacity;
  input.risk_permyriad = config.risk_permyriad;
  input.ceiling_permyriad = config.growth_ceiling_permyriad;
  std::optional<Bytes> headroom =
      plan.observation.pods.empty() ? std::nullopt : std::optional{Bytes{}};
  for (const auto& [workload, sum] : plan.workloads) {
    (workload == WorkloadClass::kVm ? input.vm_working_set : input.container_working_set) +=
        sum.working_set;
    if (headroom && sum.headroom) {
      *headroom += *sum.headroom;
    } else {
      headroom.reset();
    }
  }
  input.headroom = headroom;
  if (history != nullptr) {
    input.learned = history->learned(
        capacity, vm_share(plan, input), config.risk_permyriad, prior_growth(input));
  }
  return expected_growth(input);
}

std::string missing_for_need(const Plan& plan) {
  if (!plan.memory.capacity) {
    return "/proc/meminfo could not be read, and nothing is known without it";
  }
  return "the kernel's reserve is unknown: neither /proc/zoneinfo nor MemAvailable could be read";
}

/// Whether this kubelet holds a hard threshold on the memory of all pods, too. Source: kubelet
/// v1.36 pkg/kubelet/eviction/helpers.go addAllocatableThresholds(),
/// pkg/kubelet/eviction/eviction_manager.go.
bool has_allocatable_copy(const Observation& seen) {
  const config::KubeletSettings* settings = settings_of(seen);
  return settings == nullptr ||
         (!settings->allocatable_ignores_eviction &&
          std::ranges::count(settings->enforce_node_allocatable, "pods") > 0);
}

void size_node(Plan& plan, const config::AgentConfig& config, const Circumstances& circumstances) {
  const MemoryAccount& memory = plan.memory;
  if (!memory.capacity || !memory.reserve) {
    plan.sizing.reason = "cannot size: " + missing_for_need(plan);
    return;
  }
  NeedInput input;
  input.capacity = *memory.capacity;
  input.reserve = *memory.reserve;
  // An old kubelet counts slab as used: room only until the kernel has reclaimed it.
  input.kernel = std::max(*memory.kernel, Bytes{});
  input.page_tables = memory.page_tables_to_come;
  input.outside_peak = memory.outside_kubepods;
  input.reserved = memory.reserved;
  input.allocatable_copy = has_allocatable_copy(plan.observation);
  input.hugepages = memory.hugepages;
  input.growth = grow(plan, *memory.capacity, config, circumstances.growth);
  const Need need = compute_need(input);
  plan.sizing = size(need, bounds(plan.observation, memory, need, circumstances), input.growth);
}

/// "imagefs.available<5%,nodefs.available<5%" of what a flag sets, without memory.available.
std::string restate(const std::optional<config::SettingMap>& map, char separator) {
  std::string text;
  for (const auto& [signal, setting] : map.value_or(config::SettingMap{})) {
    if (signal == config::kMemoryAvailable || !setting.source.starts_with("--")) {
      continue;
    }
    text += (text.empty() ? "" : ",") + signal + separator + setting.value;
  }
  return text;
}

std::string render_file(const Kubelet& kubelet, const Sizing& sizing) {
  if (kubelet.target == Target::kNone || sizing.instrument == Instrument::kNone) {
    return {};
  }
  const config::MemoryEviction eviction{sizing.hard, sizing.soft, sizing.reclaim};
  if (is_drop_in(kubelet.target)) {
    return config::render_drop_in(eviction);
  }
  const config::KubeletSettings& others = kubelet.without_file;
  return config::render_kubelet_args(
      eviction,
      {restate(others.eviction_hard, '<'), restate(others.eviction_minimum_reclaim, '=')});
}

config::KubeletVersion version_of(const Kubelet& kubelet) {
  return kubelet.version.value_or(
      config::KubeletVersion{1, config::kNewestMinor, std::nullopt, {}});
}

config::KubeletSettings with_sizing(const Kubelet& kubelet, const Sizing& sizing) {
  config::KubeletSettings settings = kubelet.without_file;
  const auto set = [&kubelet](std::optional<config::SettingMap>& map, const std::string& value) {
    if (!map) {
      map.emplace();
    }
    (*map)[config::kMemoryAvailable] = {value, kubelet.file};
  };
  if (sizing.hard) {
    set(settings.eviction_hard, config::render_quantity(*sizing.hard));
  }
  if (sizing.soft) {
    set(settings.eviction_soft, config::render_quantity(*sizing.soft));
    set(settings.eviction_soft_grace_period, "1s");
    settings.eviction_max_pod_grace_period = config::Setting{"0", kubelet.file};
  }
  if (sizing.reclaim) {
    set(settings.eviction_minimum_reclaim, config::render_quantity(*sizing.reclaim));
  }
  return settings;
}

/// What keeps the kubelet from starting with these settings, by its own rules.
std::vector<std::string> refusals(const Kubelet& kubelet,
                                  const config::KubeletSettings& settings,
                                  Bytes capacity) {
  const config::ParsedThresholds parsed = config::parse_thresholds(settings, version_of(kubelet));
  std::vector<std::string> errors = parsed.errors;
  std::ranges::move(config::check_node_allocatable(settings, parsed, capacity),
                    std::back_inserter(errors));
  return errors;
}

/// The file's content and its diff, if the kubelet would take it, and whether it can do without.
void render_target(Plan& plan) {
  const Kubelet& kubelet = *plan.observation.kubelet;
  plan.file_content = render_file(kubelet, plan.sizing);
  if (!plan.memory.capacity) {
    return;
  }
  const auto refused = [&](const config::KubeletSettings& settings) {
    return refusals(kubelet, settings, *plan.memory.capacity);
  };
  if (armed(kubelet) && refused(kubelet.loaded.settings).empty()) {
    const std::vector<std::string> without = refused(kubelet.without_file);
    plan.file_needed = without.empty() ? std::nullopt : std::optional{without.front()};
  }
  if (plan.file_content.empty()) {
    return;
  }
  const std::vector<std::string> errors = refused(with_sizing(kubelet, plan.sizing));
  if (!errors.empty()) {
    plan.file_content.clear();
    plan.sizing.reason = "the kubelet would not start with this value: " + errors.front();
    return;
  }
  plan.diff = diff_lines(kubelet.file_content.value_or(""), plan.file_content);
}

struct HardInForce {
  Bytes bytes;
  bool ours = false;  ///< it comes from the agent's file
};

/// Absent: the kubelet would refuse its settings.
std::optional<HardInForce> hard_in_force(const Observation& seen, Bytes capacity) {
  const config::ParsedThresholds parsed =
      config::parse_thresholds(seen.kubelet->loaded.settings, version_of(*seen.kubelet));
  if (!parsed.errors.empty()) {
    return std::nullopt;
  }
  for (const config::Threshold& threshold : parsed.thresholds) {
    if (threshold.signal == config::kMemoryAvailable && !threshold.soft) {
      const Bytes bytes = config::threshold_bytes(threshold.value, capacity);
      return HardInForce{bytes, is_ours(*seen.kubelet, threshold.source, bytes)};
    }
  }
  return HardInForce{};
}

void tell_allocatable(Plan& plan) {
  const Observation& seen = plan.observation;
  if (!seen.kubelet || !plan.memory.capacity) {
    plan.allocatable_absent = seen.kubelet ? "MemTotal is unknown" : "no kubelet found";
    return;
  }
  const std::optional<HardInForce> in_force = hard_in_force(seen, *plan.memory.capacity);
  if (!in_force) {
    plan.allocatable_absent = "the kubelet's present eviction settings are not valid";
    return;
  }
  const Bytes before = *plan.memory.capacity - reserved_memory(seen).value_or(Bytes{});
  const auto allocatable = [&before, &plan](Bytes hard) {
    return std::max(std::max(before - hard, Bytes{}) - plan.memory.hugepages, Bytes{});
  };
  plan.allocatable_now = allocatable(in_force->bytes);
  const bool replaced = in_force->ours && plan.sizing.instrument != Instrument::kNone;
  plan.allocatable_after =
      allocatable(plan.sizing.hard.value_or(replaced ? Bytes{} : in_force->bytes));
}

/// What the condition MemoryPressure does on this node while a threshold is met.
std::string memory_pressure_effect(const Observation& seen) {
  const bool longhorn = std::any_of(seen.pods.begin(), seen.pods.end(), [](const Pod& pod) {
    return pod.name_space == "longhorn-system";
  });
  std::string effect =
      "BestEffort pods are refused for at least 5 min, and one pod is evicted every 10 s or less";
  if (longhorn) {
    effect += "; Longhorn takes its node out of Ready for as long";
  }
  return effect;
}

}  // namespace

Plan make_plan(Observation observation,
               const config::AgentConfig& config,
               const Circumstances& circumstances) {
  Plan plan;
  plan.observation = std::move(observation);
  const Observation& seen = plan.observation;
  plan.memory = account(seen);
  plan.workloads = sum_workloads(seen.pods);
  size_node(plan, config, circumstances);
  plan.guards = guards(seen, plan.memory, plan.sizing, config, circumstances);
  plan.shadowed_by = shadowed_by(seen, plan.sizing);
  if (seen.kubelet) {
    plan.restart_forbidden = restart_forbidden(*seen.kubelet, config);
    render_target(plan);
  }
  if (!seen.pods_known) {
    plan.next_victims_absent = "pods are unknown: no kubepods cgroup could be read";
  } else if (auto victims = rank_victims(seen.pods)) {
    plan.next_victims = std::move(*victims);
  } else {
    plan.next_victims_absent = victims.error().what;
  }
  tell_allocatable(plan);
  plan.memory_pressure_effect = memory_pressure_effect(seen);
  return plan;
}

PlanOutcome outcome(const Plan& plan) {
  const bool reachable = plan.observation.kubelet &&
                         plan.observation.kubelet->target != Target::kNone && plan.sizing.need;
  if (!reachable) {
    return PlanOutcome::kNothingToApply;
  }
  const bool refused = std::any_of(
      plan.guards.begin(), plan.guards.end(), [](const Guard& guard) { return guard.ok == false; });
  if (refused) {
    return PlanOutcome::kRefused;
  }
  return plan.file_content.empty() ? PlanOutcome::kNothingToApply : PlanOutcome::kApplicable;
}

std::string_view to_text(PlanOutcome outcome) {
  switch (outcome) {
    case PlanOutcome::kApplicable:
      return "applicable";
    case PlanOutcome::kNothingToApply:
      return "nothing-to-apply";
    case PlanOutcome::kRefused:
      return "refused";
  }
  return "refused";
}

}  // namespace eviction::agent
