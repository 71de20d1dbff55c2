// SPDX-License-Identifier: Apache-2.0
#include "agent/page.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Bytes of the UTF-8 character a text begins with; 0 when it is none, or a C1 control character.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                                           : 4;
  if (length == 0 || lead > 0xF4 || text.size() < length) {
    return 0;
  }
  const std::string_view rest = text.substr(1, length - 1);
  if (!std::all_of(rest.begin(), rest.end(), is_continuation)) {
    return 0;
  }
  const bool control = lead == 0xC2 && static_cast<unsigned char>(rest.front()) < 0xA0;
  return control ? 0 : length;
}

/// Columns on a terminal: one a character, none for the escape sequences of styled().
std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  bool escape = false;
  for (const char byte : text) {
    if (escape) {
      escape = byte != 'm';
    } else if (byte == '\x1b') {
      escape = true;
    } else if (!is_continuation(byte)) {
      ++columns;
    }
  }
  return columns;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const char byte = text.front();
    const std::size_t length = character_length(text);
    if (byte == '\t' || byte == '\n' || byte == '\r') {
      safe += ' ';
    } else if (length == 0 || (byte >= 0 && byte < ' ') || byte == '\x7f') {
      safe += '?';
    } else {
      safe += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return safe;
}

std::string cut(std::string_view text, std::size_t columns) {
  std::string safe = printable(text);
  if (width(safe) <= columns) {
    return safe;
  }
  std::size_t end = 0;
  for (std::size_t kept = 0; kept + 1 < columns; ++kept) {
    end += character_length(std::string_view{safe}.substr(end));
  }
  return safe.substr(0, end) + "…";
}

std::string styled(std::string_view text, Style style, bool colour) {
  if (!colour) {
    return std::string{text};
  }
  std::string_view code;
  switch (style) {
    case Style::kHeading:
      code = "1";
      break;
    case Style::kGood:
      code = "32";
      break;
    case Style::kDoubtful:
      code = "33";
      break;
    case Style::kBad:
      code = "1;31";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string paragraph(std::string_view head, std::string_view text) {
  const std::string safe = printable(text);
  const std::size_t indent = width(head);
  std::string lines{head};
  std::size_t column = indent;
  std::string_view rest = safe;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (word.empty()) {
      continue;
    }
    if (column > indent && column + 1 + width(word) > kPageColumns) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += width(word);
  }
  lines.erase(lines.find_last_not_of(' ') + 1);
  return lines + '\n';
}

}  // namespace eviction::agent
