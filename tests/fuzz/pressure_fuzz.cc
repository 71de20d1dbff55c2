// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "cgroup/pressure.h"

namespace {

using eviction::cgroup::PressureLine;

std::string print(const char* name, const PressureLine& line) {
  std::string text = name;
  for (const auto& [key, share] : std::array{std::pair{" avg10=", line.avg10},
                                             std::pair{" avg60=", line.avg60},
                                             std::pair{" avg300=", line.avg300}}) {
    if (share < 0 || share > 10000) {
      std::abort();
    }
    text += key + std::to_string(share / 100) + '.' + static_cast<char>('0' + share / 10 % 10) +
            static_cast<char>('0' + share % 10);
  }
  return text + " total=" + std::to_string(line.total.count()) + '\n';
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pressure =
      eviction::cgroup::parse_pressure({reinterpret_cast<const char*>(data), size});
  if (!pressure) {
    return 0;
  }
  std::string text = print("some", pressure->some);
  if (pressure->full) {
    text += print("full", *pressure->full);
  }
  const auto again = eviction::cgroup::parse_pressure(text);
  if (!again || print("some", again->some) != print("some", pressure->some) ||
      again->full.has_value() != pressure->full.has_value()) {
    std::abort();
  }
  return 0;
}
