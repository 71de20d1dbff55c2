// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eviction::config {

/// Somebody's text in double quotes, fit for one line of a message: control characters, quotes and
/// backslashes escaped, cut after 100 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The name that was most likely meant. Absent when none is close.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view written,
                                                      const std::vector<std::string_view>& names);

/// "one, two, three".
[[nodiscard]] std::string joined(const std::vector<std::string_view>& words);

/// The words of text on lines of at most width columns, each with indent before it and a line feed
/// after it.
[[nodiscard]] std::string wrapped(std::string_view text,
                                  std::string_view indent,
                                  std::size_t width = 80);

}  // namespace eviction::config
