// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/descriptor.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// Memory that is used again from read to read, so that a walk over a thousand files settles on one
/// allocation. Not for two threads at once.
using Buffer = std::vector<char>;

/// An open directory. All reads are relative to its file descriptor, so the same code reads the
/// live node, a host mounted into a container and a recorded tree, and a cgroup that was removed
/// and made again under the same name is never mistaken for the old one (it reads as kAbsent or
/// kVanished). Paths are relative and may have several components; a leading '/' means this
/// directory. Absolute symbolic links resolve inside it (openat2 RESOLVE_IN_ROOT where the kernel
/// has it); the magic ones of procfs (PID/root) do not: open() such a path instead. One thread at a
/// time: list() moves the descriptor's position.
class Directory {
 public:
  /// Errors: kAbsent, kDenied, kVanished, kMalformed (not a directory), kIo.
  [[nodiscard]] static Result<Directory> open(const std::string& path);

  /// A directory below this one. Errors as open().
  [[nodiscard]] Result<Directory> open_below(std::string_view relative) const;

  /// The whole file, as a view into buffer that the next read with the same buffer ends.
  /// Errors: kAbsent, kUnsupported, kDenied, kVanished, kMalformed (a directory, a device, a FIFO),
  /// kTooLarge (over limit bytes), kIo.
  [[nodiscard]] Result<std::string_view> read(std::string_view relative,
                                              Buffer& buffer,
                                              std::size_t limit = kLimit) const;

  /// As read(), with one system call less where it can be: for a cgroup's files, whose content
  /// comes with the first read when it is shorter than a page. Source: linux v6.1 fs/seq_file.c
  /// seq_read_iter(): lines are handed out as long as they fit in the page. The file itself may be
  /// no symbolic link.
  [[nodiscard]] Result<std::string_view> read_short(std::string_view relative,
                                                    Buffer& buffer) const;

  /// The first limit bytes of a file that may be longer. Errors: as read(), without kTooLarge.
  [[nodiscard]] Result<std::string_view> read_head(std::string_view relative,
                                                   Buffer& buffer,
                                                   std::size_t limit) const;

  /// Names in this directory without "." and "..", sorted bytewise (the kubelet's and k3s' order).
  struct Entry {
    std::string name;
    bool directory = false;  ///< a symbolic link is no directory
  };

  [[nodiscard]] Result<std::vector<Entry>> list() const;
  /// The directories only, in the same order.
  [[nodiscard]] Result<std::vector<std::string>> list_directories() const;

  /// Where a symbolic link points, unresolved. Errors as read().
  [[nodiscard]] Result<std::string> read_link(std::string_view relative) const;

  /// How the operator would name this directory or a file below it.
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] std::string path_of(std::string_view relative) const;

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// No kernel or kubelet file that is read here is larger. Source: /proc/zoneinfo of a 1024-CPU
  /// host is about 1 MiB.
  static constexpr std::size_t kLimit = std::size_t{16} << 20;

 private:
  Directory(int fd, std::string path);

  /// The file up to limit bytes; a first read of fewer than surely_all bytes is the whole of it.
  [[nodiscard]] Result<std::string_view> read_until(std::string_view relative,
                                                    Buffer& buffer,
                                                    std::size_t limit,
                                                    std::size_t surely_all) const;

  /// The descriptor, at the first entry.
  [[nodiscard]] int rewound() const;

  Descriptor fd_;
  std::string path_;
  mutable bool listed_ = false;
};

}  // namespace eviction::cgroup
