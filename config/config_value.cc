// SPDX-License-Identifier: Apache-2.0
#include "config/config_value.h"

#include <algorithm>

namespace eviction::config {

const ConfigValue* ConfigValue::find(std::string_view name) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [name](const ConfigMember& member) {
        return member.name == name;
      });
  return found == members.end() ? nullptr : &found->value;
}

ConfigValue* ConfigValue::find(std::string_view name) {
  const auto found =
      std::find_if(members.begin(), members.end(), [name](const ConfigMember& member) {
        return member.name == name;
      });
  return found == members.end() ? nullptr : &found->value;
}

std::string_view to_text(ConfigValue::Kind kind) {
  switch (kind) {
    case ConfigValue::Kind::kNull:
      return "null";
    case ConfigValue::Kind::kBoolean:
      return "a boolean";
    case ConfigValue::Kind::kNumber:
      return "a number";
    case ConfigValue::Kind::kString:
      return "a string";
    case ConfigValue::Kind::kList:
      return "a list";
    case ConfigValue::Kind::kMap:
      return "a map";
  }
  return "a value";
}

std::string place(const ConfigValue& value) {
  return value.line == 0 ? value.source : value.source + ':' + std::to_string(value.line);
}

void merge_patch(ConfigValue& target, const ConfigValue& patch) {
  if (patch.kind != ConfigValue::Kind::kMap) {
    target = patch;
    return;
  }
  if (target.kind != ConfigValue::Kind::kMap) {
    target = ConfigValue{};
    target.kind = ConfigValue::Kind::kMap;
    target.source = patch.source;
    target.line = patch.line;
  }
  for (const auto& [name, value] : patch.members) {
    if (value.kind == ConfigValue::Kind::kNull) {
      const std::string& gone = name;
      target.members.erase(
          std::remove_if(target.members.begin(),
                         target.members.end(),
                         [&gone](const ConfigMember& member) { return member.name == gone; }),
          target.members.end());
      continue;
    }
    ConfigValue* member = target.find(name);
    if (member == nullptr) {
      target.members.push_back({name, {}});
      member = &target.members.back().value;
    }
    merge_patch(*member, value);
  }
}

}  // namespace eviction::config
