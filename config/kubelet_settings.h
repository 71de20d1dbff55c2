// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace eviction::config {

/// Setting::source of a value that nobody wrote.
inline constexpr const char* kKubeletDefault = "kubelet default";

/// One value as it was written, and who wrote it.
struct Setting {
  std::string value;
  std::string source;  ///< "--eviction-hard", a file's path, or kKubeletDefault

  bool operator==(const Setting&) const = default;
};

/// A map of the kubelet's configuration, each key with its own source.
using SettingMap = std::map<std::string, Setting>;

/// What of the kubelet's configuration bears on memory eviction, and where the kubelet and its
/// container runtime can be asked, after defaults, --config, drop-ins and flags were merged as its
/// version merges them. Names are KubeletConfiguration's.
struct KubeletSettings {
  std::optional<SettingMap> eviction_hard;  ///< absent: nil; an empty map is no eviction at all
  std::optional<SettingMap> eviction_soft;
  std::optional<SettingMap> eviction_soft_grace_period;
  std::optional<SettingMap> eviction_minimum_reclaim;
  std::optional<SettingMap> kube_reserved;
  std::optional<SettingMap> system_reserved;
  std::optional<SettingMap> reserved_memory;  ///< key: NUMA node, value: memory quantity
  std::optional<Setting> eviction_max_pod_grace_period;
  std::optional<Setting> eviction_pressure_transition_period;
  std::optional<Setting> memory_manager_policy;  ///< "None" or "Static"
  std::optional<Setting> cgroup_driver;
  std::optional<Setting> cgroup_root;
  std::optional<Setting> port;  ///< of the kubelet's API
  std::optional<Setting> healthz_bind_address;
  std::optional<Setting> healthz_port;
  std::optional<Setting> container_runtime_endpoint;
  std::vector<std::string> enforce_node_allocatable = {"pods"};
  /// --experimental-allocatable-ignore-eviction: hard thresholds are neither taken from Allocatable
  /// nor copied to allocatableMemory.available.
  bool allocatable_ignores_eviction = false;
};

}  // namespace eviction::config
