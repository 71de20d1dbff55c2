// SPDX-License-Identifier: Apache-2.0
#include "systemd/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace eviction::systemd {

namespace {

/// Whether standard error goes to the journal: its device and inode are those of JOURNAL_STREAM.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): at start
  struct stat status = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) {
    return false;
  }
  return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
}

}  // namespace

void set_up_logging(spdlog::level::level_enum level) {
  std::shared_ptr<spdlog::logger> logger;
  if (stderr_is_journal()) {
    logger = std::make_shared<spdlog::logger>(
        "eviction-agent", std::make_shared<spdlog::sinks::systemd_sink_mt>("eviction-agent"));
  } else {
    logger = std::make_shared<spdlog::logger>(
        "eviction-agent", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%^%l%$: %v");
  }
  logger->set_level(level);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace eviction::systemd
