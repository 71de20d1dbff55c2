// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "agent/json_fields.h"
#include "agent/render.h"
#include "agent/validate.h"

namespace eviction::agent {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kNoKubelet = "no kubelet was found on this node";
constexpr std::string_view kNoSource = "no source on this node tells it";
constexpr std::string_view kNoPods = "the pods' cgroups could not be listed";

std::string reason_of(const std::optional<Error>& error, std::string_view otherwise) {
  return error ? to_text(*error) : std::string{otherwise};
}

ordered_json node_json(const Plan& plan) {
  const Observation& seen = plan.observation;
  ordered_json node;
  put(node, "capacity_bytes", plan.memory.capacity, "/proc/meminfo could not be read");
  if (seen.cgroup_mode == cgroup::CgroupMode::kNone) {
    put_absent(node, "cgroup", reason_of(seen.cgroup_absent, "no cgroup memory controller"));
  } else {
    node["cgroup"] = cgroup::to_text(seen.cgroup_mode);
  }
  node["psi"] = seen.pressure.has_value();
  if (!seen.pressure) {
    node["psi_absent"] = reason_of(seen.pressure_absent, "the memory pressure file was not read");
  }
  put_text(node, "kernel", seen.kernel.value_or(""), "the kernel's release could not be read");
  if (!seen.kubelet) {
    put_absent(node, "kubelet_version", reason_of(seen.kubelet_absent, kNoKubelet));
  } else if (!seen.kubelet->version) {
    put_absent(node, "kubelet_version", seen.kubelet->version_source);
  } else {
    node["kubelet_version"] = config::to_text(*seen.kubelet->version);
    put_text(node, "kubelet_version_source", seen.kubelet->version_source, kNoSource);
  }
  node["kubelet_formula"] = to_text(plan.memory.formula);
  return node;
}

struct MemoryField {
  const char* key;
  std::optional<Bytes> MemoryAccount::*bytes;
  const char* reason;
};

constexpr const char* kNeedsRootStat =
    "memory.stat of the cgroup root or /proc/meminfo could not be read";
constexpr const char* kNeedsZones = "/proc/zoneinfo or /proc/meminfo could not be read";

constexpr std::array kMemoryFields = {
    MemoryField{"kubelet_available_bytes", &MemoryAccount::kubelet_available, kNeedsRootStat},
    MemoryField{"mem_available_bytes",
                &MemoryAccount::mem_available,
                "/proc/meminfo could not be read or has no MemAvailable"},
    MemoryField{"gap_bytes", &MemoryAccount::gap, "one of its two sides is not known"},
    MemoryField{"kernel_bytes", &MemoryAccount::kernel, kNeedsRootStat},
    MemoryField{"reserve_bytes", &MemoryAccount::reserve, kNeedsZones},
    MemoryField{"cache_floor_bytes", &MemoryAccount::cache_floor, kNeedsZones},
    MemoryField{"active_file_bytes", &MemoryAccount::active_file, kNeedsRootStat},
    MemoryField{"outside_kubepods_bytes",
                &MemoryAccount::outside_kubepods,
                "memory.stat of the cgroup root or of kubepods could not be read"},
    MemoryField{"reserved_bytes",
                &MemoryAccount::reserved,
                "the kubepods cgroup has no memory limit or could not be read"},
};

ordered_json memory_json(const MemoryAccount& memory) {
  ordered_json object;
  for (const MemoryField& field : kMemoryFields) {
    put(object, field.key, memory.*field.bytes, field.reason);
  }
  object["hugepages_bytes"] = memory.hugepages.value();
  return object;
}

ordered_json workload_json(const Plan& plan, WorkloadClass workload) {
  ordered_json object;
  if (!plan.observation.pods_known) {
    for (const char* key : {"pods", "working_set_bytes", "request_bytes", "headroom_bytes"}) {
      put_absent(object, key, kNoPods);
    }
    return object;
  }
  const auto found = plan.workloads.find(workload);
  const WorkloadSum sum = found == plan.workloads.end() ? WorkloadSum{} : found->second;
  object["pods"] = sum.pods;
  if (workload == WorkloadClass::kVm) {
    object["vms"] = sum.vms;
  }
  object["working_set_bytes"] = sum.working_set.value();
  put(object, "request_bytes", sum.request, "the request of a pod is not known");
  put(object, "headroom_bytes", sum.headroom, "a pod has no memory limit");
  return object;
}

ordered_json pod_json(const Pod& pod) {
  ordered_json object;
  object["uid"] = pod.uid;
  put_text(object, "namespace", pod.name_space, kNoSource);
  put_text(object, "name", pod.name, kNoSource);
  object["class"] = to_text(pod.workload);
  object["qos"] = cgroup::to_text(pod.qos);
  put(object, "usage_bytes", pod.usage, "its memory.current could not be read");
  put(object, "working_set_bytes", pod.working_set, "its memory.stat could not be read");
  if (pod.request) {
    object["request_bytes"] = pod.request->high.value();
    if (pod.request->source == RequestSource::kEstimate) {
      object["request_low_bytes"] = pod.request->low.value();
    }
    object["request_source"] = to_text(pod.request->source);
  } else {
    put_absent(object, "request_bytes", kNoSource);
    put_absent(object, "request_source", kNoSource);
  }
  put(object, "limit_bytes", pod.limit, "no limit");
  return object;
}

ordered_json pods_json(const std::vector<Pod>& pods) {
  ordered_json list = ordered_json::array();
  for (const Pod& pod : pods) {
    list.push_back(pod_json(pod));
  }
  return list;
}

enum class EvictionMap { kThreshold, kMinimumReclaim };

/// One value of the kubelet's maps by the kubelet's own grammar: alone, so that an error elsewhere
/// does not hide it.
Result<Bytes> setting_bytes(const std::string& signal,
                            const config::Setting& setting,
                            EvictionMap map,
                            const Plan& plan) {
  config::KubeletSettings alone;
  alone.enforce_node_allocatable.clear();
  alone.eviction_hard = {{signal, setting}};
  if (map == EvictionMap::kMinimumReclaim) {
    alone.eviction_minimum_reclaim = alone.eviction_hard;
    alone.eviction_hard = {{signal, config::Setting{.value = "1", .source = {}}}};
  }
  const config::KubeletVersion newest{.minor = config::kNewestMinor, .patch = {}, .suffix = {}};
  const config::ParsedThresholds parsed =
      config::parse_thresholds(alone, plan.observation.kubelet->version.value_or(newest));
  if (!parsed.errors.empty()) {
    return tl::unexpected{Error{.path = {}, .what = parsed.errors.front()}};
  }
  if (parsed.thresholds.empty()) {
    return tl::unexpected{
        Error{.path = {}, .what = "the kubelet takes this value for no threshold"}};
  }
  const config::Threshold& threshold = parsed.thresholds.front();
  return amount(signal, threshold.min_reclaim.value_or(threshold.value), plan.memory.capacity);
}

ordered_json setting_map_json(const std::optional<config::SettingMap>& settings,
                              EvictionMap map,
                              const Plan& plan) {
  ordered_json object = ordered_json::object();
  for (const auto& [signal, setting] : settings.value_or(config::SettingMap{})) {
    ordered_json entry;
    entry["value"] = setting.value;
    put(entry, "bytes", setting_bytes(signal, setting, map, plan));
    entry["source"] = setting.source;
    object[signal] = std::move(entry);
  }
  return object;
}

ordered_json effective_json(const Plan& plan) {
  const config::KubeletSettings settings = plan.observation.kubelet
                                               ? plan.observation.kubelet->loaded.settings
                                               : config::KubeletSettings{};
  ordered_json object;
  object["evictionHard"] = setting_map_json(settings.eviction_hard, EvictionMap::kThreshold, plan);
  object["evictionSoft"] = setting_map_json(settings.eviction_soft, EvictionMap::kThreshold, plan);
  object["evictionMinimumReclaim"] =
      setting_map_json(settings.eviction_minimum_reclaim, EvictionMap::kMinimumReclaim, plan);
  return object;
}

ordered_json kubelet_json(const Plan& plan) {
  const Observation& seen = plan.observation;
  const Kubelet kubelet = seen.kubelet.value_or(Kubelet{});
  ordered_json object;
  if (seen.kubelet) {
    object["pid"] = kubelet.pid;
  } else {
    put_absent(object, "pid", reason_of(seen.kubelet_absent, kNoKubelet));
  }
  put_text(object, "supervisor", kubelet.supervisor, seen.kubelet ? kNoSource : kNoKubelet);
  object["target"] = to_text(kubelet.target);
  put_text(object, "target_reason", kubelet.target_reason, seen.kubelet ? kNoSource : kNoKubelet);
  put_text(object, "file", kubelet.file, "there is no target");
  object["effective"] = effective_json(plan);
  object["errors"] = kubelet.loaded.errors;
  object["warnings"] = kubelet.loaded.warnings;
  put_text(object, "shadowed_by", plan.shadowed_by.value_or(""), "nothing overrides the file");
  put_text(object, "file_content", plan.file_content, "nothing would be written");
  put_text(object,
           "diff",
           plan.diff,
           plan.file_content.empty() ? "nothing would be written" : "the file would not change");
  return object;
}

ordered_json growth_json(const Sizing& sizing) {
  ordered_json object;
  const Growth growth = sizing.growth.value_or(Growth{});
  const LearnedGrowth learned = growth.learned.value_or(LearnedGrowth{});
  const auto bytes = [](bool known, Bytes amount) {
    return known ? std::optional{amount} : std::nullopt;
  };
  const bool sized = sizing.growth.has_value();
  const bool seen = growth.learned.has_value();
  constexpr const char* kNothing = "nothing was learned of this node yet";
  put(object, "bytes", bytes(sized, growth.bytes), "not sized");
  put(object, "prior_bytes", bytes(sized, growth.prior), "not sized");
  put(object, "learned_bytes", growth.seen, kNothing);
  object["learned_weight"] = learned.weight;
  put(object, "node_bytes", bytes(seen, learned.node), kNothing);
  put(object, "node_5min_bytes", bytes(seen, learned.node_long), kNothing);
  put(object, "containers_bytes", bytes(seen, learned.containers), kNothing);
  put(object, "containers_5min_bytes", bytes(seen, learned.containers_long), kNothing);
  put(object, "vms_bytes", bytes(seen, learned.vms), kNothing);
  put(object, "vms_1h_bytes", bytes(seen, learned.vms_long), kNothing);
  return object;
}

ordered_json sizing_json(const Sizing& sizing) {
  const std::string reason = sizing.reason.empty() ? "not sized" : sizing.reason;
  const bool full = sizing.instrument == Instrument::kHard;
  ordered_json object;
  object["instrument"] = to_text(sizing.instrument);
  put_text(object, "reason", sizing.reason, "none was given");
  put(object, "need_bytes", sizing.need, reason);
  put(object, "hard_bytes", sizing.hard, reason);
  put(object, "soft_bytes", sizing.soft, reason);
  put(object, "reclaim_bytes", sizing.reclaim, reason);
  put(object, "shortfall_bytes", sizing.shortfall, full ? "the full need passes" : reason);
  ordered_json terms = ordered_json::array();
  for (const Term& term : sizing.terms) {
    terms.push_back({{"name", term.name},
                     {"bytes", term.bytes.value()},
                     {"reason", term.reason},
                     {"source", term.source}});
  }
  object["terms"] = std::move(terms);
  object["growth"] = growth_json(sizing);
  return object;
}

ordered_json guards_json(const std::vector<Guard>& guards) {
  ordered_json list = ordered_json::array();
  for (const Guard& guard : guards) {
    ordered_json object;
    object["name"] = guard.name;
    if (guard.ok) {
      object["ok"] = *guard.ok;
    } else {
      put_absent(object, "ok", guard.reason);
    }
    object["reason"] = guard.reason;
    list.push_back(std::move(object));
  }
  return list;
}

ordered_json victims_json(const std::vector<Pod>& victims) {
  ordered_json list = ordered_json::array();
  for (const Pod& pod : victims) {
    ordered_json object;
    object["uid"] = pod.uid;
    put_text(object, "namespace", pod.name_space, kNoSource);
    put_text(object, "name", pod.name, kNoSource);
    object["class"] = to_text(pod.workload);
    put(object, "working_set_bytes", pod.working_set, "its memory.stat could not be read");
    list.push_back(std::move(object));
  }
  return list;
}

ordered_json problems_json(const std::vector<Error>& problems) {
  ordered_json list = ordered_json::array();
  for (const Error& problem : problems) {
    ordered_json object;
    put_text(object, "file", problem.path, "no file is involved");
    if (problem.line != 0) {
      object["line"] = problem.line;
    }
    object["kind"] = to_text(problem.kind);
    object["what"] = problem.what;
    put_text(object, "remedy", problem.remedy, "none is known");
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

ordered_json to_json(const Plan& plan) {
  const Observation& seen = plan.observation;
  ordered_json document;
  document["outcome"] = to_text(outcome(plan));
  document["node"] = node_json(plan);
  document["memory"] = memory_json(plan.memory);
  for (const WorkloadClass workload : kWorkloadClasses) {
    document["workloads"][std::string{to_text(workload)}] = workload_json(plan, workload);
  }
  if (seen.pods_known) {
    document["pods"] = pods_json(seen.pods);
  } else {
    put_absent(document, "pods", kNoPods);
  }
  document["kubelet"] = kubelet_json(plan);
  document["sizing"] = sizing_json(plan.sizing);
  document["guards"] = guards_json(plan.guards);
  put_text(document, "restart_forbidden", plan.restart_forbidden, "the configuration allows it");
  if (plan.next_victims) {
    document["next_victims"] = victims_json(*plan.next_victims);
  } else {
    put_absent(document, "next_victims", plan.next_victims_absent);
  }
  ordered_json& allocatable = document["allocatable_bytes"];
  put(allocatable, "now", plan.allocatable_now, plan.allocatable_absent);
  put(allocatable, "after", plan.allocatable_after, plan.allocatable_absent);
  put_text(document, "memory_pressure_effect", plan.memory_pressure_effect, "not known");
  document["problems"] = problems_json(seen.problems);
  return document;
}

ordered_json to_json(const std::vector<Finding>& findings) {
  ordered_json list = ordered_json::array();
  for (const Finding& finding : findings) {
    ordered_json object;
    object["name"] = finding.name;
    object["severity"] = to_text(finding.severity);
    object["what"] = finding.what;
    put_text(object, "remedy", finding.remedy, "nothing needs doing");
    list.push_back(std::move(object));
  }
  ordered_json document;
  document["fit"] = fit(findings);
  document["findings"] = std::move(list);
  return document;
}

}  // namespace eviction::agent
