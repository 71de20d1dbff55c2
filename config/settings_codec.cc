// SPDX-License-Identifier: Apache-2.0
#include "config/settings_codec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "config/go_parse.h"
#include "config/quantity.h"

namespace eviction::config {
namespace {

using Kind = ConfigValue::Kind;
using Errors = std::vector<std::string>;

struct MapField {
  std::string_view name;
  std::optional<SettingMap> KubeletSettings::*member;
};

constexpr std::array kMaps = std::to_array<MapField>({
    {"evictionHard", &KubeletSettings::eviction_hard},
    {"evictionMinimumReclaim", &KubeletSettings::eviction_minimum_reclaim},
    {"evictionSoft", &KubeletSettings::eviction_soft},
    {"evictionSoftGracePeriod", &KubeletSettings::eviction_soft_grace_period},
    {"kubeReserved", &KubeletSettings::kube_reserved},
    {"systemReserved", &KubeletSettings::system_reserved},
});

struct ScalarField {
  std::string_view name;
  Kind kind;
  std::optional<Setting> KubeletSettings::*member;
};

constexpr std::array kScalars = std::to_array<ScalarField>({
    {"cgroupDriver", Kind::kString, &KubeletSettings::cgroup_driver},
    {"cgroupRoot", Kind::kString, &KubeletSettings::cgroup_root},
    {"containerRuntimeEndpoint", Kind::kString, &KubeletSettings::container_runtime_endpoint},
    {"evictionMaxPodGracePeriod", Kind::kNumber, &KubeletSettings::eviction_max_pod_grace_period},
    {"evictionPressureTransitionPeriod",
     Kind::kString,
     &KubeletSettings::eviction_pressure_transition_period},
    {"healthzBindAddress", Kind::kString, &KubeletSettings::healthz_bind_address},
    {"healthzPort", Kind::kNumber, &KubeletSettings::healthz_port},
    {"memoryManagerPolicy", Kind::kString, &KubeletSettings::memory_manager_policy},
    {"port", Kind::kNumber, &KubeletSettings::port},
});

std::string refuse(const ConfigValue& value, std::string_view name, std::string_view wanted) {
  const bool scalar = value.kind == Kind::kBoolean || value.kind == Kind::kNumber;
  return fmt::format("{}: {} is {}{}, but the kubelet takes only {}",
                     place(value),
                     name,
                     to_text(value.kind),
                     scalar ? fmt::format(" ({})", value.text) : "",
                     wanted);
}

bool is_integer(const std::string& text, std::int64_t largest) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && value <= largest &&
         value >= -largest - 1;
}

class Decoder {
 public:
  Decoder(NameMatch match, KubeletSettings& settings) : match_{match}, settings_{settings} {}

  Errors decode(const ConfigValue& root) {
    for (const auto& [name, value] : root.members) {
      const KubeletField* const field = find_kubelet_field(name, match_);
      if (field != nullptr && fits(*field, value)) {
        store(field->name, value);
      }
    }
    return std::move(errors_);
  }

 private:
  /// null fits everything but a duration, which reads it as an empty string.
  bool fits(const KubeletField& field, const ConfigValue& value) {
    const std::size_t before = errors_.size();
    if (field.type == FieldType::kDuration) {
      if (!is_duration(value)) {
        errors_.push_back(refuse(value, field.name, "a duration like \"5m\""));
      }
    } else if (value.kind != Kind::kNull) {
      check(field, value);
    }
    return errors_.size() == before;
  }

  static bool is_duration(const ConfigValue& value) {
    return value.kind == Kind::kString && parse_go_duration(value.text).has_value();
  }

  void check(const KubeletField& field, const ConfigValue& value) {
    switch (field.type) {
      case FieldType::kBoolean:
        expect(value.kind == Kind::kBoolean, value, field.name, "true or false");
        break;
      case FieldType::kInteger:
        expect(value.kind == Kind::kNumber &&
                   is_integer(value.text, std::numeric_limits<std::int64_t>::max()),
               value,
               field.name,
               "a whole number");
        break;
      case FieldType::kString:
        expect(value.kind == Kind::kString, value, field.name, "a string");
        break;
      case FieldType::kStringList:
        expect(value.kind == Kind::kList, value, field.name, "a list of strings");
        for (const ConfigValue& item : value.items) {
          expect_string(item, std::string{field.name});
        }
        break;
      case FieldType::kStringMap:
        expect(value.kind == Kind::kMap, value, field.name, "a map of strings");
        for (const auto& [name, item] : value.members) {
          expect_string(item, fmt::format("{}.{}", field.name, name));
        }
        break;
      case FieldType::kDuration:
      case FieldType::kOther:
        break;
    }
  }

  void expect(bool right,
              const ConfigValue& value,
              std::string_view name,
              std::string_view wanted) {
    if (!right) {
      errors_.push_back(refuse(value, name, wanted));
    }
  }

  void expect_string(const ConfigValue& value, const std::string& name) {
    expect(value.kind == Kind::kString || value.kind == Kind::kNull,
           value,
           name,
           "a string; quote it");
  }

  void store(std::string_view name, const ConfigValue& value) {
    for (const MapField& field : kMaps) {
      if (field.name == name) {
        store_map(settings_.*field.member, value);
      }
    }
    for (const ScalarField& field : kScalars) {
      if (field.name == name && value.kind != Kind::kNull) {
        settings_.*field.member = Setting{value.text, value.source};
      }
    }
    if (name == "evictionMaxPodGracePeriod" && value.kind != Kind::kNull) {
      expect(is_integer(value.text, std::numeric_limits<std::int32_t>::max()),
             value,
             name,
             "a number of 32 bits");
    }
    if (name == "enforceNodeAllocatable") {
      store_enforced(value);
    }
    if (name == "reservedMemory") {
      store_reserved_memory(value);
    }
  }

  static void store_map(std::optional<SettingMap>& map, const ConfigValue& value) {
    if (value.kind == Kind::kNull) {
      map.reset();
      return;
    }
    if (!map) {
      map.emplace();
    }
    for (const auto& [name, item] : value.members) {
      (*map)[name] = Setting{item.text, item.source};
    }
  }

  void store_enforced(const ConfigValue& value) {
    settings_.enforce_node_allocatable.clear();
    for (const ConfigValue& item : value.items) {
      settings_.enforce_node_allocatable.push_back(item.text);
    }
    if (value.kind == Kind::kNull) {
      settings_.enforce_node_allocatable = KubeletSettings{}.enforce_node_allocatable;
    }
  }

  [[nodiscard]] const ConfigValue* member(const ConfigValue& map, std::string_view name) const {
    const auto found = std::find_if(
        map.members.begin(), map.members.end(), [name, this](const ConfigMember& entry) {
          return same_name(entry.name, name, match_);
        });
    return found == map.members.end() ? nullptr : &found->value;
  }

  void store_reserved_memory(const ConfigValue& value) {
    settings_.reserved_memory.reset();
    if (value.kind == Kind::kNull) {
      return;
    }
    expect(value.kind == Kind::kList, value, "reservedMemory", "a list");
    SettingMap reserved;
    for (const ConfigValue& item : value.items) {
      const ConfigValue* const node = member(item, "numaNode");
      const ConfigValue* const limits = member(item, "limits");
      const ConfigValue* const memory = limits == nullptr ? nullptr : limits->find("memory");
      if (item.kind != Kind::kMap || (node != nullptr && node->kind != Kind::kNumber)) {
        errors_.push_back(refuse(item, "reservedMemory", "numaNode: NUMBER, limits: {...}"));
        continue;
      }
      if (memory == nullptr) {
        continue;
      }
      if (!parse_quantity(memory->text)) {
        errors_.push_back(refuse(*memory, "reservedMemory.limits.memory", "a quantity"));
        continue;
      }
      reserved[node == nullptr ? "0" : node->text] = Setting{memory->text, memory->source};
    }
    settings_.reserved_memory = std::move(reserved);
  }

  NameMatch match_;
  KubeletSettings& settings_;
  Errors errors_;
};

ConfigValue scalar(Kind kind, const Setting& setting) {
  ConfigValue value;
  value.kind = kind;
  value.text = setting.value;
  value.source = setting.source;
  return value;
}

ConfigValue encode_map(const SettingMap& settings) {
  ConfigValue map;
  map.kind = Kind::kMap;
  for (const auto& [name, setting] : settings) {
    map.members.push_back({name, scalar(Kind::kString, setting)});
  }
  return map;
}

ConfigValue encode_reserved_memory(const SettingMap& reserved) {
  ConfigValue list;
  list.kind = Kind::kList;
  for (const auto& [node, memory] : reserved) {
    ConfigValue item;
    item.kind = Kind::kMap;
    item.members.push_back({"numaNode", scalar(Kind::kNumber, {node, memory.source})});
    item.members.push_back({"limits", encode_map({{"memory", memory}})});
    list.items.push_back(std::move(item));
  }
  return list;
}

std::string styled(std::string_view name, NameStyle style) {
  std::string text{name};
  if (style == NameStyle::kInternal) {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  return text;
}

}  // namespace

std::vector<std::string> decode_settings(const ConfigValue& root,
                                         NameMatch match,
                                         KubeletSettings& settings) {
  return Decoder{match, settings}.decode(root);
}

ConfigValue encode_settings(const KubeletSettings& settings, NameStyle style) {
  ConfigValue root;
  root.kind = Kind::kMap;
  for (const MapField& field : kMaps) {
    const std::optional<SettingMap>& map = settings.*field.member;
    if (map && !map->empty()) {
      root.members.push_back({styled(field.name, style), encode_map(*map)});
    }
  }
  for (const ScalarField& field : kScalars) {
    const std::optional<Setting>& setting = settings.*field.member;
    if (setting && !setting->value.empty()) {
      root.members.push_back({styled(field.name, style), scalar(field.kind, *setting)});
    }
  }
  if (!settings.enforce_node_allocatable.empty()) {
    ConfigValue list;
    list.kind = Kind::kList;
    for (const std::string& name : settings.enforce_node_allocatable) {
      list.items.push_back(scalar(Kind::kString, {name, ""}));
    }
    root.members.push_back({styled("enforceNodeAllocatable", style), std::move(list)});
  }
  if (settings.reserved_memory && !settings.reserved_memory->empty()) {
    root.members.push_back(
        {styled("reservedMemory", style), encode_reserved_memory(*settings.reserved_memory)});
  }
  return root;
}

bool merges_default_eviction(const ConfigValue& root) {
  const ConfigValue* const value = root.find("mergeDefaultEvictionSettings");
  return value != nullptr && value->kind == Kind::kBoolean && value->text == "true";
}

}  // namespace eviction::config
