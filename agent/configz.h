// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::agent {

/// memory.available in the maps of a kubelet's configuration, as written. Absent where a map has no
/// such key.
struct MemorySignals {
  std::optional<std::string> hard;
  std::optional<std::string> soft;
  std::optional<std::string> reclaim;
};

/// Reads what the kubelet answers to /configz: its configuration after files and flags.
/// Errors: kMalformed.
/// Source: kubelet v1.36 cmd/kubelet/app/server.go setConfigz().
[[nodiscard]] Result<MemorySignals> parse_configz(std::string_view text);

}  // namespace eviction::agent
