// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/policy/transaction.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// The journal of a transaction stands beside the file it guards, so that it outlives a reboot
/// wherever that file does: FILE.journal, which no kubelet and no supervisor reads.
[[nodiscard]] std::string journal_path(const std::string& file);

/// JSON; a version, because another version of the agent may find it.
[[nodiscard]] std::string render_journal(const Journal& journal);

/// Errors: kMalformed, also for another version or a phase that is not known.
[[nodiscard]] Result<Journal> parse_journal(std::string_view text, const std::string& path);

/// The journal of a file. Absent: there is none. Errors: those of reading it, kMalformed.
[[nodiscard]] Result<std::optional<Journal>> read_journal(const cgroup::Directory& root,
                                                          const std::string& file);

}  // namespace eviction::agent
