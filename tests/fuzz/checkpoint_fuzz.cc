// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/requests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto requests = eviction::agent::parse_checkpoint(text, "checkpoint");
  if (!requests) {
    if (requests.error().kind != eviction::ErrorKind::kMalformed) {
      std::abort();
    }
    return 0;
  }
  for (const auto& [uid, request] : *requests) {
    if (request < eviction::Bytes{}) {
      std::abort();
    }
  }
  return 0;
}
