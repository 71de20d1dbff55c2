// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/recording/archive.h"
#include "agent/recording/csv.h"
#include "agent/recording/recording.h"
#include "agent/replay.h"

// What is read can be written again and decided on, whatever it says; and what an archive says it
// says again.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const eviction::config::AgentConfig config;
  ReplayRun run{config};
  const auto replay = [&run](const Moment& moment) {
    static_cast<void>(csv_row(moment));
    run.take(moment);
  };
  const auto span = read_recording(text, replay);
  if (span && span->whole_bytes > size) {
    std::abort();
  }
  if (span && whole_records(text).value() < span->whole_bytes) {
    std::abort();
  }
  static_cast<void>(read_csv(text, replay));
  // A record's checksum keeps most inputs from its content: here it has none.
  if (const auto seen = from_archive(text)) {
    if (to_archive(*seen) != text) {
      std::abort();
    }
    run.take({.since_boot = std::chrono::seconds{1}, .seen = &*seen});
  }
  return 0;
}
