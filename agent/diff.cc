// SPDX-License-Identifier: Apache-2.0
#include "agent/diff.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace eviction::agent {

namespace {

/// Each with its '\n', so that a last line without one differs from one with it.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::string_view rest = text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
    lines.push_back(text.substr(0, text.size() - rest.size()));
    text = rest;
  }
  return lines;
}

void append(std::string& out, const char* sign, std::string_view line) {
  out.append(sign).append(line).append(line.ends_with('\n') ? "" : "\n");
}

}  // namespace

std::string diff_lines(std::string_view before, std::string_view after) {
  if (before == after) {
    return {};
  }
  // Our files are a dozen lines long: common beginning and end are context enough.
  const std::vector<std::string_view> old_lines = lines_of(before);
  const std::vector<std::string_view> new_lines = lines_of(after);
  const std::size_t shorter = std::min(old_lines.size(), new_lines.size());
  std::size_t head = 0;
  while (head < shorter && old_lines[head] == new_lines[head]) {
    ++head;
  }
  std::size_t tail = 0;
  while (tail < shorter - head &&
         old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail]) {
    ++tail;
  }
  std::string out;
  for (std::size_t i = 0; i < head; ++i) {
    append(out, "  ", old_lines[i]);
  }
  for (std::size_t i = head; i < old_lines.size() - tail; ++i) {
    append(out, "- ", old_lines[i]);
  }
  for (std::size_t i = head; i < new_lines.size() - tail; ++i) {
    append(out, "+ ", new_lines[i]);
  }
  for (std::size_t i = new_lines.size() - tail; i < new_lines.size(); ++i) {
    append(out, "  ", new_lines[i]);
  }
  return out;
}

}  // namespace eviction::agent
