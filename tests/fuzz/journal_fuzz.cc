// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/api_view.h"
#include "agent/journal_file.h"
#include "agent/state_file.h"
#include "agent/value_proof.h"

namespace {

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

// What is read from JSON of our own reads back from its own text.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto journal = parse_journal(text, "journal")) {
    const auto again = parse_journal(render_journal(*journal), "journal");
    check(again && *again == *journal);
  }
  if (const auto record = parse_record(text, "record")) {
    const auto again = parse_record(render_record(*record), "record");
    check(again && *again == *record);
  }
  if (const auto view = parse_api_view(text)) {
    check(render_api_view(parse_api_view(render_api_view(view))) == render_api_view(view));
  }
  if (const auto proof = parse_proof(text)) {
    const auto again = parse_proof(render_proof(*proof));
    check(again && again->state == proof->state && again->source == proof->source &&
          again->reason == proof->reason);
  }
  return 0;
}
