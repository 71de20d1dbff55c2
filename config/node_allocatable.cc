// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::config {
namespace {

using Errors = std::vector<std::string>;

/// Source: kubelet v1.36 cmd/kubelet/app/server.go parseResourceList().
constexpr std::array<std::string_view, 4> kReservable{"cpu", "memory", "ephemeral-storage", "pid"};

std::string refuse(std::string_view map,
                   const std::string& key,
                   const Setting& setting,
                   std::string_view why) {
  return fmt::format("{}: {} \"{}\" of {}: {}", setting.source, map, setting.value, key, why);
}

/// What a map reserves of memory; adds an error for each entry the kubelet refuses.
Bytes reserved_memory(std::string_view map,
                      const std::optional<SettingMap>& settings,
                      Errors& errors) {
  Bytes memory;
  for (const auto& [key, setting] : settings.value_or(SettingMap{})) {
    const Result<Quantity> quantity = parse_quantity(setting.value);
    if (std::find(kReservable.begin(), kReservable.end(), key) == kReservable.end()) {
      errors.push_back(refuse(
          map, key, setting, fmt::format("only {} can be reserved", fmt::join(kReservable, ", "))));
    } else if (!quantity) {
      errors.push_back(refuse(map, key, setting, to_text(quantity.error())));
    } else if (quantity->sign < 0) {
      errors.push_back(refuse(map, key, setting, "it has to be 0 or more"));
    } else if (key == "memory") {
      memory = quantity->bytes;
    }
  }
  return memory;
}

Bytes hard_threshold(const ParsedThresholds& thresholds, Bytes capacity) {
  Bytes hard;
  for (const Threshold& threshold : thresholds.thresholds) {
    if (threshold.signal == kMemoryAvailable && !threshold.soft) {
      hard = threshold_bytes(threshold.value, capacity);
    }
  }
  return hard;
}

void check_static_policy(const KubeletSettings& settings, Bytes reservation, Errors& errors) {
  Bytes total;
  for (const auto& [node, memory] : settings.reserved_memory.value_or(SettingMap{})) {
    if (const Result<Quantity> quantity = parse_quantity(memory.value)) {
      total += quantity->bytes;
    }
  }
  const std::string source = settings.memory_manager_policy->source;
  if (total != reservation) {
    errors.push_back(fmt::format(
        "{}: memoryManagerPolicy Static wants reservedMemory ({}) to equal kubeReserved, "
        "systemReserved and the hard memory.available together ({})",
        source,
        render_quantity(total),
        render_quantity(reservation)));
  } else if (total == Bytes{}) {
    errors.push_back(
        fmt::format("{}: memoryManagerPolicy Static wants some memory to be reserved", source));
  }
}

}  // namespace

std::vector<std::string> check_node_allocatable(const KubeletSettings& settings,
                                                const ParsedThresholds& thresholds,
                                                Bytes capacity) {
  Errors errors;
  const Bytes kube = reserved_memory("kubeReserved", settings.kube_reserved, errors);
  const Bytes system = reserved_memory("systemReserved", settings.system_reserved, errors);
  const Bytes hard =
      settings.allocatable_ignores_eviction ? Bytes{} : hard_threshold(thresholds, capacity);
  const Bytes reservation = kube + system + hard;
  if (reservation > capacity) {
    errors.push_back(
        fmt::format("kubeReserved ({}), systemReserved ({}) and the hard memory.available ({}) "
                    "together are more than the node has ({}); lower one of them",
                    to_human(kube),
                    to_human(system),
                    to_human(hard),
                    to_human(capacity)));
  }
  const std::optional<Setting>& policy = settings.memory_manager_policy;
  if (policy && policy->value == "Static") {
    check_static_policy(settings, reservation, errors);
  } else if (policy && policy->value != "None") {
    errors.push_back(fmt::format(
        "{}: memoryManagerPolicy \"{}\" is not None or Static", policy->source, policy->value));
  }
  return errors;
}

}  // namespace eviction::config
