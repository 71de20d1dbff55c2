// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace eviction::tests {

// What the tests of the generator read back. Written apart from the product's parsers, so that the
// two do not share a mistake.

/// The whole file; empty when it cannot be opened.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// First word -> second word of each line: meminfo ("MemFree:"), memory.stat ("anon").
[[nodiscard]] std::map<std::string, std::int64_t> read_fields(const std::filesystem::path& path);

struct ZoneSums {
  std::int64_t managed_pages = 0;
  std::int64_t low_pages = 0;
  std::int64_t boost_pages = 0;
  std::int64_t reserve_pages = 0;  ///< sum of min(managed, high without boost + max(protection))
};

/// proc/zoneinfo below root.
[[nodiscard]] ZoneSums sum_zones(const std::filesystem::path& root);

}  // namespace eviction::tests
