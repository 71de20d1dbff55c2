// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// One pool of /sys/kernel/mm/hugepages.
struct HugepagePool {
  Bytes page_size;
  std::int64_t total = 0;     ///< nr_hugepages, pages
  std::int64_t free = 0;      ///< pages
  std::int64_t reserved = 0;  ///< pages promised but not yet faulted in

  [[nodiscard]] Bytes size() const { return scale(page_size, total, 1); }
};

/// An empty list when the kernel has no hugetlb. Sorted by page size. Errors: a pool's file that
/// cannot be read, by its name.
[[nodiscard]] Result<std::vector<HugepagePool>> read_hugepages(const Directory& sys,
                                                               Buffer& buffer);

/// All pools together.
[[nodiscard]] Bytes total_size(const std::vector<HugepagePool>& pools);

}  // namespace eviction::cgroup
