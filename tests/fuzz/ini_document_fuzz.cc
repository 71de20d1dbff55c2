// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/ini_document.h"

namespace {

using eviction::Error;
using eviction::config::IniDocument;
using eviction::config::IniEntry;
using eviction::config::parse_ini;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

std::string_view line_of(std::string_view text, std::size_t number) {
  for (; number > 1; --number) {
    text.remove_prefix(text.find('\n') + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// Each entry is all on its own line: nothing was cut off another line or joined to it.
void require_entries_from_their_lines(std::string_view text, const IniDocument& document) {
  std::size_t previous = 0;
  for (const IniEntry& entry : document.entries) {
    require(entry.line > previous);
    previous = entry.line;
    std::string_view line = line_of(text, entry.line);
    require(!entry.section.empty() && line.find(entry.key) <= 3);  // behind a byte order mark
    line.remove_prefix(line.find('=') + 1);
    require(line.find(entry.value) != std::string_view::npos);
  }
}

/// Written again, a document reads as it did.
void require_round_trip(const IniDocument& document) {
  std::string text;
  for (const IniEntry& entry : document.entries) {
    text += '[' + entry.section + "]\n" + entry.key + '=' + entry.value + '\n';
  }
  const IniDocument again = parse_ini(text, "again.ini");
  require(again.errors.empty() && again.entries.size() == document.entries.size());
  for (std::size_t i = 0; i < again.entries.size(); ++i) {
    const IniEntry& left = again.entries[i];
    const IniEntry& right = document.entries[i];
    require(left.section == right.section && left.key == right.key && left.value == right.value);
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{data, data + size};
  const IniDocument document = parse_ini(text, "fuzz.ini");
  for (const Error& error : document.errors) {
    require(error.line > 0 && error.path == "fuzz.ini" && !error.remedy.empty());
    require(to_text(error).find('\n') == std::string::npos);
  }
  require_entries_from_their_lines(text, document);
  require_round_trip(document);
  return 0;
}
