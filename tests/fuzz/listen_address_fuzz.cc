// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/listen_address.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using eviction::config::parse_listen_addresses;
  const auto addresses = parse_listen_addresses({reinterpret_cast<const char*>(data), size});
  if (!addresses || addresses->empty()) {
    return 0;
  }
  std::string text;
  for (const auto& address : *addresses) {
    text += to_text(address) + ' ';
  }
  if (parse_listen_addresses(text) != addresses) {
    std::abort();
  }
  return 0;
}
