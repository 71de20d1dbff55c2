// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_memory.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace eviction::tests {
namespace {

// Pages that the allocator manages below 16 MiB and below 4 GiB: recorded on a 4 GiB q35 machine.
constexpr std::int64_t kDmaPages = 3840;
constexpr std::int64_t kDma32Pages = 503'772;

// Source: linux v6.1 mm/page_alloc.c sysctl_lowmem_reserve_ratio[], x86-64 without highmem.
constexpr std::array<std::int64_t, 5> kReserveRatio{256, 256, 32, 0, 0};

// Source: linux v6.1 mm/page_alloc.c watermark_scale_factor, out of 10 000.
constexpr std::int64_t kWatermarkScale = 10;

void add_numa_node(std::vector<ZonePages>& zones, int node, std::int64_t pages) {
  const std::int64_t dma = node == 0 ? std::min(pages, kDmaPages) : 0;
  const std::int64_t dma32 = node == 0 ? std::min(pages - dma, kDma32Pages) : 0;
  const std::array<std::int64_t, 5> managed{dma, dma32, pages - dma - dma32, 0, 0};
  const std::array<const char*, 5> names{"DMA", "DMA32", "Normal", "Movable", "Device"};
  for (std::size_t i = 0; i < managed.size(); ++i) {
    ZonePages zone;
    zone.node = node;
    zone.name = names.at(i);
    zone.managed = managed.at(i);
    std::int64_t above = 0;
    for (std::size_t j = i + 1; j < managed.size() && zone.managed > 0 && kReserveRatio.at(i) > 0;
         ++j) {
      above += managed.at(j);
      zone.protection.at(j) = above / kReserveRatio.at(i);
    }
    zones.push_back(std::move(zone));
  }
}

// With transparent hugepages khugepaged raises the kernel's first choice.
// Source: linux v6.1 mm/page_alloc.c calculate_min_free_kbytes(), mm/khugepaged.c
// set_recommended_min_free_kbytes(): pageblocks of 512 pages, 3 migrate types on free lists.
std::int64_t chosen_min_free_kbytes(const std::vector<ZonePages>& zones, std::int64_t total) {
  const double kbytes = static_cast<double>(total) * 4;
  const auto first =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(std::sqrt(kbytes * 16)), 128, 262'144);
  const std::int64_t populated = std::count_if(
      zones.begin(), zones.end(), [](const ZonePages& zone) { return zone.managed > 0; });
  const std::int64_t recommended = std::min(512 * populated * (2 + 3 * 3), total / 20) * 4;
  return std::max(first, recommended);
}

// Source: linux v6.1 mm/page_alloc.c __setup_per_zone_wmarks().
void set_watermarks(ZonePages& zone, std::int64_t min_free_kbytes, std::int64_t total) {
  const std::int64_t min = min_free_kbytes / 4 * zone.managed / total;
  const std::int64_t step = std::max(min / 4, zone.managed * kWatermarkScale / 10'000);
  zone.min = min + zone.boost;
  zone.low = min + step + zone.boost;
  zone.high = min + 2 * step + zone.boost;
}

void lay_out_zones(NodeMemory& memory, const ConstructedNode& node) {
  const std::int64_t share = memory.total / node.numa_nodes;
  for (int i = 0; i < node.numa_nodes; ++i) {
    const bool last = i + 1 == node.numa_nodes;
    add_numa_node(memory.zones, i, last ? memory.total - share * i : share);
  }
  memory.min_free_kbytes =
      node.min_free_kbytes.value_or(chosen_min_free_kbytes(memory.zones, memory.total));
  ZonePages& last_normal = memory.zones.at(memory.zones.size() - 3);
  last_normal.boost = pages_of(node.watermark_boost);
  std::int64_t rest = memory.free;
  for (ZonePages& zone : memory.zones) {
    set_watermarks(zone, memory.min_free_kbytes, memory.total);
    zone.free = memory.free * zone.managed / memory.total;
    rest -= zone.free;
  }
  last_normal.free += rest;
}

// Source: linux v6.1 mm/page_alloc.c calculate_totalreserve_pages(). The kernel computes it when
// the watermarks are set up, which is before any boost.
std::int64_t total_reserve(const std::vector<ZonePages>& zones) {
  std::int64_t sum = 0;
  for (const ZonePages& zone : zones) {
    const std::int64_t most = *std::max_element(zone.protection.begin(), zone.protection.end());
    sum += std::min(zone.managed, most + zone.high - zone.boost);
  }
  return sum;
}

// Source: linux v6.1 mm/page_alloc.c si_mem_available().
std::int64_t available(const NodeMemory& memory) {
  std::int64_t low = 0;
  for (const ZonePages& zone : memory.zones) {
    low += zone.low;
  }
  const std::int64_t cache = memory.active_file + memory.inactive_file;
  return std::max<std::int64_t>(0,
                                memory.free - total_reserve(memory.zones) + cache -
                                    std::min(cache / 2, low) + memory.slab_reclaimable -
                                    std::min(memory.slab_reclaimable / 2, low));
}

void charge(NodeMemory& memory, const MemoryUse& use) {
  memory.anon += pages_of(use.anon);
  memory.shmem += pages_of(use.shmem);
  memory.active_file += pages_of(use.active_file);
  memory.inactive_file += pages_of(use.inactive_file);
  const ChargedKernel kernel = divide_kernel(pages_of(use.kernel));
  memory.page_tables += kernel.page_tables;
  memory.kernel_stack += kernel.kernel_stack;
  memory.slab_unreclaimable += kernel.slab_unreclaimable;
}

void add_uncharged(NodeMemory& memory, const ConstructedNode& node) {
  memory.slab_reclaimable += pages_of(node.kernel.slab_reclaimable);
  memory.slab_unreclaimable += pages_of(node.kernel.slab_unreclaimable);
  memory.page_tables += pages_of(node.kernel.page_tables);
  memory.kernel_stack += pages_of(node.kernel.kernel_stack);
  memory.percpu += pages_of(node.kernel.percpu);
  memory.zswap += pages_of(node.swap.zswap);
  for (const ConstructedHugepages& pool : node.hugepages) {
    memory.hugetlb += pages_of(pool.page_size) * pool.total;
  }
}

}  // namespace

ChargedKernel divide_kernel(std::int64_t pages) {
  ChargedKernel result;
  result.page_tables = pages / 2;
  result.kernel_stack = pages / 8;
  result.slab_unreclaimable = pages - result.page_tables - result.kernel_stack;
  return result;
}

NodeMemory balance(const ConstructedNode& node) {
  NodeMemory memory;
  memory.total = pages_of(node.mem_total);
  charge(memory, node.outside_pods);
  for (const ConstructedPod& pod : node.pods) {
    for (const ConstructedContainer& container : pod.containers) {
      charge(memory, container.use);
    }
  }
  add_uncharged(memory, node);
  memory.free = memory.total - memory.anon - memory.file() - memory.slab_reclaimable -
                memory.slab_unreclaimable - memory.page_tables - memory.kernel_stack -
                memory.percpu - memory.zswap - memory.hugetlb - pages_of(node.kernel.other);
  if (memory.free < 0) {
    throw std::invalid_argument("the parts of the node exceed mem_total by " +
                                std::to_string(-memory.free * kPageSize) + " bytes");
  }
  lay_out_zones(memory, node);
  memory.available = available(memory);
  return memory;
}

}  // namespace eviction::tests
