// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/result.h"
#include "config/config_value.h"

namespace eviction::config {

/// A kubelet configuration file: JSON when its first character is '{', else the first document of
/// YAML 1.1. Anchors and merge keys are resolved.
/// Errors: kMalformed with file and line (not UTF-8, control characters, syntax, nesting deeper
/// than kDeepestNesting, too many aliases), for what the kubelet would not read either.
/// Source: apimachinery v1.36 pkg/runtime/serializer/json/json.go, recognizer.go.
[[nodiscard]] Result<ConfigDocument> parse_config_document(std::string_view text,
                                                           const std::string& path);

}  // namespace eviction::config
