// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::config {

/// Whether a write changed anything.
enum class Written { kWritten, kUnchanged };

/// What the file is written under before it is renamed: NAME.tmp, which neither the kubelet (it
/// reads *.conf) nor k3s and RKE2 (*.yaml, *.yml) take for theirs. A leftover of an interrupted
/// write is overwritten by the next.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

/// Puts text in the folder's file of that name so that a reader, and the disk after a power cut,
/// has the old content or the new one and nothing between. Equal content writes nothing. Owner and
/// mode are those of the file that is there, else those of the first other file in the folder with
/// the same ending, else root's and 0600. What is no regular file is not replaced.
/// Errors: kDenied (also a read-only file system), kMalformed (not a regular file), kIo (disk full,
/// ...); then the old content stands and no temporary file is left, where that can be helped.
[[nodiscard]] Result<Written> write_atomically(const cgroup::Directory& folder,
                                               const std::string& name,
                                               std::string_view text);

/// Removes the file for good, and what an interrupted write of it left; says whether anything was
/// there. Errors: kDenied, kIo (also a folder).
[[nodiscard]] Result<bool> remove_durably(const cgroup::Directory& folder, const std::string& name);

/// Renames a file in its folder for good, replacing one of the new name. Errors: kAbsent, kDenied,
/// kIo.
[[nodiscard]] Result<void> rename_durably(const cgroup::Directory& folder,
                                          const std::string& from,
                                          const std::string& to);

/// The folder at path below root, made with mode 0700 where it is missing, one level at most.
/// Errors: those of opening or making it.
[[nodiscard]] Result<cgroup::Directory> make_folder(const cgroup::Directory& root,
                                                    const std::string& path);

}  // namespace eviction::config
