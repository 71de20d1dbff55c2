// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/source_tree.h"

namespace eviction::tests {

/// Compares with tests/golden/NAME; UPDATE_GOLDEN=1 in the environment writes it instead.
inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::filesystem::path path = std::filesystem::path{kGolden} / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << actual;
    return;
  }
  std::ifstream stream{path, std::ios::binary};
  const std::string expected{std::istreambuf_iterator<char>{stream}, {}};
  EXPECT_EQ(expected, actual) << path;
}

/// A node's name in the letters that gtest takes.
inline std::string test_name(std::string_view node) {
  std::string name{node};
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}

}  // namespace eviction::tests
