// SPDX-License-Identifier: Apache-2.0
#include "agent/own_json.h"

namespace eviction::agent {

using nlohmann::json;

std::int64_t whole_number(const json& value, std::int64_t most) {
  if (!value.is_number_integer() || value < 0 || value > most) {
    throw json::other_error::create(501, "a number is out of range: " + value.dump(), nullptr);
  }
  return value.get<std::int64_t>();
}

std::int64_t whole_seconds(const json& value) {
  constexpr std::int64_t kEndOfYear9999 = 253'402'300'799;
  return whole_number(value, kEndOfYear9999);
}

}  // namespace eviction::agent
