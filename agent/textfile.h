// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::agent {

/// Replaces a file as a whole, readable by everyone, for a reader that may come at any time. Not
/// made to last: after a power cut its content is out of date anyway. Errors: kAbsent (no such
/// folder), kDenied, kIo; then no temporary file is left, where that can be helped.
[[nodiscard]] Result<void> write_textfile(const std::string& path, std::string_view text);

}  // namespace eviction::agent
