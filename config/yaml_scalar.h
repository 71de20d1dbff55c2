// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "config/config_value.h"

namespace eviction::config {

/// What the kubelet's YAML 1.1 makes of an unquoted scalar: yes and off are booleans, 0x10, 1_000
/// and 1e3 are numbers, ~ is null, 5% and 100Mi are strings. Only kind and text are set; a whole
/// number's text is decimal.
/// Source: go-yaml v2.4 resolve.go resolve(), which sigs.k8s.io/yaml converts to JSON.
[[nodiscard]] ConfigValue resolve_plain_scalar(std::string_view text);

}  // namespace eviction::config
