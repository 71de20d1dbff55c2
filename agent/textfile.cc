// SPDX-License-Identifier: Apache-2.0
#include "agent/textfile.h"

#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "cgroup/write_all.h"

namespace eviction::agent {

Result<void> write_textfile(const std::string& path, std::string_view text) {
  constexpr mode_t kReadable = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
  const int code = replace_file(path, path + ".tmp", text, kReadable);
  if (code == 0) {
    return {};
  }
  ErrorKind kind = ErrorKind::kIo;
  const char* remedy = "";
  if (code == EACCES || code == EPERM || code == EROFS) {
    kind = ErrorKind::kDenied;
    remedy = "let its folder be root's and, for the service, in ReadWritePaths of its unit";
  } else if (code == ENOENT) {
    kind = ErrorKind::kAbsent;
    remedy = "make its folder, or change --textfile";
  }
  return tl::unexpected{
      Error{.kind = kind,
            .path = path,
            .what = "cannot write the metrics: " + std::generic_category().message(code),
            .remedy = remedy}};
}

}  // namespace eviction::agent
