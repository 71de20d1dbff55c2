// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cgroup/process.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto stat = eviction::cgroup::parse_process_stat(text);
  if (stat && (stat->parent < 0 || text.find('(' + stat->comm + ") ") == std::string_view::npos)) {
    std::abort();
  }
  // Any text is a possible name of a process, and must come back as it is.
  const std::string comm{text};
  const auto named = eviction::cgroup::parse_process_stat(
      "1 (" + comm + ") S 2 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 77 23\n");
  if (!named || named->comm != comm || named->parent != 2 || named->start != 77) {
    std::abort();
  }
  const std::string_view base = eviction::cgroup::base_name(text);
  if (!text.ends_with(base) || base.find('/') != std::string_view::npos) {
    std::abort();
  }
  return 0;
}
