// SPDX-License-Identifier: Apache-2.0
#include "cgroup/write_all.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>

#include "cgroup/descriptor.h"

namespace eviction {

namespace {

/// 0 or an errno.
int write_new(const std::string& path, std::string_view text, std::optional<mode_t> mode) {
  constexpr mode_t kByUmask = 0666;
  // Not what an earlier write left: that may be a link, or open somewhere.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno;
  }
  const Descriptor file{::open(
      path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode.value_or(kByUmask))};
  if (file.get() < 0 || (mode && ::fchmod(file.get(), *mode) != 0)) {
    return errno;
  }
  return write_all(file.get(), text);
}

}  // namespace

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return errno;
    }
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return 0;
}

int replace_file(const std::string& path,
                 const std::string& temporary,
                 std::string_view text,
                 std::optional<mode_t> mode) {
  int code = write_new(temporary, text, mode);
  if (code == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) {
    code = errno;
  }
  if (code != 0) {
    ::unlink(temporary.c_str());
  }
  return code;
}

}  // namespace eviction
