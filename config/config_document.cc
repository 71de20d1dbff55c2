// SPDX-License-Identifier: Apache-2.0
#include "config/config_document.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "config/json_document.h"
#include "config/yaml_document.h"

namespace eviction::config {
namespace {

/// Takes one character. Absent when the bytes are no UTF-8 (overlong, a surrogate, cut short).
std::optional<char32_t> take_character(std::string_view& text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) {
    return first;
  }
  const std::size_t more = first >= 0xf0 ? 3 : (first >= 0xe0 ? 2 : 1);
  if (first < 0xc2 || first > 0xf4 || text.size() < more) {
    return std::nullopt;
  }
  char32_t character = first & (0x3fU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if ((next & 0xc0U) != 0x80U) {
      return std::nullopt;
    }
    character = character << 6U | (next & 0x3fU);
  }
  text.remove_prefix(more);
  const char32_t smallest = more == 3 ? 0x10000 : (more == 2 ? 0x800 : 0x80);
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < smallest || character > 0x10ffff || surrogate) {
    return std::nullopt;
  }
  return character;
}

constexpr char32_t kByteOrderMark = 0xfeff;

/// YAML's printable characters. Source: go-yaml v2.4 readerc.go.
bool is_printable(char32_t c) {
  return c == 0x09 || c == 0x0a || c == 0x0d || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
         (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

/// The line of the first character that no configuration may hold; 0 when there is none.
std::size_t unreadable_line(std::string_view text) {
  std::size_t line = 1;
  bool at_start = false;
  while (!text.empty()) {
    const std::optional<char32_t> character = take_character(text);
    const bool is_misplaced_mark = at_start && character == kByteOrderMark;
    if (!character || !is_printable(*character) || is_misplaced_mark) {
      return line;
    }
    at_start = *character == '\n';
    if (at_start) {
      ++line;
    }
  }
  return 0;
}

}  // namespace

Result<ConfigDocument> parse_config_document(std::string_view text, const std::string& path) {
  if (const std::size_t line = unreadable_line(text)) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kMalformed,
              .path = path,
              .line = line,
              .what = "the line holds a control character or bytes that are not UTF-8",
              .remedy = "write the file as plain text"}};
  }
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    return parse_json_document(text, path);
  }
  return parse_yaml_document(text, path);
}

}  // namespace eviction::config
