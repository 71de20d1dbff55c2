// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace eviction::agent {

/// Text for a terminal is laid out to this width. A word that is longer stays whole, so that a path
/// can be copied.
inline constexpr std::size_t kPageColumns = 100;

/// Text safe for a terminal, whatever the node put into a name: white space of any kind becomes a
/// blank, other control characters and bytes that are not UTF-8 become '?'.
[[nodiscard]] std::string printable(std::string_view text);

/// printable() text of at most so many columns (>= 1); what is longer ends in "…".
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

enum class Style { kHeading, kGood, kDoubtful, kBad };

/// The text between ANSI escape sequences; as it is without colour.
[[nodiscard]] std::string styled(std::string_view text, Style style, bool colour);

/// Head, then printable() text broken at blanks, its later lines indented to where the first began.
/// Ends with a line feed. A head may be styled(); it is not made printable.
[[nodiscard]] std::string paragraph(std::string_view head, std::string_view text);

}  // namespace eviction::agent
