// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <spdlog/common.h>

namespace eviction::systemd {

/// Sets spdlog's default logger: to the journal when standard error is the journal's stream
/// (JOURNAL_STREAM, see systemd.exec(5)), else to standard error, in colour on a terminal.
void set_up_logging(spdlog::level::level_enum level);

/// A field of an entry in the journal. name: upper-case letters, digits and underscores.
struct JournalField {
  std::string name;
  std::string value;  ///< any bytes
};

/// Logs a message by spdlog's default logger, and where that is the journal's, with the fields.
void log_with_fields(spdlog::level::level_enum level,
                     const std::string& message,
                     const std::vector<JournalField>& fields);

/// The entry that the journal gets: "NAME=VALUE", the message, severity and program's name
/// included.
[[nodiscard]] std::vector<std::string> journal_entry(spdlog::level::level_enum level,
                                                     const std::string& message,
                                                     const std::vector<JournalField>& fields);

}  // namespace eviction::systemd
