// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/constructed_node.h"

namespace eviction::tests {

inline constexpr std::int64_t kPageSize = 4096;

[[nodiscard]] constexpr std::int64_t pages_of(Bytes amount) {
  return amount.value() / kPageSize;
}

/// One zone, in pages.
struct ZonePages {
  int node = 0;
  std::string name;
  std::int64_t managed = 0;
  std::int64_t free = 0;
  std::int64_t boost = 0;
  std::int64_t min = 0;  ///< min, low and high contain the boost
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::array<std::int64_t, 5> protection{};
};

/// The node's memory as the kernel would account for it, in pages.
struct NodeMemory {
  std::vector<ZonePages> zones;
  std::int64_t min_free_kbytes = 0;
  std::int64_t total = 0;
  std::int64_t free = 0;
  std::int64_t available = 0;
  std::int64_t anon = 0;
  std::int64_t shmem = 0;
  std::int64_t active_file = 0;
  std::int64_t inactive_file = 0;
  std::int64_t slab_reclaimable = 0;
  std::int64_t slab_unreclaimable = 0;
  std::int64_t page_tables = 0;
  std::int64_t kernel_stack = 0;
  std::int64_t percpu = 0;
  std::int64_t zswap = 0;
  std::int64_t hugetlb = 0;

  [[nodiscard]] std::int64_t file() const { return shmem + active_file + inactive_file; }
};

/// How the kernel memory of one cgroup divides among its kinds, in pages.
struct ChargedKernel {
  std::int64_t page_tables = 0;
  std::int64_t kernel_stack = 0;
  std::int64_t slab_unreclaimable = 0;
};

[[nodiscard]] ChargedKernel divide_kernel(std::int64_t pages);

/// Throws std::invalid_argument when more is used than there is.
[[nodiscard]] NodeMemory balance(const ConstructedNode& node);

}  // namespace eviction::tests
