// SPDX-License-Identifier: Apache-2.0
#include "config/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "cgroup/write_all.h"

namespace eviction::config {
namespace {

Error system_error(int code, const cgroup::Directory& folder, const std::string& name) {
  Error error{.kind = ErrorKind::kIo,
              .path = folder.path_of(name),
              .what = std::generic_category().message(code)};
  if (code == EACCES || code == EPERM || code == EROFS) {
    error.kind = ErrorKind::kDenied;
    error.remedy = code == EROFS ? "mount its file system read-write or, for the service, add its "
                                   "folder to ReadWritePaths of its unit"
                                 : "run the agent as root";
  } else if (code == ENOENT) {
    error.kind = ErrorKind::kAbsent;
  } else if (code == ENOSPC || code == EDQUOT) {
    error.remedy = "free space on its file system";
  } else if (code == EISDIR) {
    error.remedy = "look at what is in it, then remove it";
  }
  return error;
}

struct Ownership {
  uid_t user = 0;
  gid_t group = 0;
  mode_t mode = S_IRUSR | S_IWUSR;
};

std::optional<struct stat> status_of(const cgroup::Directory& folder, const std::string& name) {
  struct stat status {};

  if (::fstatat(folder.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::nullopt;
  }
  return status;
}

Ownership ownership_of(const struct stat& status) {
  constexpr mode_t kPermissions = S_IRWXU | S_IRWXG | S_IRWXO;
  return {status.st_uid, status.st_gid, status.st_mode & kPermissions};
}

/// Owner and mode for a file that is not there yet.
Ownership ownership_of_neighbour(const cgroup::Directory& folder, const std::string& name) {
  const auto entries = folder.list();
  if (!entries) {
    return {};
  }
  const std::string ending = name.substr(std::min(name.rfind('.'), name.size()));
  for (const cgroup::Directory::Entry& entry : *entries) {
    const std::optional<struct stat> status = status_of(folder, entry.name);
    if (entry.name.ends_with(ending) && status && S_ISREG(status->st_mode)) {
      return ownership_of(*status);
    }
  }
  return {};
}

/// Makes the temporary file with all of the text on the disk. 0 or an errno.
int write_temporary(const cgroup::Directory& folder,
                    const std::string& temporary,
                    std::string_view text,
                    const Ownership& ownership) {
  // Not what an earlier write left: that may be a link, or open somewhere.
  if (::unlinkat(folder.fd(), temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return errno;
  }
  const Descriptor file{::openat(folder.fd(),
                                 temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                 S_IRUSR | S_IWUSR)};
  if (file.get() < 0) {
    return errno;
  }
  const int written = write_all(file.get(), text);
  if (written != 0) {
    return written;
  }
  const bool kept = ::fchown(file.get(), ownership.user, ownership.group) == 0 &&
                    ::fchmod(file.get(), ownership.mode) == 0;
  return kept && ::fsync(file.get()) == 0 ? 0 : errno;
}

}  // namespace

Result<Written> write_atomically(const cgroup::Directory& folder,
                                 const std::string& name,
                                 std::string_view text) {
  const std::optional<struct stat> there = status_of(folder, name);
  if (there && !S_ISREG(there->st_mode)) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = folder.path_of(name),
                                .what = "it is no regular file, so it is not replaced",
                                .remedy = "remove what stands there"}};
  }
  cgroup::Buffer buffer;
  if (there) {
    const Result<std::string_view> now = folder.read(name, buffer);
    if (now && *now == text) {
      return Written::kUnchanged;
    }
  }
  const Ownership ownership = there ? ownership_of(*there) : ownership_of_neighbour(folder, name);
  const std::string temporary = name + std::string{kTemporarySuffix};
  int code = write_temporary(folder, temporary, text, ownership);
  if (code == 0 && ::renameat(folder.fd(), temporary.c_str(), folder.fd(), name.c_str()) != 0) {
    code = errno;
  }
  if (code != 0) {
    // Ignored: the next write removes it, and nobody reads it before.
    static_cast<void>(::unlinkat(folder.fd(), temporary.c_str(), 0));
    return tl::unexpected{system_error(code, folder, name)};
  }
  if (::fsync(folder.fd()) != 0) {
    return tl::unexpected{system_error(errno, folder, name)};
  }
  return Written::kWritten;
}

Result<bool> remove_durably(const cgroup::Directory& folder, const std::string& name) {
  bool was_there = false;
  std::optional<Error> problem;
  for (const std::string& one : {name + std::string{kTemporarySuffix}, name}) {
    if (::unlinkat(folder.fd(), one.c_str(), 0) == 0) {
      was_there = true;
    } else if (errno != ENOENT) {
      problem = system_error(errno, folder, one);
    }
  }
  if (::fsync(folder.fd()) != 0) {
    problem = system_error(errno, folder, name);
  }
  return problem ? Result<bool>{tl::unexpected{std::move(*problem)}} : was_there;
}

Result<void> rename_durably(const cgroup::Directory& folder,
                            const std::string& from,
                            const std::string& to) {
  if (::renameat(folder.fd(), from.c_str(), folder.fd(), to.c_str()) != 0 ||
      ::fsync(folder.fd()) != 0) {
    return tl::unexpected{system_error(errno, folder, from)};
  }
  return {};
}

Result<cgroup::Directory> make_folder(const cgroup::Directory& root, const std::string& path) {
  Result<cgroup::Directory> folder = root.open_below(path);
  if (folder || folder.error().kind != ErrorKind::kAbsent) {
    return folder;
  }
  const std::size_t slash = path.rfind('/');
  const Result<cgroup::Directory> parent =
      root.open_below(slash == std::string::npos ? "." : path.substr(0, slash));
  if (!parent) {
    return tl::unexpected{parent.error()};
  }
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (::mkdirat(parent->fd(), name.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return tl::unexpected{system_error(errno, *parent, name)};
  }
  if (::fsync(parent->fd()) != 0) {
    return tl::unexpected{system_error(errno, *parent, name)};
  }
  return root.open_below(path);
}

}  // namespace eviction::config
