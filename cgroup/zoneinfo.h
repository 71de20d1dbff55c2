// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// One zone of one NUMA node, in pages.
struct Zone {
  int node = 0;
  std::string name;
  std::int64_t free = 0;
  std::int64_t boost = 0;  ///< watermark_boost, contained in min, low and high (printed since 5.16)
  std::int64_t min = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::int64_t managed = 0;
  std::vector<std::int64_t> protection;  ///< lowmem_reserve towards the higher zones
};

/// /proc/zoneinfo. Source: linux v6.1 mm/vmstat.c zoneinfo_show_print().
struct Zoneinfo {
  std::vector<Zone> zones;

  /// totalreserve_pages: sum over zones of min(managed, high + max(protection)), the high watermark
  /// without its boost. Source: linux v6.1 mm/page_alloc.c calculate_totalreserve_pages().
  [[nodiscard]] std::int64_t reserve_pages() const;
  /// Sum of the low watermarks, boost included. Source: linux v6.1 mm/page_alloc.c
  /// si_mem_available().
  [[nodiscard]] std::int64_t low_watermark_pages() const;
  [[nodiscard]] std::int64_t managed_pages() const;
  /// The node's page size, from what both files say of the same memory: MemTotal is the managed
  /// pages times the page size. 4 KiB when the zones do not tell.
  [[nodiscard]] Bytes page_size(Bytes mem_total) const;
  /// Number of NUMA nodes that have managed memory.
  [[nodiscard]] std::size_t numa_nodes() const;
};

/// Errors: kMalformed with the line; a zone that lacks free, min, low, high, managed or protection,
/// or is there twice; a file without a zone.
[[nodiscard]] Result<Zoneinfo> parse_zoneinfo(std::string_view text);
[[nodiscard]] Result<Zoneinfo> read_zoneinfo(const Directory& proc, Buffer& buffer);

}  // namespace eviction::cgroup
