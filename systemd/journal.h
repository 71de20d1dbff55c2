// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/common.h>

namespace eviction::systemd {

/// Sets spdlog's default logger: to the journal when standard error is the journal's stream
/// (JOURNAL_STREAM, see systemd.exec(5)), else to standard error, in colour on a terminal.
void set_up_logging(spdlog::level::level_enum level);

}  // namespace eviction::systemd
