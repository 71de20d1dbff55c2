// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/result.h"

namespace eviction::agent::simulate {

/// Whether a page could be written there; changes nothing. inputs: files that are read, there or
/// not, in place of which it must not be. Errors: kMalformed for one of these, else kIo.
[[nodiscard]] Result<void> check_html_file(const std::string& page,
                                           const std::vector<std::string>& inputs);

/// Puts the page there whole; on an error the one of before stands. A device or a pipe is written
/// to as it is. Errors: kIo.
[[nodiscard]] Result<void> write_html_file(const std::string& page, std::string_view text);

}  // namespace eviction::agent::simulate
