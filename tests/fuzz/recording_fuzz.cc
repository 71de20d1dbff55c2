// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/recording/archive.h"
#include "agent/recording/csv.h"
#include "agent/recording/recording.h"
#include "agent/replay.h"
#include "agent/simulate/node.h"
#include "agent/simulate/recorded.h"

// What is read can be written again and decided on, whatever it says; and what an archive says it
// says again. A recorded node can be modelled.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const eviction::config::AgentConfig config;
  ReplayRun run{config};
  simulate::RecordedNode node;
  const auto replay = [&run, &node](const Moment& moment) {
    static_cast<void>(csv_row(moment));
    run.take(moment);
    node.take(moment);
  };
  const auto span = read_recording(text, replay);
  if (span && span->whole_bytes > size) {
    std::abort();
  }
  // A file that is added to is cut there.
  if (span && read_recording(text.substr(0, span->whole_bytes), [](const Moment&) {})->problem) {
    std::abort();
  }
  static_cast<void>(read_csv(text, replay));
  // A record's checksum keeps most inputs from its content: here it has none.
  if (const auto seen = from_archive(text)) {
    if (to_archive(*seen) != text) {
      std::abort();
    }
    run.take({.since_boot = std::chrono::seconds{1}, .seen = &*seen});
    node.take({.since_boot = std::chrono::seconds{1}, .seen = &*seen});
  }
  if (const auto scenario = node.scenario(0, 1)) {
    simulate::ModelNode model{scenario->node, scenario->pods, 1};
    model.step(1, 1);
    if (!(model.memory().mem_available >= 0)) {
      std::abort();
    }
  }
  return 0;
}
