// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "agent/observation.h"
#include "agent/recording/recording.h"
#include "agent/replay.h"
#include "config/agent_config.h"
#include "systemd/event_loop.h"

namespace eviction::agent {

/// What "record" is asked for.
struct RecordRequest {
  std::string file;
  std::chrono::seconds interval{1};              ///< between two cheap looks
  std::optional<std::chrono::seconds> duration;  ///< absent: until SIGINT or SIGTERM
};

/// A recording that is made on request: its two files together take no more than twice this.
inline constexpr std::size_t kRequestedFileLimit = std::size_t{64} << 20;

/// Records this node; returns how many moments. Errors: those of the file, of the event loop, and
/// of the first look at which /proc/meminfo cannot be read. A file that was lost meanwhile is told
/// at the end.
[[nodiscard]] Result<std::size_t> record(const Host& host,
                                         const config::AgentConfig& config,
                                         const RecordRequest& request,
                                         systemd::EventLoop& loop);

/// Calls with each moment of a recording, of the one before it (FILE.1) if there is one, or of CSV;
/// FILE.1 alone is as good. Returns why reading ended before the end, of both: kAbsent where only a
/// last record was cut off, as by a crash. Errors: those of reading, and of a file that is none of
/// these.
[[nodiscard]] Result<std::optional<Error>> read_moments(
    const std::string& file, const std::function<void(const Moment&)>& call);

}  // namespace eviction::agent
