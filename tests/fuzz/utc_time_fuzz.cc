// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/utc_time.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using std::chrono::sys_seconds;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto at = eviction::config::parse_utc(text);
  if (at && eviction::config::to_utc(*at) != text) {
    std::abort();
  }
  const auto since = eviction::config::parse_since(text);
  const sys_seconds now{std::chrono::seconds{1'795'348'801}};  // 2026-11-22 12:00
  if (since && !since->at && since->from(now) > now) {
    std::abort();
  }
  return 0;
}
