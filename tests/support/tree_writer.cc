// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace eviction::tests {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw std::system_error{errno, std::generic_category(), path};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

TreeWriter::TreeWriter(const std::filesystem::path& root) : root_{root.string() + "/"} {
  std::filesystem::create_directories(root);
}

void TreeWriter::directory(const std::string& path) {
  if (path.empty() || made_.count(path) > 0) {
    return;
  }
  std::string part;
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end == 0 ? 0 : end + 1);
    part = path.substr(0, end);
    if (made_.insert(part).second && mkdir((root_ + part).c_str(), 0755) != 0 && errno != EEXIST) {
      fail(root_ + part);
    }
  }
}

void TreeWriter::file(const std::string& path, std::string_view content) {
  directory(parent_of(path));
  const std::string full = root_ + path;
  const int fd = open(full.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    fail(full);
  }
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      const int error = errno;
      close(fd);
      errno = error;
      fail(full);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  close(fd);
}

void TreeWriter::link(const std::string& path, const std::string& target) {
  directory(parent_of(path));
  const std::string full = root_ + path;
  if (unlink(full.c_str()) != 0 && errno != ENOENT) {
    fail(full);
  }
  if (symlink(target.c_str(), full.c_str()) != 0) {
    fail(full);
  }
}

}  // namespace eviction::tests
