// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/guards.h"

#include <algorithm>
#include <array>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "agent/policy/foreign_settings.h"
#include "agent/policy/restart_guards.h"
#include "config/quantity.h"

namespace eviction::agent {

namespace {

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

std::optional<Bytes> kubepods_left(const Observation& seen, Bytes step) {
  if (!seen.kubepods || !seen.kubepods->max || !seen.kubepods->max->bytes) {
    return std::nullopt;
  }
  const std::optional<Bytes> working_set = seen.kubepods->working_set();
  return working_set ? std::optional{*seen.kubepods->max->bytes - *working_set - step}
                     : std::nullopt;
}

/// A new value must not fire at once; one that is armed is there for the peak, and stays.
std::optional<Bytes> kubepods_bound(const Observation& seen, Bytes step) {
  const std::optional<Bytes> left = kubepods_left(seen, step);
  const auto now = seen.kubelet ? armed(*seen.kubelet) : std::nullopt;
  return left && now ? std::optional{std::max(*left, now->hard.value_or(Bytes{}))} : left;
}

std::optional<Bytes> reserved_bound(const Observation& seen,
                                    const MemoryAccount& memory,
                                    Bytes step) {
  const std::optional<Bytes> room = allocatable_without_threshold(seen, memory);
  return room ? std::optional{*room - step} : std::nullopt;
}

bool is_static_memory_manager(const Observation& seen) {
  const config::KubeletSettings* settings = settings_of(seen);
  return settings != nullptr && settings->memory_manager_policy &&
         settings->memory_manager_policy->value == "Static";
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
  const std::optional<RequestsBound> bound = requests_bound(seen, memory, step);
  Guard guard = compare("requests-fit",
                        sizing,
                        bound ? std::optional{bound->sure} : std::nullopt,
                        fmt::format("{} pods request {} of {}",
                                    seen.pods.size(),
                                    to_human(requests.high),
                                    human(allocatable_without_threshold(seen, memory))));
  if (requests.estimated > 0 && sizing.instrument != Instrument::kSoft) {
    const bool even_low_fails =
        guard.ok == false && (sizing.hard ? *sizing.hard : *sizing.need) > bound->possible;
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

Guard headroom_now(const Observation& seen,
                   const MemoryAccount& memory,
                   const Sizing& sizing,
                   const Circumstances& circumstances) {
  const std::optional<Bytes> value = sizing.soft   ? sizing.soft
                                     : sizing.hard ? sizing.hard
                                                   : sizing.need;
  const std::optional<Bytes> low = available_low(memory, circumstances);
  if (!low || !value) {
    return {"headroom-now", std::nullopt, "available memory is unknown"};
  }
  const auto now = seen.kubelet ? armed(*seen.kubelet) : std::nullopt;
  if (now && *value <= (sizing.soft ? now->soft : now->hard).value_or(Bytes{})) {
    return {
        "headroom-now",
        true,
        fmt::format("{} is no more than what is armed, and there for the low", to_human(*value))};
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

/// What a guard says of settings is not sure while the kubelet would refuse some of them.
void doubt_settings(std::vector<Guard>& all) {
  constexpr std::array kOfSettings = {
      "requests-fit", "reserved-fit", "memory-manager", "foreign-value"};
  for (Guard& guard : all) {
    if (guard.ok == true && std::ranges::count(kOfSettings, guard.name) > 0) {
      guard.ok.reset();
      guard.reason = "not known while the kubelet would refuse its settings";
    }
  }
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

std::optional<RequestsBound> requests_bound(const Observation& observation,
                                            const MemoryAccount& memory,
                                            Bytes step) {
  const RequestSum requests = sum_requests(observation.pods);
  const std::optional<Bytes> room = allocatable_without_threshold(observation, memory);
  if (!room || !observation.pods_known || requests.unknown > 0) {
    return std::nullopt;
  }
  return RequestsBound{*room - requests.high - step, *room - requests.low - step};
}

Bounds bounds(const Observation& observation,
              const MemoryAccount& memory,
              const Need& need,
              const Circumstances& circumstances) {
  Bounds all;
  if (const auto requests = requests_bound(observation, memory, need.step)) {
    bound_hard(all, requests->sure, "memory requests");
  }
  bound_hard(all, kubepods_bound(observation, need.step), "memory used by pods");
  bound_hard(all, reserved_bound(observation, memory, need.step), "reserved memory and hugepages");
  all.kubepods_room = kubepods_left(observation, need.step);
  if (const auto low = available_low(memory, circumstances)) {
    all.headroom = *low - need.step;
  }
  if (const auto now = observation.kubelet ? armed(*observation.kubelet) : std::nullopt) {
    all.armed_hard = now->hard.value_or(Bytes{});
    all.armed_soft = now->soft.value_or(Bytes{});
  }
  if (is_static_memory_manager(observation)) {
    all.no_hard =
        "memoryManagerPolicy Static allows no hard threshold but the one in reservedMemory";
  } else if (need.hugepages + need.hugepages > need.hard) {
    all.no_hard = fmt::format(
        "{} of it would be hugepages, which Allocatable lacks already and would lose a second time",
        to_human(need.hugepages));
  }
  all.no_soft = soft_in_use(observation);
  return all;
}

std::vector<Guard> guards(const Observation& observation,
                          const MemoryAccount& memory,
                          const Sizing& sizing,
                          const config::AgentConfig& config,
                          const Circumstances& circumstances) {
  std::vector<Guard> all = {requests_fit(observation, memory, sizing),
                            headroom_now(observation, memory, sizing, circumstances),
                            kubepods_room(observation, memory, sizing),
                            reserved_fit(observation, memory, sizing),
                            memory_manager(observation, sizing),
                            calm(observation, circumstances),
                            not_shadowed(observation, sizing),
                            settled(observation, circumstances),
                            restart_budget(circumstances, config),
                            version(observation, config),
                            foreign_value(observation, sizing, config)};
  if (observation.kubelet && !observation.kubelet->loaded.errors.empty()) {
    doubt_settings(all);
  }
  return all;
}

}  // namespace eviction::agent
