// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/result.h"
#include "config/config_value.h"

namespace eviction::config {

/// Strict JSON. Errors: kMalformed with file and line.
[[nodiscard]] Result<ConfigDocument> parse_json_document(std::string_view text,
                                                         const std::string& path);

}  // namespace eviction::config
