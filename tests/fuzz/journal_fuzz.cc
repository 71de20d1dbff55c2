// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/journal_file.h"
#include "agent/state_file.h"

// What is read from a journal or a state file reads back from its own text.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto journal = parse_journal(text, "journal")) {
    const auto again = parse_journal(render_journal(*journal), "journal");
    if (!again || *again != *journal) {
      std::abort();
    }
  }
  if (const auto record = parse_record(text, "record")) {
    const auto again = parse_record(render_record(*record), "record");
    if (!again || *again != *record) {
      std::abort();
    }
  }
  return 0;
}
