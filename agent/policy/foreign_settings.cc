// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/foreign_settings.h"

#include <algorithm>
#include <array>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "config/drop_in.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

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

}  // namespace

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

Guard not_shadowed(const Observation& seen) {
  if (!seen.kubelet || seen.kubelet->target == Target::kNone) {
    return {"not-shadowed", std::nullopt, "no file of ours would be read here"};
  }
  const Kubelet& kubelet = *seen.kubelet;
  if (!kubelet.loaded.errors.empty()) {
    return {"not-shadowed",
            false,
            "the kubelet would not start again with its present flags and files; correct this "
            "first: " +
                kubelet.loaded.errors.front()};
  }
  if (const std::optional<std::string> source = shadowed_by(seen)) {
    return {"not-shadowed", false, *source + " sets the signal after our file"};
  }
  if (!kubelet.problems.empty()) {
    return {"not-shadowed",
            std::nullopt,
            "not all of the kubelet's flags may be known: " + to_text(kubelet.problems.front())};
  }
  return {"not-shadowed", true, "nothing sets memory.available after our file"};
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

}  // namespace eviction::agent
