// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "agent/server_tls.h"
#include "cgroup/result.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// What the files of [metrics] hold.
struct ServerFiles {
  std::optional<ServerTls> tls;
  std::optional<std::string> passwords;

  bool operator==(const ServerFiles&) const = default;
};

/// Reads those that are configured, in this process' own file system. Errors: those of reading, of
/// the first file that cannot be read.
[[nodiscard]] Result<ServerFiles> read_server_files(const config::AgentConfig& config);

}  // namespace eviction::agent
