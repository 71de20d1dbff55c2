// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// /proc/meminfo, in bytes, under the kernel's names. Absent when the kernel does not print the
/// line. Source: linux v6.1 fs/proc/meminfo.c meminfo_proc_show().
struct Meminfo {
  Bytes mem_total;
  Bytes mem_free;
  std::optional<Bytes> mem_available;
  std::optional<Bytes> buffers;
  std::optional<Bytes> cached;
  std::optional<Bytes> swap_cached;
  std::optional<Bytes> active_file;
  std::optional<Bytes> inactive_file;
  std::optional<Bytes> anon_pages;
  std::optional<Bytes> shmem;
  std::optional<Bytes> kreclaimable;  ///< Linux 4.20; before it s_reclaimable is the nearest
  std::optional<Bytes> slab;
  std::optional<Bytes> s_reclaimable;
  std::optional<Bytes> s_unreclaim;
  std::optional<Bytes> kernel_stack;
  std::optional<Bytes> page_tables;
  std::optional<Bytes> sec_page_tables;
  std::optional<Bytes> percpu;
  std::optional<Bytes> swap_total;
  std::optional<Bytes> swap_free;
  std::optional<Bytes> zswap;
  std::optional<Bytes> zswapped;
  std::optional<Bytes> hugetlb;  ///< all hugepage pools together
};

/// Errors: kMalformed with the line when a known line is not "Name: NUMBER kB", appears twice, or
/// MemTotal or MemFree is missing, zero total, or free is above total.
[[nodiscard]] Result<Meminfo> parse_meminfo(std::string_view text);
[[nodiscard]] Result<Meminfo> read_meminfo(const Directory& proc, Buffer& buffer);

}  // namespace eviction::cgroup
