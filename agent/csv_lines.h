// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "cgroup/key_value.h"

namespace eviction::agent {

/// The lines of CSV, one after the other, but for those that are blank. Commas part the cells, and
/// nothing is quoted. A UTF-8 byte order mark and lines that end in CR LF are as good as none.
class CsvLines {
 public:
  /// text: has to outlive this, and what cells() gave.
  explicit CsvLines(std::string_view text);

  /// Steps to the next line. False at the end.
  [[nodiscard]] bool next();

  [[nodiscard]] const std::vector<std::string_view>& cells() const { return cells_; }

  [[nodiscard]] std::size_t number() const { return lines_.number(); }  ///< 1-based

 private:
  cgroup::Lines lines_;
  std::vector<std::string_view> cells_;
};

/// "2026-11-22T12:00:00Z" or "2026-11-22 12:00:00", both UTC. Absent: it is neither.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_csv_time(std::string_view text);

}  // namespace eviction::agent
