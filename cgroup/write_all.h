// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace eviction {

/// Writes all of the text to an open file, in as many parts as that takes. 0 or an errno.
[[nodiscard]] int write_all(int fd, std::string_view text);

/// Puts a file of this mode (absent: what the umask leaves to a new one) in the place of the one at
/// path, by renaming it there from temporary: a reader has the old content or the new one. Not made
/// to last over a power cut. 0 or an errno; then no temporary file is left, where that can be
/// helped.
[[nodiscard]] int replace_file(const std::string& path,
                               const std::string& temporary,
                               std::string_view text,
                               std::optional<mode_t> mode);

}  // namespace eviction
