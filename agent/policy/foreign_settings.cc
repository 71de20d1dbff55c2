// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/foreign_settings.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "config/drop_in.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

std::optional<config::Setting> memory_in(const std::optional<config::SettingMap>& map) {
  if (!map) {
    return std::nullopt;
  }
  const auto memory = map->find(config::kMemoryAvailable);
  return memory == map->end() ? std::nullopt : std::optional{memory->second};
}

/// Who set a value, unless it is the kubelet's default.
std::optional<std::string> foreign_source(const std::optional<config::Setting>& setting) {
  if (!setting || setting->source == config::kKubeletDefault) {
    return std::nullopt;
  }
  return fmt::format("{} by {}", setting->value, setting->source);
}

/// What our arguments are, as the file has them now and as they were put in force: until its next
/// start the kubelet runs with those.
std::vector<config::MemoryEviction> own_arguments(const Kubelet& kubelet) {
  std::vector<config::MemoryEviction> all;
  for (const std::string& content : {kubelet.file_content.value_or(""), kubelet.committed}) {
    const auto own = config::parse_own_file(content, kubelet.file);
    if (own && !is_drop_in(kubelet.target)) {
      all.push_back(*own);
    }
  }
  return all;
}

}  // namespace

std::optional<config::MemoryEviction> armed(const Kubelet& kubelet) {
  if (!kubelet.file_content) {
    return std::nullopt;
  }
  const auto own = config::parse_own_file(*kubelet.file_content, kubelet.file);
  return own ? std::optional{*own} : std::nullopt;
}

bool is_ours(const Kubelet& kubelet, const std::string& source, std::optional<Bytes> memory) {
  if (is_drop_in(kubelet.target)) {
    return source == kubelet.file && kubelet.file_content &&
           config::has_mark(*kubelet.file_content);
  }
  return memory &&
         std::ranges::any_of(own_arguments(kubelet), [&](const config::MemoryEviction& own) {
           return (source == "--eviction-hard" && memory == own.hard) ||
                  (source == "--eviction-soft" && memory == own.soft) ||
                  (source == "--eviction-minimum-reclaim" && memory == own.reclaim);
         });
}

std::optional<std::string> shadowed_by(const Observation& observation, const Sizing& sizing) {
  if (!observation.kubelet) {
    return std::nullopt;
  }
  std::vector<const char*> flags = {"eviction-hard", "eviction-minimum-reclaim"};
  if (sizing.soft) {
    flags.insert(flags.end(),
                 {"eviction-soft", "eviction-soft-grace-period", "eviction-max-pod-grace-period"});
  }
  const std::map<std::string, std::string>& overridden = observation.kubelet->overridden;
  for (const char* flag : flags) {
    if (const auto found = overridden.find(flag); found != overridden.end()) {
      return found->second;
    }
  }
  return std::nullopt;
}

std::optional<std::string> soft_in_use(const Observation& seen) {
  if (!seen.kubelet) {
    return std::nullopt;
  }
  const config::KubeletSettings& others = seen.kubelet->without_file;
  for (const auto& [signal, setting] : others.eviction_soft.value_or(config::SettingMap{})) {
    if (const auto source = foreign_source(setting)) {
      return fmt::format(
          "evictionSoft {} is set to {}, and evictionMaxPodGracePeriod 0 would change it",
          signal,
          *source);
    }
  }
  if (const auto source = foreign_source(others.eviction_max_pod_grace_period)) {
    return "evictionMaxPodGracePeriod is set to " + *source;
  }
  return std::nullopt;
}

Guard not_shadowed(const Observation& seen, const Sizing& sizing) {
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
  if (const std::optional<std::string> source = shadowed_by(seen, sizing)) {
    return {"not-shadowed", false, *source + " overrides our file"};
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
  if (!seen.kubelet) {
    return {"foreign-value", std::nullopt, "no kubelet found"};
  }
  const config::KubeletSettings& others = seen.kubelet->without_file;
  const std::optional<std::string>& content = seen.kubelet->file_content;
  if (content && !config::has_mark(*content)) {
    return {"foreign-value",
            false,
            seen.kubelet->file + " does not carry the agent's mark: never touched"};
  }
  const std::array<std::pair<const char*, const std::optional<config::SettingMap>*>, 3> maps = {
      {{"evictionHard", &others.eviction_hard},
       {"evictionSoft", &others.eviction_soft},
       {"evictionMinimumReclaim", &others.eviction_minimum_reclaim}}};
  for (const auto& [name, map] : maps) {
    if (const auto source = foreign_source(memory_in(*map))) {
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
