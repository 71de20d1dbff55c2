// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/node_memory.h"

namespace {

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using eviction::Bytes;
  const auto node =
      eviction::agent::parse_node_allocatable({reinterpret_cast<const char*>(data), size});
  if (!node) {
    check(!node.error().what.empty());
    return 0;
  }
  check(node->capacity >= Bytes{} && node->allocatable >= Bytes{} && node->hugepages >= Bytes{});
  const Bytes left = eviction::agent::allocatable_memory(*node, Bytes{1}, Bytes{2});
  check(left >= Bytes{} && left <= node->capacity);
  return 0;
}
