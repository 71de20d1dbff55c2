// SPDX-License-Identifier: Apache-2.0
#include "systemd/journal.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

namespace eviction::systemd {

namespace {

constexpr const char* kProgram = "eviction-agent";

/// Whether standard error goes to the journal: its device and inode are those of JOURNAL_STREAM.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): at start
  struct stat status = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) {
    return false;
  }
  return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
}

/// Of RFC 5424, which the journal's PRIORITY has.
int priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LOG_DEBUG;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::critical:
      return LOG_CRIT;
    case spdlog::level::info:
    case spdlog::level::off:
    case spdlog::level::n_levels:
      return LOG_INFO;
  }
  return LOG_INFO;
}

}  // namespace

void set_up_logging(spdlog::level::level_enum level) {
  std::shared_ptr<spdlog::logger> logger;
  if (stderr_is_journal()) {
    logger = std::make_shared<spdlog::logger>(
        kProgram, std::make_shared<spdlog::sinks::systemd_sink_mt>(kProgram));
  } else {
    logger = std::make_shared<spdlog::logger>(
        kProgram, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%^%l%$: %v");
  }
  logger->set_level(level);
  spdlog::set_default_logger(std::move(logger));
}

std::vector<std::string> journal_entry(spdlog::level::level_enum level,
                                       const std::string& message,
                                       const std::vector<JournalField>& fields) {
  std::vector<std::string> entry{"MESSAGE=" + message,
                                 "PRIORITY=" + std::to_string(priority(level)),
                                 "SYSLOG_IDENTIFIER=" + std::string{kProgram}};
  for (const JournalField& field : fields) {
    entry.push_back(field.name + '=' + field.value);
  }
  return entry;
}

void log_with_fields(spdlog::level::level_enum level,
                     const std::string& message,
                     const std::vector<JournalField>& fields) {
  if (!stderr_is_journal()) {
    spdlog::log(level, "{}", message);
    return;
  }
  if (!spdlog::should_log(level)) {
    return;
  }
  std::vector<std::string> entry = journal_entry(level, message, fields);
  std::vector<iovec> parts;
  parts.reserve(entry.size());
  for (std::string& field : entry) {
    parts.push_back({field.data(), field.size()});
  }
  // Ignored as spdlog's own sink does: there is nowhere to tell that the journal takes nothing.
  static_cast<void>(sd_journal_sendv(parts.data(), static_cast<int>(parts.size())));
}

}  // namespace eviction::systemd
