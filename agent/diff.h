// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace eviction::agent {

/// Line by line: "  " kept, "- " only in before, "+ " only in after. Empty when both are equal.
/// A last line that only gains or loses its '\n' shows as removed and added.
[[nodiscard]] std::string diff_lines(std::string_view before, std::string_view after);

}  // namespace eviction::agent
