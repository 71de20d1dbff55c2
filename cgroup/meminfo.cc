// SPDX-License-Identifier: Apache-2.0
#include "cgroup/meminfo.h"

#include <array>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {

Result<Meminfo> parse_meminfo(std::string_view text) {
  Meminfo info;
  std::optional<Bytes> total;
  std::optional<Bytes> free;
  const std::array wanted{
      Wanted<Bytes>{"MemTotal", &total},
      Wanted<Bytes>{"MemFree", &free},
      Wanted<Bytes>{"MemAvailable", &info.mem_available},
      Wanted<Bytes>{"Buffers", &info.buffers},
      Wanted<Bytes>{"Cached", &info.cached},
      Wanted<Bytes>{"SwapCached", &info.swap_cached},
      Wanted<Bytes>{"Active(file)", &info.active_file},
      Wanted<Bytes>{"Inactive(file)", &info.inactive_file},
      Wanted<Bytes>{"AnonPages", &info.anon_pages},
      Wanted<Bytes>{"Shmem", &info.shmem},
      Wanted<Bytes>{"KReclaimable", &info.kreclaimable},
      Wanted<Bytes>{"Slab", &info.slab},
      Wanted<Bytes>{"SReclaimable", &info.s_reclaimable},
      Wanted<Bytes>{"SUnreclaim", &info.s_unreclaim},
      Wanted<Bytes>{"KernelStack", &info.kernel_stack},
      Wanted<Bytes>{"PageTables", &info.page_tables},
      Wanted<Bytes>{"SecPageTables", &info.sec_page_tables},
      Wanted<Bytes>{"Percpu", &info.percpu},
      Wanted<Bytes>{"SwapTotal", &info.swap_total},
      Wanted<Bytes>{"SwapFree", &info.swap_free},
      Wanted<Bytes>{"Zswap", &info.zswap},
      Wanted<Bytes>{"Zswapped", &info.zswapped},
      Wanted<Bytes>{"Hugetlb", &info.hugetlb},
  };
  const auto parsed = parse_key_values<Bytes>(text, KeyFormat::kKibibytes, wanted);
  if (!parsed) {
    return tl::make_unexpected(parsed.error());
  }
  if (!total || !free) {
    return tl::make_unexpected(malformed(0, total ? "no MemFree line" : "no MemTotal line"));
  }
  if (*total == Bytes{0}) {
    return tl::make_unexpected(malformed(0, "MemTotal is 0"));
  }
  if (*free > *total) {
    return tl::make_unexpected(malformed(0, "MemFree is above MemTotal"));
  }
  info.mem_total = *total;
  info.mem_free = *free;
  return info;
}

Result<Meminfo> read_meminfo(const Directory& proc, Buffer& buffer) {
  return read_parsed(proc, "meminfo", buffer, parse_meminfo);
}

}  // namespace eviction::cgroup
