// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "cgroup/result.h"

namespace eviction::agent {

/// The version of every file of our own; another one is not understood.
inline constexpr std::int64_t kOwnVersion = 1;

/// A whole number from least to most. Throws json::exception for anything else: json::get would
/// convert 1e30, which is undefined.
[[nodiscard]] std::int64_t number_within(const nlohmann::json& value,
                                         std::int64_t least,
                                         std::int64_t most);

/// A time or a duration, up to the year 9999, so that arithmetic on it cannot overflow. Throws
/// json::exception for anything else.
[[nodiscard]] std::int64_t whole_seconds(const nlohmann::json& value);

/// Errors: kMalformed with wrong's text, when the text is no JSON, is of another version, or read
/// throws json::exception.
template <class T>
[[nodiscard]] Result<T> parse_own_json(std::string_view text,
                                       T (*read)(const nlohmann::json&),
                                       Error wrong) {
  try {
    const nlohmann::json document = nlohmann::json::parse(text);
    if (document.at("version") != kOwnVersion) {
      wrong.what += ": it is of another version of eviction-agent";
      return tl::unexpected{std::move(wrong)};
    }
    return read(document);
  } catch (const nlohmann::json::exception& exception) {
    wrong.what += std::string{": "} + exception.what();
    return tl::unexpected{std::move(wrong)};
  }
}

}  // namespace eviction::agent
