// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "agent/render.h"

namespace eviction::agent {

namespace {

using nlohmann::ordered_json;

/// Words that YAML 1.1 readers take for something else than text, as a key too.
bool is_yaml_word(std::string_view key) {
  constexpr std::array<std::string_view, 9> kWords = {
      "y", "n", "yes", "no", "on", "off", "true", "false", "null"};
  return std::any_of(kWords.begin(), kWords.end(), [key](std::string_view word) {
    return std::equal(word.begin(), word.end(), key.begin(), key.end(), [](char left, char right) {
      return left == (right >= 'A' && right <= 'Z' ? static_cast<char>(right - 'A' + 'a') : right);
    });
  });
}

bool is_plain_key(std::string_view key) {
  const auto is_letter = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  };
  return !key.empty() && is_letter(key.front()) && !is_yaml_word(key) &&
         std::all_of(key.begin(), key.end(), [is_letter](char letter) {
           return is_letter(letter) || letter == '_' || letter == '-';
         });
}

void emit(YAML::Emitter& yaml, const ordered_json& value) {
  if (value.empty() && !value.is_null()) {
    yaml << YAML::Flow;  // {} or [] on the line of its key
  }
  if (value.is_object()) {
    yaml << YAML::BeginMap;
    for (const auto& item : value.items()) {
      yaml << YAML::Key;
      if (!is_plain_key(item.key())) {
        yaml << YAML::DoubleQuoted;
      }
      yaml << item.key() << YAML::Value;
      emit(yaml, item.value());
    }
    yaml << YAML::EndMap;
  } else if (value.is_array()) {
    yaml << YAML::BeginSeq;
    for (const ordered_json& item : value) {
      emit(yaml, item);
    }
    yaml << YAML::EndSeq;
  } else if (value.is_string()) {
    yaml << YAML::DoubleQuoted << value.get_ref<const std::string&>();
  } else if (value.is_null()) {
    yaml << YAML::Null;
  } else {
    yaml << value.dump();
  }
}

}  // namespace

std::string to_yaml(const ordered_json& document) {
  YAML::Emitter yaml;
  yaml.SetNullFormat(YAML::LowerNull);
  emit(yaml, document);
  return std::string{yaml.c_str(), yaml.size()} + '\n';
}

}  // namespace eviction::agent
