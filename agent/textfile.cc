// SPDX-License-Identifier: Apache-2.0
#include "agent/textfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "cgroup/descriptor.h"
#include "cgroup/write_all.h"

namespace eviction::agent {

namespace {

/// 0 or an errno.
int write_new(const std::string& path, std::string_view text) {
  constexpr mode_t kReadable = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
  // Not what an earlier write left: that may be a link, or open somewhere.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno;
  }
  const Descriptor file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kReadable)};
  if (file.get() < 0 || ::fchmod(file.get(), kReadable) != 0) {  // whatever the umask
    return errno;
  }
  return write_all(file.get(), text);
}

}  // namespace

Result<void> write_textfile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp";
  int code = write_new(temporary, text);
  if (code == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) {
    code = errno;
  }
  if (code == 0) {
    return {};
  }
  ::unlink(temporary.c_str());
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
