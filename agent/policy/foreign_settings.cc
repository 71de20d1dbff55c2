// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/foreign_settings.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "config/drop_in.h"
#include "config/quantity.h"
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

/// Who set a key, unless it was the kubelet's default or the agent.
std::optional<std::string> foreign_source(const Observation& seen,
                                          const std::string& signal,
                                          const config::Setting& setting) {
  std::optional<Bytes> memory;
  if (const auto quantity = config::parse_quantity(setting.value);
      quantity && signal == config::kMemoryAvailable) {
    memory = quantity->bytes;
  }
  if (setting.source == config::kKubeletDefault || is_ours(*seen.kubelet, setting.source, memory)) {
    return std::nullopt;
  }
  return fmt::format("{} by {}", setting.value, setting.source);
}

std::optional<std::string> foreign_in(const Observation& seen,
                                      const std::optional<config::SettingMap>& map) {
  const std::optional<config::Setting> setting = memory_in(map);
  return setting ? foreign_source(seen, config::kMemoryAvailable, *setting) : std::nullopt;
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

std::optional<std::string> foreign_pod_grace(const Observation& seen) {
  const auto& grace = seen.kubelet->loaded.settings.eviction_max_pod_grace_period;
  const bool ours =
      grace && grace->value == "0" &&
      std::ranges::any_of(own_arguments(*seen.kubelet),
                          [](const config::MemoryEviction& own) { return own.soft.has_value(); });
  return grace && !ours ? foreign_source(seen, {}, *grace) : std::nullopt;
}

/// What overrides one field of our file. The flag of a drop-in's field replaces all that the files
/// say of it, whatever keys a map has.
std::optional<std::string> overriding(const Kubelet& kubelet,
                                      const char* flag,
                                      const std::optional<config::Setting>& setting) {
  if (!is_drop_in(kubelet.target)) {
    const auto found = kubelet.overridden.find(flag);
    return found == kubelet.overridden.end() ? std::nullopt : std::optional{found->second};
  }
  if (config::flag_value(kubelet.arguments, flag)) {
    return "--" + std::string{flag};
  }
  const std::string folder = kubelet.file.substr(0, kubelet.file.rfind('/') + 1);
  if (setting && setting->source.starts_with(folder) && setting->source > kubelet.file) {
    return setting->source;
  }
  return std::nullopt;
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
  const Kubelet& kubelet = *observation.kubelet;
  const config::KubeletSettings& settings = kubelet.loaded.settings;
  using Field = std::pair<const char*, std::optional<config::Setting>>;
  std::vector<Field> fields = {
      {"eviction-hard", memory_in(settings.eviction_hard)},
      {"eviction-minimum-reclaim", memory_in(settings.eviction_minimum_reclaim)}};
  if (sizing.soft) {
    fields.emplace_back("eviction-soft", memory_in(settings.eviction_soft));
    fields.emplace_back("eviction-soft-grace-period",
                        memory_in(settings.eviction_soft_grace_period));
    fields.emplace_back("eviction-max-pod-grace-period", settings.eviction_max_pod_grace_period);
  }
  for (const auto& [flag, setting] : fields) {
    if (std::optional<std::string> source = overriding(kubelet, flag, setting)) {
      return source;
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
    if (const auto source = foreign_source(seen, signal, setting)) {
      return fmt::format(
          "evictionSoft {} is set to {}, and evictionMaxPodGracePeriod 0 would change it",
          signal,
          *source);
    }
  }
  if (const auto source = foreign_pod_grace(seen)) {
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
