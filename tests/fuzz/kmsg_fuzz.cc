// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cgroup/kmsg.h"
#include "cgroup/oom_kill.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  eviction::cgroup::OomLog log;
  // Records are parted by NUL bytes here.
  while (!rest.empty()) {
    const std::string_view text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(text.size() < rest.size() ? text.size() + 1 : rest.size());
    const auto record = eviction::cgroup::parse_kmsg_record(text);
    if (!record) {
      continue;
    }
    if (record->text.size() >= text.size()) {
      std::abort();
    }
    const auto event = log.add(*record);
    if (event && (event->sequence > record->sequence && !record->fragment)) {
      std::abort();
    }
  }
  return 0;
}
