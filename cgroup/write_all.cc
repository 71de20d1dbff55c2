// SPDX-License-Identifier: Apache-2.0
#include "cgroup/write_all.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace eviction {

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

}  // namespace eviction
