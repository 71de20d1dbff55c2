// SPDX-License-Identifier: Apache-2.0
#include "agent/csv_lines.h"

#include <string>

#include "config/utc_time.h"

namespace eviction::agent {

namespace {

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

void split(std::string_view line, std::vector<std::string_view>& cells) {
  cells.clear();
  while (true) {
    const std::size_t comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) {
      return;
    }
    line.remove_prefix(comma + 1);
  }
}

}  // namespace

CsvLines::CsvLines(std::string_view text) : lines_{without_byte_order_mark(text)} {}

bool CsvLines::next() {
  while (lines_.next()) {
    std::string_view line = lines_.line();
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.find_first_not_of(" \t") != std::string_view::npos) {
      split(line, cells_);
      return true;
    }
  }
  return false;
}

std::optional<std::chrono::sys_seconds> parse_csv_time(std::string_view text) {
  std::string utc{text};
  if (const std::size_t space = utc.find(' '); space != std::string::npos) {
    utc = utc.replace(space, 1, "T") + 'Z';
  }
  return config::parse_utc(utc);
}

}  // namespace eviction::agent
