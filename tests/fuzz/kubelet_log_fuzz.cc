// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/kubelet_log.h"

namespace {

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

bool is_printable(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using eviction::agent::kubelet_warnings;
  using std::chrono::system_clock;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const system_clock::time_point written{std::chrono::seconds{1'795'348'801}};  // 2026-11-22 12:00
  const system_clock::time_point begin{};
  const auto all = kubelet_warnings(text, begin, written);
  for (const std::string& line : all) {
    check(line.size() <= 512 && is_printable(line) && line.front() != 'I');
  }
  const auto last = kubelet_warnings(text, written, written);
  check(last.size() <= all.size());
  return 0;
}
