// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cgroup/directory.h"

namespace eviction::cgroup {

/// Hands the text of a file to parse (string_view -> Result<...>). Errors: those of the read; those
/// of parse, with the file's path.
template <class Parse>
[[nodiscard]] auto parse_text(const Result<std::string_view>& text,
                              const Directory& directory,
                              std::string_view file,
                              const Parse& parse) -> decltype(parse(std::string_view{})) {
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto parsed = parse(*text);
  if (!parsed) {
    parsed.error().path = directory.path_of(file);
  }
  return parsed;
}

/// A file of /proc. Errors: as Directory::read(), and those of parse.
template <class Parse>
[[nodiscard]] auto read_parsed(const Directory& directory,
                               std::string_view file,
                               Buffer& buffer,
                               const Parse& parse) {
  return parse_text(directory.read(file, buffer), directory, file, parse);
}

/// A file of a cgroup or of sysfs. Errors: as Directory::read_short(), and those of parse.
template <class Parse>
[[nodiscard]] auto read_short_parsed(const Directory& directory,
                                     std::string_view file,
                                     Buffer& buffer,
                                     const Parse& parse) {
  return parse_text(directory.read_short(file, buffer), directory, file, parse);
}

}  // namespace eviction::cgroup
