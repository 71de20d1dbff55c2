// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>

namespace eviction::tests {

/// Writes files below one directory, making directories as they are needed. Paths are relative.
/// Throws std::system_error with the path. Plain system calls: a node of 1000 pods is some 70 000
/// files.
class TreeWriter {
 public:
  explicit TreeWriter(const std::filesystem::path& root);

  void directory(const std::string& path);
  void file(const std::string& path, std::string_view content);
  void link(const std::string& path, const std::string& target);

 private:
  std::string root_;  ///< with a trailing '/'
  std::unordered_set<std::string> made_;
};

}  // namespace eviction::tests
