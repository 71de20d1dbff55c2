// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::config {

/// "2026-11-22T12:00:00Z".
[[nodiscard]] std::string to_utc(std::chrono::sys_seconds at);

/// The inverse, for the years 1970 to 9999. Absent: it is none.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_utc(std::string_view text);

/// A point in time as an operator gives it: absolute, or so long before now.
struct Since {
  std::optional<std::chrono::sys_seconds> at;
  std::chrono::seconds ago{};  ///< without at

  [[nodiscard]] std::chrono::sys_seconds from(std::chrono::sys_seconds now) const {
    return at ? *at : now - ago;
  }
};

/// "90s", "30m", "2h", "7d", "2026-11-22", "2026-11-22T12:00:00Z", all UTC. Errors: kMalformed.
[[nodiscard]] Result<Since> parse_since(std::string_view text);

}  // namespace eviction::config
