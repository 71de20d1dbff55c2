// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// The service in a cgroup path ("/system.slice/k3s.service/x" -> "k3s.service"). Absent: in none.
[[nodiscard]] std::optional<std::string> service_of_path(std::string_view cgroup_path);

/// The words of the last ExecStart= of a unit file or drop-in. Absent: it has none. Empty: it
/// clears what stands before it. Variables and specifiers stay as written, but for "%%". Source:
/// systemd.service(5) COMMAND LINES, systemd.syntax(7) QUOTING.
[[nodiscard]] std::optional<std::vector<std::string>> parse_exec_start(std::string_view text);

/// The command of a service as its unit file and drop-ins on the disk give it, which is what runs
/// unless they were changed since its start. Errors: those of the files; kAbsent without a command.
[[nodiscard]] Result<std::vector<std::string>> read_exec_start(const cgroup::Directory& root,
                                                               const std::string& unit,
                                                               cgroup::Buffer& buffer);

}  // namespace eviction::agent
