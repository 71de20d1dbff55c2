// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/kubelet_process.h"
#include "agent/own_file.h"
#include "agent/policy/transaction.h"
#include "cgroup/descriptor.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Where a value is kept that is not in force: a name that no kubelet and no supervisor reads.
[[nodiscard]] std::string staged_path(const std::string& file);

/// The content of a file below root. Absent inside: there is none. Errors: those of reading it.
[[nodiscard]] Result<std::optional<std::string>> read_file(const cgroup::Directory& root,
                                                           const std::string& path);

/// Gives a file below root this content, or removes it; on the disk when it returns. A folder that
/// is missing is made. Errors: kDenied when the file there lacks the agent's mark; those of
/// writing.
[[nodiscard]] Result<void> put_file(const cgroup::Directory& root,
                                    const std::string& path,
                                    const std::optional<std::string>& content);

/// The journal of a change that was interrupted. A kubelet that does not come back with a new value
/// cannot tell where its file is, so the usual places of RKE2 and k3s are looked at as well, and
/// the file of the last change. Absent: there is none. Errors: those of read_journal(), when no
/// other journal is of an interrupted change.
[[nodiscard]] Result<std::optional<Journal>> interrupted_change(
    const cgroup::Directory& root,
    const std::optional<Kubelet>& kubelet,
    const std::string& last_changed);

/// Removes what interrupted writes left beside the file, under names that only the agent gives:
/// FILE.tmp, FILE.staged.tmp, FILE.journal.tmp. For who holds kChangeLock: another agent may just
/// be writing. Errors: those of removing.
[[nodiscard]] Result<void> remove_leftovers(const cgroup::Directory& root, const std::string& file);
/// Whether there is any.
[[nodiscard]] bool has_leftovers(const cgroup::Directory& root, const std::string& file);

/// The other file of ours that this kubelet's supervisor still reads: one with arguments of before
/// an upgrade to drop-ins, which would shadow the drop-in. Absent: there is none of ours.
[[nodiscard]] std::optional<std::string> outdated_file(const cgroup::Directory& root,
                                                       const Kubelet& kubelet);

/// Removes every file of ours: the kubelet's, those at the usual places of RKE2 and k3s whether
/// they run or not, that of the last change (empty: none is known), and what is staged and
/// journalled beside them; the journal of a file that cannot be removed stays, too. Those of
/// needed_files() stay, with their journals. kubelet absent: none runs. A file without our mark is
/// left and is no problem.
[[nodiscard]] Removed remove_target_files(const cgroup::Directory& root,
                                          const std::optional<Kubelet>& kubelet,
                                          const std::string& last_changed,
                                          const std::map<std::string, std::string>& needed = {});

/// A lock that is held as long as this lives: /run/eviction-agent/NAME.lock on the host, so that an
/// agent of a package and one in a container see each other. By flock(2), which scripts of packages
/// can ask for, too.
class HostLock {
 public:
  /// Errors: kDenied when another process holds it, by whom; those of making the file.
  [[nodiscard]] static Result<HostLock> take(const cgroup::Directory& root,
                                             const std::string& name);
  /// Whether a process holds it. One that takes it in the very moment of this look is refused.
  /// Errors: those of opening what is there.
  [[nodiscard]] static Result<bool> is_held(const cgroup::Directory& root, const std::string& name);

  HostLock(HostLock&&) = default;
  HostLock& operator=(HostLock&&) = default;
  HostLock(const HostLock&) = delete;
  HostLock& operator=(const HostLock&) = delete;
  ~HostLock();

 private:
  explicit HostLock(Descriptor file) : file_{std::move(file)} {}

  Descriptor file_;
};

/// Held by the daemon as long as it runs.
inline constexpr const char* kRunLock = "run";
/// Held by whoever changes the kubelet's files or restarts it.
inline constexpr const char* kChangeLock = "change";
inline constexpr const char* kRunFolder = "/run/eviction-agent";

}  // namespace eviction::agent
