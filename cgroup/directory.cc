// SPDX-License-Identifier: Apache-2.0
#include "cgroup/directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <system_error>
#include <utility>

#include <dirent.h>

namespace eviction::cgroup {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
/// O_NONBLOCK: a FIFO in place of a file must not hang the agent.
constexpr int kFileFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

ErrorKind kind_of(int code) {
  switch (code) {
    case ENOENT:
      return ErrorKind::kAbsent;
    case EOPNOTSUPP:
      return ErrorKind::kUnsupported;
    case EACCES:
    case EPERM:
      return ErrorKind::kDenied;
    case ENODEV:
    case ESRCH:
      return ErrorKind::kVanished;
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
      return ErrorKind::kMalformed;
    default:
      return ErrorKind::kIo;
  }
}

Error system_error(int code, std::string path) {
  return {.kind = kind_of(code),
          .path = std::move(path),
          .what = std::generic_category().message(code)};
}

int openat2(int directory, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<decltype(how.flags)>(flags);
  how.resolve = RESOLVE_IN_ROOT;
  return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}

/// Whether symbolic links are followed, and then inside the directory only. Not to follow them is
/// cheaper, and the kernel's own cgroup directories have none.
enum class Links { kInside, kNone };

/// A descriptor, or -1 and errno. An absolute path is one from the directory.
int open_at(int directory, std::string_view relative, int flags, Links links = Links::kInside) {
  const std::string path{
      relative.substr(std::min(relative.find_first_not_of('/'), relative.size()))};
  const char* const name = path.empty() ? "." : path.c_str();
  int fd = -1;
  if (links == Links::kInside) {
    // EAGAIN: something was renamed while the kernel followed the path, or a lease is being broken.
    constexpr int kTries = 8;
    for (int tries = 0; tries < kTries; ++tries) {
      fd = openat2(directory, name, flags);
      if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) {
        break;
      }
    }
    // Before Linux 5.6, or behind a system call filter that does not know it.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
      return fd;
    }
  }
  const int follow = links == Links::kNone ? O_NOFOLLOW : 0;
  do {
    fd = ::openat(directory, name, flags | follow);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

ssize_t read_some(int fd, char* data, std::size_t room) {
  ssize_t got = 0;
  do {
    got = ::read(fd, data, room);
  } while (got < 0 && errno == EINTR);
  return got;
}

/// Reads on from size until the end or limit. 0 or an errno.
int read_rest(int fd, Buffer& buffer, std::size_t& size, std::size_t limit) {
  ssize_t got = size == 0 ? 0 : 1;
  while (got > 0 && size < limit) {
    if (size == buffer.size()) {
      buffer.resize(2 * size);
    }
    got = read_some(fd, buffer.data() + size, std::min(buffer.size(), limit) - size);
    size += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  return got < 0 ? errno : 0;
}

/// Absent for a regular file. Asked only when a read tells nothing: what is no regular file blocks,
/// fails, reads as empty or never ends, and the question costs up to a tenth of a walk over the
/// cgroups.
std::optional<Error> irregular(int fd, const Directory& directory, std::string_view relative) {
  struct stat status {};

  if (fd >= 0 && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return Error{.kind = ErrorKind::kMalformed,
               .path = directory.path_of(relative),
               .what = S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file"};
}

bool is_directory(int directory, const dirent64& entry) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_DIR;
  }

  struct stat status {};

  return ::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(status.st_mode);
}

/// Calls visit(name, is a directory) for each entry but "." and "..".
template <class Visit>
void visit_entries(int directory, const char* data, std::size_t size, const Visit& visit) {
  for (std::size_t offset = 0; offset < size;) {
    const auto* const entry = reinterpret_cast<const dirent64*>(data + offset);
    const std::string_view name{static_cast<const char*>(entry->d_name)};
    if (name != "." && name != "..") {
      visit(name, is_directory(directory, *entry));
    }
    offset += entry->d_reclen;
  }
}

/// Visits all entries of a directory. 0 or an errno. Until there are none: with a signal pending
/// the kernel gives fewer than there is room for. Source: linux v6.1 fs/readdir.c filldir64().
template <class Visit>
int list_entries(int directory, const Visit& visit) {
  constexpr std::size_t kChunk = std::size_t{32} << 10;
  alignas(dirent64) std::array<char, kChunk> chunk;  // NOLINT(*-member-init): the kernel fills it
  ssize_t got = 0;
  do {
    got = ::getdents64(directory, chunk.data(), chunk.size());
    if (got > 0) {
      visit_entries(directory, chunk.data(), static_cast<std::size_t>(got), visit);
    }
  } while (got > 0 || (got < 0 && errno == EINTR));
  return got < 0 ? errno : 0;
}

}  // namespace

Directory::Directory(int fd, std::string path) : fd_{fd}, path_{std::move(path)} {}

Result<Directory> Directory::open(const std::string& path) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), kDirectoryFlags);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return tl::make_unexpected(system_error(errno, path));
  }
  const std::size_t last = path.find_last_not_of('/');
  return Directory{fd, last == std::string::npos ? "/" : path.substr(0, last + 1)};
}

Result<Directory> Directory::open_below(std::string_view relative) const {
  const int fd = open_at(fd_.get(), relative, kDirectoryFlags);
  if (fd < 0) {
    return tl::make_unexpected(system_error(errno, path_of(relative)));
  }
  return Directory{fd, path_of(relative)};
}

Result<std::string_view> Directory::read(std::string_view relative,
                                         Buffer& buffer,
                                         std::size_t limit) const {
  auto text = read_head(relative, buffer, limit + 1);
  if (text && text->size() > limit) {
    return tl::make_unexpected(Error{.kind = ErrorKind::kTooLarge,
                                     .path = path_of(relative),
                                     .what = "over " + std::to_string(limit) + " bytes"});
  }
  return text;
}

Result<std::string_view> Directory::read_head(std::string_view relative,
                                              Buffer& buffer,
                                              std::size_t limit) const {
  return read_until(relative, buffer, limit, 0);
}

Result<std::string_view> Directory::read_short(std::string_view relative, Buffer& buffer) const {
  // seq_file hands out what fits in its first page of 4096 bytes, in whole lines.
  constexpr std::size_t kSurelyAll = 4000;
  return read_until(relative, buffer, kLimit, kSurelyAll);
}

Result<std::string_view> Directory::read_until(std::string_view relative,
                                               Buffer& buffer,
                                               std::size_t limit,
                                               std::size_t surely_all) const {
  constexpr std::size_t kFirst = std::size_t{16} << 10;
  const Links links = surely_all > 0 ? Links::kNone : Links::kInside;
  const Descriptor file{open_at(fd_.get(), relative, kFileFlags, links)};
  if (file.get() < 0) {
    // ENXIO: a socket, or a device without a driver.
    return tl::make_unexpected(errno == ENXIO ? *irregular(-1, *this, relative)
                                              : system_error(errno, path_of(relative)));
  }
  buffer.resize(std::max(kFirst, buffer.size()));
  const std::size_t room = std::min(buffer.size(), limit);
  const ssize_t first = read_some(file.get(), buffer.data(), room);
  const int failure = first < 0 ? errno : 0;
  if (first <= 0 || static_cast<std::size_t>(first) == room) {
    if (auto error = irregular(file.get(), *this, relative)) {
      return tl::make_unexpected(*std::move(error));
    }
  }
  if (failure != 0) {
    return tl::make_unexpected(system_error(failure, path_of(relative)));
  }
  std::size_t size = static_cast<std::size_t>(first);
  if (size > 0 && size < surely_all) {
    return std::string_view{buffer.data(), size};
  }
  if (const int code = read_rest(file.get(), buffer, size, limit); code != 0) {
    return tl::make_unexpected(
        irregular(file.get(), *this, relative).value_or(system_error(code, path_of(relative))));
  }
  return std::string_view{buffer.data(), size};
}

int Directory::rewound() const {
  if (std::exchange(listed_, true)) {
    ::lseek(fd_.get(), 0, SEEK_SET);  // cannot fail on an open directory
  }
  return fd_.get();
}

Result<std::vector<Directory::Entry>> Directory::list() const {
  std::vector<Entry> entries;
  const int failure = list_entries(rewound(), [&entries](std::string_view name, bool directory) {
    entries.push_back({.name = std::string{name}, .directory = directory});
  });
  if (failure != 0) {
    return tl::make_unexpected(system_error(failure, path_));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return left.name < right.name;
  });
  return entries;
}

Result<std::vector<std::string>> Directory::list_directories() const {
  std::vector<std::string> names;
  const int failure = list_entries(rewound(), [&names](std::string_view name, bool directory) {
    if (directory) {
      names.emplace_back(name);
    }
  });
  if (failure != 0) {
    return tl::make_unexpected(system_error(failure, path_));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> Directory::read_link(std::string_view relative) const {
  const Descriptor link{open_at(fd_.get(), relative, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  std::array<char, PATH_MAX> target{};
  const ssize_t size =
      link.get() < 0 ? -1 : ::readlinkat(link.get(), "", target.data(), target.size());
  if (size < 0) {
    // ENOENT with an open link: it is none.
    const int code = link.get() >= 0 && errno == ENOENT ? EINVAL : errno;
    Error error = system_error(code, path_of(relative));
    if (code == EINVAL) {
      error.kind = ErrorKind::kMalformed;
      error.what = "is no symbolic link";
    }
    return tl::make_unexpected(std::move(error));
  }
  return std::string{target.data(), static_cast<std::size_t>(size)};
}

std::string Directory::path_of(std::string_view relative) const {
  relative.remove_prefix(std::min(relative.find_first_not_of('/'), relative.size()));
  if (relative.empty()) {
    return path_;
  }
  std::string path = path_;
  if (!path.ends_with('/')) {
    path += '/';
  }
  path += relative;
  return path;
}

}  // namespace eviction::cgroup
