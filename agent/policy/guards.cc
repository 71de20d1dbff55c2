// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/guards.h"

#include <algorithm>
#include <array>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "config/drop_in.h"
#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

/// Node and kubelet run at least this long before the agent changes anything: device plugins, CNI
/// and storage come back within minutes of a start.
constexpr std::chrono::minutes kSettleTime{5};
/// Above this share of time stalled on memory (hundredths of a percent, 10 s average) a restart
/// adds to trouble. Source: a third of katalyst's eviction line of 15 %.
constexpr int kCalmSome = 500;

std::string human(const std::optional<Bytes>& amount) {
  return amount ? to_human(*amount) : "unknown";
}

/// Memory requests of all live pods.
struct RequestSum {
  Bytes low;
  Bytes high;
  std::size_t estimated = 0;
  std::size_t unknown = 0;
};

RequestSum sum_requests(const std::vector<Pod>& pods) {
  RequestSum sum;
  for (const Pod& pod : pods) {
    if (!pod.request) {
      ++sum.unknown;
      continue;
    }
    sum.low += pod.request->low;
    sum.high += pod.request->high;
    sum.estimated += pod.request->low != pod.request->high ? 1U : 0U;
  }
  return sum;
}

/// What Allocatable has left for a hard threshold and pods: C - V - hugepages.
std::optional<Bytes> allocatable_without_threshold(const Observation& seen,
                                                   const MemoryAccount& memory) {
  if (!memory.capacity) {
    return std::nullopt;
  }
  const Bytes reserved = reserved_memory(seen).value_or(memory.reserved.value_or(Bytes{}));
  return *memory.capacity - reserved - memory.hugepages;
}

std::optional<Bytes> kubepods_bound(const Observation& seen, Bytes step) {
  if (!seen.kubepods || !seen.kubepods->max || !seen.kubepods->max->bytes) {
    return std::nullopt;
  }
  const std::optional<Bytes> working_set = seen.kubepods->working_set();
  return working_set ? std::optional{*seen.kubepods->max->bytes - *working_set - step}
                     : std::nullopt;
}

std::optional<Bytes> reserved_bound(const Observation& seen,
                                    const MemoryAccount& memory,
                                    Bytes step) {
  const std::optional<Bytes> room = allocatable_without_threshold(seen, memory);
  return room ? std::optional{*room - step} : std::nullopt;
}

const config::KubeletSettings* settings_of(const Observation& seen) {
  return seen.kubelet ? &seen.kubelet->loaded.settings : nullptr;
}

bool is_static_memory_manager(const Observation& seen) {
  const config::KubeletSettings* settings = settings_of(seen);
  return settings != nullptr && settings->memory_manager_policy &&
         settings->memory_manager_policy->value == "Static";
}

/// Who set a key, unless it was the kubelet's default or the agent.
std::optional<std::string> foreign_source(const Observation& seen, const config::Setting& setting) {
  if (setting.source == config::kKubeletDefault || is_ours(*seen.kubelet, setting.source)) {
    return std::nullopt;
  }
  return fmt::format("{} by {}", setting.value, setting.source);
}

std::optional<std::string> foreign_in(const Observation& seen,
                                      const std::optional<config::SettingMap>& map) {
  if (!map) {
    return std::nullopt;
  }
  const auto found = map->find(config::kMemoryAvailable);
  return found == map->end() ? std::nullopt : foreign_source(seen, found->second);
}

/// Why a soft threshold of ours would change somebody else's soft settings.
std::optional<std::string> soft_in_use(const Observation& seen) {
  const config::KubeletSettings* settings = settings_of(seen);
  if (settings == nullptr) {
    return std::nullopt;
  }
  for (const auto& [signal, setting] : settings->eviction_soft.value_or(config::SettingMap{})) {
    if (const auto source = foreign_source(seen, setting)) {
      return fmt::format(
          "evictionSoft {} is set to {}, and evictionMaxPodGracePeriod 0 would change it",
          signal,
          *source);
    }
  }
  if (settings->eviction_max_pod_grace_period) {
    if (const auto source = foreign_source(seen, *settings->eviction_max_pod_grace_period)) {
      return "evictionMaxPodGracePeriod is set to " + *source;
    }
  }
  return std::nullopt;
}

Guard compare(std::string name,
              const Sizing& sizing,
              const std::optional<Bytes>& bound,
              const std::string& numbers) {
  if (sizing.instrument == Instrument::kSoft) {
    return {std::move(name), true, "binds hard thresholds only; " + numbers};
  }
  const std::optional<Bytes> value = sizing.hard ? sizing.hard : sizing.need;
  if (!bound || !value) {
    return {std::move(name), std::nullopt, numbers};
  }
  return {std::move(name),
          *value <= *bound,
          fmt::format("{}: a hard threshold may take {}, this one takes {}",
                      numbers,
                      to_human(std::max(*bound, Bytes{})),
                      to_human(*value))};
}

Guard requests_fit(const Observation& seen, const MemoryAccount& memory, const Sizing& sizing) {
  const RequestSum requests = sum_requests(seen.pods);
  if (!seen.pods_known) {
    return {"requests-fit", std::nullopt, "pods are unknown: no kubepods cgroup could be read"};
  }
  const Bytes step = rounding_step(memory.capacity.value_or(Bytes{}));
  if (requests.unknown > 0) {
    Guard guard = compare(
        "requests-fit",
        sizing,
        std::nullopt,
        fmt::format(
            "memory requests of {} of {} pods are unknown", requests.unknown, seen.pods.size()));
    return guard;
  }
  Guard guard = compare("requests-fit",
                        sizing,
                        requests_bound(seen, memory, step),
                        fmt::format("{} pods request {} of {}",
                                    seen.pods.size(),
                                    to_human(requests.high),
                                    human(allocatable_without_threshold(seen, memory))));
  if (requests.estimated > 0 && sizing.instrument != Instrument::kSoft) {
    const bool even_low_fails = guard.ok == false && (sizing.hard ? *sizing.hard : *sizing.need) >
                                                         *requests_bound(seen, memory, step) +
                                                             (requests.high - requests.low);
    guard.ok = even_low_fails ? std::optional{false} : std::nullopt;
    guard.reason += fmt::format("; {} of the requests are estimates (sum {} to {})",
                                requests.estimated,
                                to_human(requests.low),
                                to_human(requests.high));
  }
  return guard;
}

/// The least that was available lately.
std::optional<Bytes> available_low(const MemoryAccount& memory,
                                   const Circumstances& circumstances) {
  if (!memory.kubelet_available || !circumstances.available_low) {
    return memory.kubelet_available;
  }
  return std::min(*memory.kubelet_available, *circumstances.available_low);
}

Guard headroom_now(const MemoryAccount& memory,
                   const Sizing& sizing,
                   const Circumstances& circumstances) {
  const std::optional<Bytes> value = sizing.soft   ? sizing.soft
                                     : sizing.hard ? sizing.hard
                                                   : sizing.need;
  const std::optional<Bytes> low = available_low(memory, circumstances);
  if (!low || !value) {
    return {"headroom-now", std::nullopt, "available memory is unknown"};
  }
  const Bytes slack = rounding_step(*memory.capacity);
  return {"headroom-now",
          *low >= *value + slack,
          fmt::format("{} available {}, threshold {} + slack {}",
                      to_human(*low),
                      circumstances.available_low ? "at the low of the last hour"
                                                  : "now (one look, no history yet)",
                      to_human(*value),
                      to_human(slack))};
}

Guard kubepods_room(const Observation& seen, const MemoryAccount& memory, const Sizing& sizing) {
  if (!seen.kubepods || !seen.kubepods->current) {
    return compare("kubepods-room", sizing, std::nullopt, "kubepods' memory could not be read");
  }
  if (seen.kubepods->max && !seen.kubepods->max->bytes) {
    return {"kubepods-room", true, "kubepods has no memory limit"};
  }
  const Bytes step = rounding_step(memory.capacity.value_or(Bytes{}));
  return compare("kubepods-room",
                 sizing,
                 kubepods_bound(seen, step),
                 fmt::format("pods use {} of kubepods' limit {}",
                             human(seen.kubepods->working_set()),
                             seen.kubepods->max ? human(seen.kubepods->max->bytes) : "unknown"));
}

Guard reserved_fit(const Observation& seen, const MemoryAccount& memory, const Sizing& sizing) {
  const Bytes step = rounding_step(memory.capacity.value_or(Bytes{}));
  return compare("reserved-fit",
                 sizing,
                 reserved_bound(seen, memory, step),
                 fmt::format("reserved {} and hugepages {} of {}",
                             human(reserved_memory(seen)),
                             to_human(memory.hugepages),
                             human(memory.capacity)));
}

Guard memory_manager(const Observation& seen, const Sizing& sizing) {
  if (!seen.kubelet) {
    return {"memory-manager", std::nullopt, "no kubelet found"};
  }
  if (!is_static_memory_manager(seen)) {
    return {"memory-manager", true, "memoryManagerPolicy is not Static"};
  }
  return {
      "memory-manager",
      sizing.instrument == Instrument::kSoft,
      "memoryManagerPolicy is Static: the kubelet starts only if reservedMemory equals reserved "
      "plus hard threshold"};
}

Guard calm(const Observation& seen, const Circumstances& circumstances) {
  if (!seen.pressure && !circumstances.stalls) {
    return {"calm", std::nullopt, "no PSI, and one look tells no rate of allocation stalls"};
  }
  if (!seen.pressure) {
    return {"calm",
            *circumstances.stalls == 0,
            fmt::format("no PSI; {} allocations stalled on reclaim since the last look, 0 allowed",
                        *circumstances.stalls)};
  }
  const int some = seen.pressure->some.avg10;
  return {"calm",
          some < kCalmSome,
          fmt::format("{:.2f} % of the last 10 s stalled on memory, {:.2f} % allowed",
                      some / 100.0,
                      kCalmSome / 100.0)};
}

Guard not_shadowed(const Observation& seen) {
  if (!seen.kubelet || seen.kubelet->target == Target::kNone) {
    return {"not-shadowed", std::nullopt, "no file of ours would be read here"};
  }
  if (const std::optional<std::string> source = shadowed_by(seen)) {
    return {"not-shadowed", false, *source + " sets the signal after our file"};
  }
  return {"not-shadowed", true, "nothing sets memory.available after our file"};
}

/// A pod of a running upgrade of the node. Source: harvester v1.5
/// pkg/controller/master/upgrade/common.go (hvst-upgrade-), rancher system-upgrade-controller
/// (apply-PLAN-on-NODE-...).
const Pod* upgrade_pod(const std::vector<Pod>& pods) {
  const auto found = std::ranges::find_if(pods, [](const Pod& pod) {
    const bool harvester =
        pod.name_space == "harvester-system" && pod.name.starts_with("hvst-upgrade-");
    const bool plan = (pod.name_space == "cattle-system" || pod.name_space == "system-upgrade") &&
                      pod.name.starts_with("apply-") && pod.name.find("-on-") != std::string::npos;
    return harvester || plan;
  });
  return found == pods.end() ? nullptr : &*found;
}

Guard settled(const Observation& seen, const Circumstances& circumstances) {
  const std::optional<std::chrono::seconds> known_age = kubelet_age(seen);
  if (!known_age) {
    return {"settled", std::nullopt, "no kubelet or no uptime to look at"};
  }
  const std::chrono::seconds age = *known_age;
  if (*seen.uptime < kSettleTime || age < kSettleTime) {
    return {"settled",
            false,
            fmt::format("node up for {} s, kubelet for {} s: {} s each are needed",
                        seen.uptime->count(),
                        age.count(),
                        std::chrono::seconds{kSettleTime}.count())};
  }
  if (const Pod* const upgrade = upgrade_pod(seen.pods)) {
    return {"settled", false, "an upgrade of the node is under way: pod " + upgrade->name};
  }
  const std::string times =
      fmt::format("node up for {} min, kubelet for {} min",
                  std::chrono::duration_cast<std::chrono::minutes>(*seen.uptime).count(),
                  std::chrono::duration_cast<std::chrono::minutes>(age).count());
  if (!circumstances.runtime_silence) {
    return {"settled",
            std::nullopt,
            times + "; whether the container runtime answers is not asked by a plan"};
  }
  if (!circumstances.runtime_silence->empty()) {
    return {"settled",
            false,
            "the container runtime does not answer: " + *circumstances.runtime_silence};
  }
  return {"settled", true, times + "; the container runtime answers"};
}

Guard restart_budget(const Circumstances& circumstances, const config::AgentConfig& config) {
  if (!circumstances.restart_refused.empty()) {
    return {"restart-budget", false, circumstances.restart_refused};
  }
  return {"restart-budget",
          circumstances.restarts_today < config.restarts_per_day,
          fmt::format("{} of {} restarts of the kubelet by the agent in the last 24 h",
                      circumstances.restarts_today,
                      config.restarts_per_day)};
}

/// A range of versions that must not be restarted.
struct DeniedVersion {
  int minor;
  int first_patch;
  int last_patch;
  const char* reason;
};

/// RKE2 releases whose restart tore down every pod on the node. Source: rancher/rke2#3723,
/// containerd/containerd#7843.
constexpr std::array<DeniedVersion, 3> kDenied = {
    {{24, 9, 9, "rke2#3723"}, {25, 5, 5, "rke2#3723"}, {26, 0, 0, "rke2#3723"}}};

Guard version(const Observation& seen, const config::AgentConfig& config) {
  if (!seen.kubelet) {
    return {"version", std::nullopt, "no kubelet found"};
  }
  if (!seen.kubelet->version) {
    return {"version", std::nullopt, "unknown: " + seen.kubelet->version_source};
  }
  const config::KubeletVersion& found = *seen.kubelet->version;
  const std::string text = config::to_text(found);
  for (const DeniedVersion& denied : kDenied) {
    const int patch = found.patch.value_or(denied.first_patch);
    if (found.minor == denied.minor && patch >= denied.first_patch && patch <= denied.last_patch &&
        seen.kubelet->supervisor == "rke2") {
      return {"version",
              false,
              fmt::format("{} loses pods when it restarts ({})", text, denied.reason)};
    }
  }
  const bool known = found.major == 1 && found.minor >= config::kOldestMinor &&
                     found.minor <= config::kNewestMinor;
  if (known || config.allow_unknown_version) {
    return {"version", true, text + (known ? " is known" : " is allowed by the configuration")};
  }
  return {"version",
          std::nullopt,
          fmt::format("{} is outside 1.{} to 1.{}; [kubelet] allow-version = yes accepts it",
                      text,
                      config::kOldestMinor,
                      config::kNewestMinor)};
}

Guard foreign_value(const Observation& seen,
                    const Sizing& sizing,
                    const config::AgentConfig& config) {
  const config::KubeletSettings* settings = settings_of(seen);
  if (settings == nullptr) {
    return {"foreign-value", std::nullopt, "no kubelet found"};
  }
  const std::optional<std::string>& content = seen.kubelet->file_content;
  if (content && !config::has_mark(*content)) {
    return {"foreign-value",
            false,
            seen.kubelet->file + " does not carry the agent's mark: never touched"};
  }
  const std::array<std::pair<const char*, const std::optional<config::SettingMap>*>, 3> maps = {
      {{"evictionHard", &settings->eviction_hard},
       {"evictionSoft", &settings->eviction_soft},
       {"evictionMinimumReclaim", &settings->eviction_minimum_reclaim}}};
  for (const auto& [name, map] : maps) {
    if (const auto source = foreign_in(seen, *map)) {
      return {"foreign-value",
              config.override_foreign,
              fmt::format("{} memory.available is set to {}; {}",
                          name,
                          *source,
                          config.override_foreign ? "overridden as configured"
                                                  : "left alone unless [kubelet] override = yes")};
    }
  }
  if (sizing.soft) {
    if (const auto in_use = soft_in_use(seen)) {
      return {"foreign-value", false, *in_use};
    }
  }
  return {"foreign-value", true, "nobody else sets a memory threshold"};
}

void bound_hard(Bounds& all, const std::optional<Bytes>& bound, const char* holder) {
  if (bound && (!all.hard || *bound < *all.hard)) {
    all.hard = bound;
    all.hard_holder = holder;
  }
}

}  // namespace

std::optional<Bytes> reserved_memory(const Observation& observation) {
  const config::KubeletSettings* settings = settings_of(observation);
  if (settings == nullptr) {
    return std::nullopt;
  }
  Bytes sum;
  for (const auto* map : {&settings->kube_reserved, &settings->system_reserved}) {
    if (!*map) {
      continue;
    }
    const auto memory = (*map)->find("memory");
    if (memory != (*map)->end()) {
      const Result<config::Quantity> quantity = config::parse_quantity(memory->second.value);
      sum += quantity ? quantity->bytes : Bytes{};
    }
  }
  return sum;
}

bool is_ours(const Kubelet& kubelet, const std::string& source) {
  if (!kubelet.file_content || !config::has_mark(*kubelet.file_content)) {
    return false;
  }
  if (is_drop_in(kubelet.target)) {
    return source == kubelet.file;
  }
  // With arguments our file reaches the kubelet as a flag.
  return source.starts_with("--eviction-");
}

std::optional<Bytes> requests_bound(const Observation& observation,
                                    const MemoryAccount& memory,
                                    Bytes step) {
  const RequestSum requests = sum_requests(observation.pods);
  const std::optional<Bytes> room = allocatable_without_threshold(observation, memory);
  if (!room || !observation.pods_known || requests.unknown > 0) {
    return std::nullopt;
  }
  return *room - requests.high - step;
}

Bounds bounds(const Observation& observation,
              const MemoryAccount& memory,
              const Need& need,
              const Circumstances& circumstances) {
  Bounds all;
  bound_hard(all, requests_bound(observation, memory, need.step), "memory requests");
  bound_hard(all, kubepods_bound(observation, need.step), "memory used by pods");
  bound_hard(all, reserved_bound(observation, memory, need.step), "reserved memory and hugepages");
  if (const auto low = available_low(memory, circumstances)) {
    all.headroom = *low - need.step;
  }
  if (is_static_memory_manager(observation)) {
    all.no_hard =
        "memoryManagerPolicy Static allows no hard threshold but the one in reservedMemory";
  } else if (memory.hugepages + memory.hugepages > need.hard) {
    all.no_hard = fmt::format(
        "{} of it would be hugepages, which Allocatable lacks already and would lose a second time",
        to_human(memory.hugepages));
  }
  all.no_soft = soft_in_use(observation);
  return all;
}

std::vector<Guard> guards(const Observation& observation,
                          const MemoryAccount& memory,
                          const Sizing& sizing,
                          const config::AgentConfig& config,
                          const Circumstances& circumstances) {
  return {requests_fit(observation, memory, sizing),
          headroom_now(memory, sizing, circumstances),
          kubepods_room(observation, memory, sizing),
          reserved_fit(observation, memory, sizing),
          memory_manager(observation, sizing),
          calm(observation, circumstances),
          not_shadowed(observation),
          settled(observation, circumstances),
          restart_budget(circumstances, config),
          version(observation, config),
          foreign_value(observation, sizing, config)};
}

std::optional<std::string> shadowed_by(const Observation& observation) {
  if (!observation.kubelet || !is_drop_in(observation.kubelet->target)) {
    return std::nullopt;
  }
  const Kubelet& kubelet = *observation.kubelet;
  // A flag replaces the whole map that the files built, whatever keys it has.
  for (const char* flag : {"eviction-hard", "eviction-minimum-reclaim"}) {
    if (config::flag_value(kubelet.arguments, flag)) {
      return "--" + std::string{flag};
    }
  }
  const std::string folder = kubelet.file.substr(0, kubelet.file.rfind('/') + 1);
  const config::KubeletSettings& settings = kubelet.loaded.settings;
  for (const auto* map : {&settings.eviction_hard, &settings.eviction_minimum_reclaim}) {
    if (!*map) {
      continue;
    }
    const auto memory = (*map)->find(config::kMemoryAvailable);
    if (memory != (*map)->end() && memory->second.source.starts_with(folder) &&
        memory->second.source > kubelet.file) {
      return memory->second.source;
    }
  }
  return std::nullopt;
}

}  // namespace eviction::agent
