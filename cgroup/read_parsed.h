// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cgroup/directory.h"

namespace eviction::cgroup {

/// Reads a file and hands its text to parse (string_view -> Result<...>). Errors: as
/// Directory::read(); those of parse, with the file's path.
template <class Parse>
[[nodiscard]] auto read_parsed(const Directory& directory,
                               std::string_view file,
                               Buffer& buffer,
                               const Parse& parse) -> decltype(parse(std::string_view{})) {
  const Result<std::string_view> text = directory.read(file, buffer);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto parsed = parse(*text);
  if (!parsed) {
    parsed.error().path = directory.path_of(file);
  }
  return parsed;
}

}  // namespace eviction::cgroup
