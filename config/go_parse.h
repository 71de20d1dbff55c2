// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace eviction::config {

/// A number as Go reads it into a float32: decimal or hexadecimal, '_' between digits, inf and nan
/// in any case, rounded once. Absent on a syntax or range error.
/// Source: go 1.19 src/strconv/atof.go ParseFloat(s, 32).
[[nodiscard]] std::optional<float> parse_go_float32(std::string_view text);

/// A duration as Go reads it ("1m30s", "1.5h", "-5s", "0"). Absent on a syntax error, a missing
/// unit or an overflow. Source: go 1.19 src/time/format.go ParseDuration().
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

/// A whole number as Go reads it with base 0: decimal, 0x, 0o, 0b or a leading 0 for octal, '_'
/// between digits. Absent on a syntax error or outside int64.
/// Source: go 1.19 src/strconv/atoi.go ParseInt(s, 0, 64).
[[nodiscard]] std::optional<std::int64_t> parse_go_int(std::string_view text);

}  // namespace eviction::config
