// SPDX-License-Identifier: Apache-2.0
#include "config/drop_in_files.h"

#include <filesystem>
#include <string_view>

namespace eviction::config {
namespace {

/// Deeper than any directory of drop-ins, so that no walk runs away.
constexpr int kDeepestDirectory = 16;

/// The name a drop-in has for the kubelet. Source: go path/filepath Join().
std::string join(const std::string& directory, const std::string& name) {
  return normal_path(directory + '/' + name);
}

bool is_drop_in(std::string_view name) {
  constexpr std::string_view kSuffix = ".conf";
  return name.size() >= kSuffix.size() && name.substr(name.size() - kSuffix.size()) == kSuffix;
}

void add_error(DropInFiles& files, Error error, const std::string& path) {
  error.path = path;
  files.errors.push_back(to_text(error));
}

void walk(const cgroup::Directory& root, const std::string& path, int depth, DropInFiles& files) {
  const Result<cgroup::Directory> directory = root.open_below(path);
  if (!directory) {
    add_error(files, directory.error(), path);
    return;
  }
  const auto entries = directory->list();
  if (!entries) {
    add_error(files, entries.error(), path);
    return;
  }
  for (const cgroup::Directory::Entry& entry : *entries) {
    const std::string below = join(path, entry.name);
    if (!entry.directory) {
      if (is_drop_in(entry.name)) {
        files.paths.push_back(below);
      }
      continue;
    }
    if (is_drop_in(entry.name)) {
      files.warnings.push_back(below + ": a directory; the kubelet reads the drop-ins below it");
    }
    if (depth < kDeepestDirectory) {
      walk(root, below, depth + 1, files);
    } else {
      files.errors.push_back(below + ": directories are nested too deeply here");
    }
  }
}

}  // namespace

std::string normal_path(const std::string& path) {
  std::string normal = std::filesystem::path{path}.lexically_normal().string();
  if (normal.size() > 1 && normal.back() == '/') {
    normal.pop_back();
  }
  return normal;
}

std::string not_walked(const cgroup::Directory& root, const std::string& path) {
  const bool link = !path.empty() && path.back() != '/' && root.read_link(path).has_value();
  return link ? path +
                    ": it is a symbolic link, and the kubelet does not look behind it; name the "
                    "directory itself"
              : std::string{};
}

DropInFiles find_drop_ins(const cgroup::Directory& root, const std::string& path) {
  DropInFiles files;
  const std::string reason = not_walked(root, path);
  const bool link = !reason.empty();
  if (link) {
    files.warnings.push_back(reason);
  }
  const Result<cgroup::Directory> directory = root.open_below(path);
  const bool file = !directory && directory.error().kind == ErrorKind::kMalformed;
  if (!link && !file) {
    walk(root, path, 0, files);
  } else if (is_drop_in(path)) {
    files.paths.push_back(path);  // the kubelet takes the path itself for a drop-in
  }
  return files;
}

}  // namespace eviction::config
