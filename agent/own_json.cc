// SPDX-License-Identifier: Apache-2.0
#include "agent/own_json.h"

#include <limits>

namespace eviction::agent {

using nlohmann::json;

std::int64_t number_within(const json& value, std::int64_t least, std::int64_t most) {
  const bool unsigned_too_large =
      value.is_number_unsigned() &&
      value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
  if (!value.is_number_integer() || unsigned_too_large || value < least || value > most) {
    throw json::other_error::create(501, "a number is out of range: " + value.dump(), nullptr);
  }
  return value.get<std::int64_t>();
}

std::int64_t whole_seconds(const json& value) {
  constexpr std::int64_t kEndOfYear9999 = 253'402'300'799;
  return number_within(value, 0, kEndOfYear9999);
}

}  // namespace eviction::agent
