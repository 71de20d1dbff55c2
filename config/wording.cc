// SPDX-License-Identifier: Apache-2.0
#include "config/wording.h"

#include <algorithm>
#include <numeric>

#include "cgroup/result.h"

namespace eviction::config {

namespace {

constexpr std::size_t kLongestQuote = 100;

/// Insertions, deletions and replacements that turn one text into the other (Levenshtein).
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// The distance, but a beginning of the name is as good as one wrong letter.
std::size_t remoteness(std::string_view written, std::string_view name) {
  const std::size_t letters = distance(written, name);
  return letters > 0 && !written.empty() && name.starts_with(written) ? 1 : letters;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char byte : text.substr(0, kLongestQuote)) {
    result += (byte == '"' || byte == '\\' ? "\\" : "") + escape_control(byte);
  }
  return result + (text.size() > kLongestQuote ? "...\"" : "\"");
}

std::optional<std::string_view> nearest(std::string_view written,
                                        const std::vector<std::string_view>& names) {
  const auto best = std::ranges::min_element(
      names, {}, [written](std::string_view name) { return remoteness(written, name); });
  if (best == names.end() ||
      remoteness(written, *best) > std::max<std::size_t>(2, best->size() / 3)) {
    return std::nullopt;
  }
  return *best;
}

std::string wrapped(std::string_view text, std::string_view indent, std::size_t width) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > 0 && column + 1 + word.size() <= width) {
      result += ' ';
      column += 1 + word.size();
    } else {
      result += column > 0 ? "\n" : "";
      result += indent;
      column = indent.size() + word.size();
    }
    result += word;
  }
  return result + '\n';
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += text.empty() ? "" : ", ";
    text += word;
  }
  return text;
}

}  // namespace eviction::config
