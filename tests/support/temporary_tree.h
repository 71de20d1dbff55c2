// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace eviction::tests {

/// A directory tree that a test builds beside the numbers it expects; removed at the end.
class TemporaryTree {
 public:
  TemporaryTree() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "eviction-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      std::abort();
    }
    root_ = pattern;
  }

  ~TemporaryTree() {
    std::error_code ignored;  // a test's leftovers in the temporary directory harm nobody
    std::filesystem::remove_all(root_, ignored);
  }

  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;
  TemporaryTree(TemporaryTree&&) = delete;
  TemporaryTree& operator=(TemporaryTree&&) = delete;

  /// Writes a file, with the directories above it.
  TemporaryTree& file(std::string_view relative, std::string_view content) {
    const std::filesystem::path path = root_ / relative;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << content;
    return *this;
  }

  TemporaryTree& directory(std::string_view relative) {
    std::filesystem::create_directories(root_ / relative);
    return *this;
  }

  [[nodiscard]] std::string path() const { return root_.string(); }

  [[nodiscard]] std::string path(std::string_view relative) const {
    return (root_ / relative).string();
  }

 private:
  std::filesystem::path root_;
};

}  // namespace eviction::tests
