// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_probe.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace eviction::tests {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

std::map<std::string, std::int64_t> read_fields(const std::filesystem::path& path) {
  std::map<std::string, std::int64_t> fields;
  std::istringstream lines{read_text(path)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string key;
    std::int64_t value = 0;
    words >> key >> value;
    fields.emplace(key, value);
  }
  return fields;
}

ZoneSums sum_zones(const std::filesystem::path& root) {
  ZoneSums sums;
  std::map<std::string, std::int64_t> zone;
  std::istringstream lines{read_text(root / "proc/zoneinfo")};
  for (std::string line; std::getline(lines, line);) {
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '(' || c == ')' || c == ','; }, ' ');
    std::istringstream words{line};
    std::string key;
    words >> key;
    if (key != "protection:") {
      words >> zone[key];
      continue;
    }
    const std::int64_t most = *std::max_element(std::istream_iterator<std::int64_t>{words}, {});
    sums.managed_pages += zone["managed"];
    sums.low_pages += zone["low"];
    sums.boost_pages += zone["boost"];
    sums.reserve_pages += std::min(zone["managed"], zone["high"] - zone["boost"] + most);
  }
  return sums;
}

}  // namespace eviction::tests
