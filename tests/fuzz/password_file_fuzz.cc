// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/basic_auth.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using eviction::agent::parse_password_file;
  const auto entries = parse_password_file({reinterpret_cast<const char*>(data), size}, "users");
  if (!entries) {
    return 0;
  }
  std::string text;
  for (const auto& entry : *entries) {
    text += entry.user + ':' + entry.hash + '\n';
  }
  const auto again = parse_password_file(text, "users");
  if (!again || again->size() != entries->size()) {
    std::abort();
  }
  return 0;
}
