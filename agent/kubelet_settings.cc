// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_settings.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include "cgroup/process.h"
#include "config/drop_in.h"
#include "config/drop_in_files.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

using config::FilesInstead;
using config::KubeletInvocation;
using config::KubeletSettings;
using config::Setting;
using config::SettingMap;

/// One field of our file and the flag that replaces it, whatever keys a map has.
struct Field {
  const char* flag;
  std::optional<SettingMap> KubeletSettings::*map;  ///< nullptr: the pods' grace period
};

constexpr std::array kFields = {
    Field{"eviction-hard", &KubeletSettings::eviction_hard},
    Field{"eviction-minimum-reclaim", &KubeletSettings::eviction_minimum_reclaim},
    Field{"eviction-soft", &KubeletSettings::eviction_soft},
    Field{"eviction-soft-grace-period", &KubeletSettings::eviction_soft_grace_period},
    Field{"eviction-max-pod-grace-period", nullptr}};

std::optional<Setting> setting_of(const KubeletSettings& settings, const Field& field) {
  if (field.map == nullptr) {
    return settings.eviction_max_pod_grace_period;
  }
  const std::optional<SettingMap>& map = settings.*field.map;
  if (!map || !map->contains(config::kMemoryAvailable)) {
    return std::nullopt;
  }
  return map->at(config::kMemoryAvailable);
}

/// The drop-ins that are read behind file.
std::vector<std::string> later_drop_ins(const KubeletInvocation& invocation,
                                        const cgroup::Directory& root,
                                        const std::string& file) {
  const auto folder = config::flag_value(invocation.arguments, "config-dir");
  std::vector<std::string> paths = config::find_drop_ins(root, folder.value_or("")).paths;
  std::erase_if(paths, [&](const std::string& path) {
    return std::filesystem::path{path} <= std::filesystem::path{file};
  });
  return paths;
}

/// The drop-in whose null takes a field of our file away. invocation: with our file.
std::optional<std::string> deleting_drop_in(KubeletInvocation invocation,
                                            const cgroup::Directory& root,
                                            const std::string& file,
                                            const Field& field) {
  const std::vector<std::string> later = later_drop_ins(invocation, root, file);
  for (const std::string& path : later) {
    invocation.instead[path] = std::nullopt;
  }
  for (const std::string& path : later) {
    invocation.instead.erase(path);
    if (!setting_of(config::load_kubelet_settings(invocation, root).settings, field)) {
      return path;
    }
  }
  return std::nullopt;
}

std::map<std::string, std::string> overriding_drop_ins(KubeletInvocation invocation,
                                                       const cgroup::Directory& root,
                                                       const std::string& file) {
  constexpr Bytes kAny{1};
  invocation.instead = {
      {file, config::render_drop_in({.hard = kAny, .soft = kAny, .reclaim = kAny})}};
  const KubeletSettings settings = config::load_kubelet_settings(invocation, root).settings;
  std::map<std::string, std::string> overriding;
  for (const Field& field : kFields) {
    const std::optional<Setting> setting = setting_of(settings, field);
    if (config::flag_value(invocation.arguments, field.flag)) {
      overriding[field.flag] = std::string{"--"} + field.flag;
    } else if (setting && setting->source != file) {
      overriding[field.flag] = setting->source;
    } else if (auto path =
                   setting ? std::nullopt : deleting_drop_in(invocation, root, file, field)) {
      overriding[field.flag] = std::move(*path);
    }
  }
  return overriding;
}

/// What else a start with the present files would change of what bears on eviction. Absent:
/// nothing.
std::optional<std::string> pending(const KubeletSettings& now, const KubeletSettings& next) {
  const std::array fields = {
      std::pair{"kube-reserved", now.kube_reserved == next.kube_reserved},
      std::pair{"system-reserved", now.system_reserved == next.system_reserved},
      std::pair{"reserved-memory", now.reserved_memory == next.reserved_memory},
      std::pair{"memory-manager-policy", now.memory_manager_policy == next.memory_manager_policy},
      std::pair{"enforce-node-allocatable",
                now.enforce_node_allocatable == next.enforce_node_allocatable},
      std::pair{"experimental-allocatable-ignore-eviction",
                now.allocatable_ignores_eviction == next.allocatable_ignores_eviction}};
  for (const auto& [name, same] : fields) {
    if (!same) {
      return name;
    }
  }
  return std::nullopt;
}

/// Whether argv has anything that bears on eviction and that neither the files nor what was put in
/// force give: RKE2 has it from a command line, then, or from a file as it was.
bool has_unexplained(const Kubelet& kubelet,
                     const K3sStart& start,
                     const cgroup::Directory& root,
                     cgroup::Buffer& buffer) {
  std::set<std::string> explained;
  for (const FilesInstead& instead : {FilesInstead{},
                                      FilesInstead{{kubelet.file, std::nullopt}},
                                      FilesInstead{{kubelet.file, kubelet.committed}}}) {
    const K3sConfig config = read_k3s_config(root, start, instead, buffer);
    std::ranges::copy(compose_rke2(kubelet.arguments, config),
                      std::inserter(explained, explained.end()));
  }
  return std::ranges::any_of(kubelet.arguments, [&](const std::string& argument) {
    return !explained.contains(argument);
  });
}

/// What keeps the flags of RKE2's next start from being known, or from being those of this run.
void tell_pending(Kubelet& kubelet,
                  const K3sStart& start,
                  const cgroup::Directory& root,
                  cgroup::Buffer& buffer) {
  if (start.unknown && has_unexplained(kubelet, start, root, buffer)) {
    kubelet.problems.push_back(*start.unknown);
  } else if (const auto changed = pending(kubelet.loaded.settings, kubelet.without_file)) {
    kubelet.problems.push_back(
        Error{ErrorKind::kUnsupported,
              {},
              0,
              start.program + "'s configuration has another " + *changed +
                  " than this kubelet runs with, which a restart would put in force",
              "restart " + start.program + " once, or take the change back"});
  }
}

void load_with_arguments(Kubelet& kubelet,
                         const K3sStart& start,
                         KubeletInvocation invocation,
                         const cgroup::Directory& root,
                         cgroup::Buffer& buffer) {
  const K3sConfig without = read_k3s_config(root, start, {{kubelet.file, std::nullopt}}, buffer);
  invocation.arguments = kubelet.embedded ? compose_k3s(root, without).arguments
                                          : compose_rke2(kubelet.arguments, without);
  kubelet.without_file = config::load_kubelet_settings(invocation, root).settings;
  kubelet.overridden = overriding_arguments(root, start, kubelet.file, buffer);
  if (!kubelet.embedded) {
    tell_pending(kubelet, start, root, buffer);
  }
}

}  // namespace

void load_settings(Kubelet& kubelet,
                   const K3sStart& start,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer) {
  KubeletInvocation invocation;
  invocation.version =
      kubelet.version.value_or(config::KubeletVersion{1, config::kNewestMinor, std::nullopt, {}});
  invocation.arguments = kubelet.arguments;
  invocation.config_dropin_dir_alpha =
      cgroup::read_environment(proc, kubelet.pid, "KUBELET_CONFIG_DROPIN_DIR_ALPHA", buffer)
          .has_value();
  kubelet.loaded = config::load_kubelet_settings(invocation, root);
  if (const auto folder = config::flag_value(kubelet.arguments, "root-dir")) {
    kubelet.root_dir = *folder;
  }
  if (kubelet.target == Target::kNone) {
    kubelet.without_file = kubelet.loaded.settings;
    return;
  }
  if (takes_arguments(kubelet.target)) {
    return load_with_arguments(kubelet, start, std::move(invocation), root, buffer);
  }
  invocation.instead = {{kubelet.file, std::nullopt}};
  kubelet.without_file = config::load_kubelet_settings(invocation, root).settings;
  kubelet.overridden = overriding_drop_ins(std::move(invocation), root, kubelet.file);
}

}  // namespace eviction::agent
