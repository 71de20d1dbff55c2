// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/result.h"

namespace eviction::config {

/// One "[section]" line.
struct IniSection {
  std::string name;
  std::size_t line = 0;
};

/// One "key = value", as written but without the blanks around value and the comment after it.
struct IniEntry {
  std::string section;
  std::string key;
  std::string value;
  std::size_t line = 0;
};

/// What a file holds, in its order. Lines with an error are in errors and nowhere else, and so are
/// the keys below a section line that has one.
struct IniDocument {
  std::vector<IniSection> sections;
  std::vector<IniEntry> entries;
  std::vector<Error> errors;
};

/// The largest configuration file that is read, in bytes.
inline constexpr std::size_t kIniLimit = std::size_t{1} << 20;

/// Strict reading over inih. Whatever inih would cut, join or skip without a word is an error with
/// its line: more than 198 bytes, an indented line, a control character (NUL, a lone CR), text
/// after a section, a key before any section, a line that is neither. Sections and keys are made of
/// letters, digits, '.', '-' and '_', 49 bytes at most.
/// Accepted: a UTF-8 byte order mark, lines that end in CR LF, lines of comment (';' or '#') of any
/// length, a comment of blank and ';' behind a value. Sections and keys that are given twice are
/// the caller's to judge. path is for the errors only.
[[nodiscard]] IniDocument parse_ini(std::string_view text, const std::string& path);

}  // namespace eviction::config
