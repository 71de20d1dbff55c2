// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace eviction {

/// Writes all of the text to an open file, in as many parts as that takes. 0 or an errno.
[[nodiscard]] int write_all(int fd, std::string_view text);

}  // namespace eviction
