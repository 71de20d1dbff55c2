// SPDX-License-Identifier: Apache-2.0
#include "agent/json_fields.h"

#include <nlohmann/json.hpp>

namespace eviction::agent {

void put_absent(nlohmann::ordered_json& object, const std::string& key, std::string_view reason) {
  object[key] = nullptr;
  object[key + "_absent"] = reason;
}

void put(nlohmann::ordered_json& object,
         const std::string& key,
         std::optional<Bytes> bytes,
         std::string_view reason) {
  if (bytes) {
    object[key] = bytes->value();
  } else {
    put_absent(object, key, reason);
  }
}

void put(nlohmann::ordered_json& object, const std::string& key, const Result<Bytes>& bytes) {
  if (bytes) {
    object[key] = bytes->value();
  } else {
    put_absent(object, key, bytes.error().what);
  }
}

std::string text_at(const nlohmann::ordered_json& document, const char* pointer) {
  const nlohmann::ordered_json::json_pointer where{pointer};
  return document.contains(where) && document[where].is_string()
             ? document[where].get<std::string>()
             : std::string{};
}

void put_text(nlohmann::ordered_json& object,
              const std::string& key,
              std::string_view text,
              std::string_view reason) {
  if (text.empty()) {
    put_absent(object, key, reason);
  } else {
    object[key] = text;
  }
}

}  // namespace eviction::agent
