// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "tests/support/node_files.h"

namespace eviction::tests {
namespace {

constexpr std::int64_t kBootEpoch = 1'790'000'000;

/// "Name:   NUMBER kB" lines as /proc/meminfo aligns them.
class MeminfoText {
 public:
  MeminfoText& pages(const std::string& name, std::int64_t count) { return kib(name, count * 4); }

  MeminfoText& kib(const std::string& name, std::int64_t count) {
    number(name, count) << " kB\n";
    return *this;
  }

  MeminfoText& count(const std::string& name, std::int64_t count) {
    number(name, count) << "\n";
    return *this;
  }

  [[nodiscard]] std::string text() const { return out_.str(); }

 private:
  std::ostream& number(const std::string& name, std::int64_t count) {
    return out_ << std::left << std::setw(16) << name + ":" << std::right << std::setw(8) << count;
  }

  std::ostringstream out_;
};

ConstructedHugepages default_pool(const ConstructedNode& node) {
  const auto found = std::find_if(
      node.hugepages.begin(), node.hugepages.end(), [](const ConstructedHugepages& pool) {
        return pool.page_size == 2_MiB;
      });
  return found == node.hugepages.end() ? ConstructedHugepages{.page_size = 2_MiB} : *found;
}

void add_swap(const ConstructedNode& node, MeminfoText& out) {
  out.kib("SwapTotal", node.swap.total.value() / 1024)
      .kib("SwapFree", (node.swap.total - node.swap.used).value() / 1024)
      .pages("Zswap", pages_of(node.swap.zswap))
      .kib("Zswapped", node.swap.zswapped.value() / 1024);
}

void add_kernel(const NodeMemory& memory, MeminfoText& out) {
  out.pages("KReclaimable", memory.slab_reclaimable)
      .pages("Slab", memory.slab_reclaimable + memory.slab_unreclaimable)
      .pages("SReclaimable", memory.slab_reclaimable)
      .pages("SUnreclaim", memory.slab_unreclaimable)
      .pages("KernelStack", memory.kernel_stack)
      .pages("PageTables", memory.page_tables)
      .kib("SecPageTables", 0);
}

// Source: linux v6.1 fs/proc/meminfo.c meminfo_proc_show().
std::string meminfo(const ConstructedNode& node, const NodeMemory& memory) {
  const ConstructedHugepages pool = default_pool(node);
  MeminfoText out;
  out.pages("MemTotal", memory.total)
      .pages("MemFree", memory.free)
      .pages("MemAvailable", memory.available)
      .kib("Buffers", 0)
      .pages("Cached", memory.file())
      .kib("SwapCached", 0)
      .pages("Active", memory.active_file)
      .pages("Inactive", memory.anon + memory.shmem + memory.inactive_file)
      .kib("Active(anon)", 0)
      .pages("Inactive(anon)", memory.anon + memory.shmem)
      .pages("Active(file)", memory.active_file)
      .pages("Inactive(file)", memory.inactive_file)
      .kib("Unevictable", 0)
      .kib("Mlocked", 0);
  add_swap(node, out);
  out.kib("Dirty", 0)
      .kib("Writeback", 0)
      .pages("AnonPages", memory.anon)
      .pages("Mapped", memory.shmem)
      .pages("Shmem", memory.shmem);
  add_kernel(memory, out);
  out.pages("CommitLimit", memory.total / 2)
      .pages("Committed_AS", memory.anon)
      .pages("Percpu", memory.percpu)
      .count("HugePages_Total", pool.total)
      .count("HugePages_Free", pool.free)
      .count("HugePages_Rsvd", pool.reserved)
      .count("HugePages_Surp", 0)
      .kib("Hugepagesize", pool.page_size.value() / 1024)
      .pages("Hugetlb", memory.hugetlb);
  return out.text();
}

void add_node_stats(std::ostringstream& out, const NodeMemory& memory) {
  out << "  per-node stats\n"
      << "      nr_inactive_anon " << memory.anon + memory.shmem << "\n"
      << "      nr_active_anon 0\n"
      << "      nr_inactive_file " << memory.inactive_file << "\n"
      << "      nr_active_file " << memory.active_file << "\n"
      << "      nr_unevictable 0\n"
      << "      nr_slab_reclaimable " << memory.slab_reclaimable << "\n"
      << "      nr_slab_unreclaimable " << memory.slab_unreclaimable << "\n";
}

void add_zone_tail(std::ostringstream& out, const ZonePages& zone) {
  out << "\n      nr_free_pages " << zone.free << "\n      nr_zone_inactive_file 0"
      << "\n      numa_hit     1000\n  pagesets\n    cpu: 0\n              count: 40"
      << "\n              high:  5273\n              batch: 63\n  vm stats threshold: 20"
      << "\n  node_unreclaimable:  0\n  start_pfn:           1";
}

// Source: linux v6.1 mm/vmstat.c zoneinfo_show_print(). The per-node block stands in the first
// populated zone; here the node's sums are shown for NUMA node 0 only.
std::string zoneinfo(const NodeMemory& memory) {
  std::ostringstream out;
  bool first = true;
  for (const ZonePages& zone : memory.zones) {
    out << "Node " << zone.node << ", zone " << std::setw(8) << zone.name << "\n";
    if (first) {
      add_node_stats(out, memory);
      first = false;
    }
    const std::int64_t spanned = zone.managed + zone.managed / 50;
    out << "  pages free     " << zone.free << "\n        boost    " << zone.boost
        << "\n        min      " << zone.min << "\n        low      " << zone.low
        << "\n        high     " << zone.high << "\n        spanned  " << spanned
        << "\n        present  " << spanned << "\n        managed  " << zone.managed
        << "\n        cma      0\n        protection: (";
    for (std::size_t i = 0; i < zone.protection.size(); ++i) {
      out << (i == 0 ? "" : ", ") << zone.protection.at(i);
    }
    out << ")";
    if (zone.managed > 0) {
      add_zone_tail(out, zone);
    }
    out << "\n";
  }
  return out.str();
}

// Source: linux v6.1 mm/vmstat.c vmstat_text[].
std::string vmstat(const ConstructedNode& node, const NodeMemory& memory) {
  const auto count = [](std::int64_t pages) { return static_cast<std::uint64_t>(pages); };
  std::map<std::string, std::uint64_t> counters = node.vmstat;
  const std::map<std::string, std::uint64_t> gauges{
      {"nr_free_pages", count(memory.free)},
      {"nr_inactive_anon", count(memory.anon + memory.shmem)},
      {"nr_active_anon", 0},
      {"nr_inactive_file", count(memory.inactive_file)},
      {"nr_active_file", count(memory.active_file)},
      {"nr_slab_reclaimable", count(memory.slab_reclaimable)},
      {"nr_slab_unreclaimable", count(memory.slab_unreclaimable)},
      {"nr_anon_pages", count(memory.anon)},
      {"nr_file_pages", count(memory.file())},
      {"nr_shmem", count(memory.shmem)}};
  counters.insert(gauges.begin(), gauges.end());
  for (const char* const name : {"pswpin",
                                 "pswpout",
                                 "allocstall_dma",
                                 "allocstall_dma32",
                                 "allocstall_normal",
                                 "allocstall_movable",
                                 "allocstall_device",
                                 "pgscan_kswapd",
                                 "pgscan_direct",
                                 "pgsteal_kswapd",
                                 "pgsteal_direct",
                                 "workingset_refault_anon",
                                 "workingset_refault_file",
                                 "oom_kill"}) {
    counters.try_emplace(name, 0);
  }
  std::ostringstream out;
  for (const auto& [name, value] : counters) {
    out << name << " " << value << "\n";
  }
  return out.str();
}

std::string mounts(const ConstructedNode& node) {
  std::string text =
      "/dev/sda2 / ext4 rw,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"
      "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\n"
      "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n";
  const std::string options = "rw,nosuid,nodev,noexec,relatime";
  if (node.layout == CgroupLayout::kV2) {
    return text + "cgroup2 /sys/fs/cgroup cgroup2 " + options +
           ",nsdelegate,memory_recursiveprot 0 0\n";
  }
  text += "cgroup /sys/fs/cgroup/systemd cgroup " + options + ",xattr,name=systemd 0 0\n";
  if (node.layout == CgroupLayout::kHybrid) {
    text += "cgroup2 /sys/fs/cgroup/unified cgroup2 " + options + ",nsdelegate 0 0\n";
  }
  if (node.layout != CgroupLayout::kNone) {
    text += "cgroup /sys/fs/cgroup/memory cgroup " + options + ",memory 0 0\n";
  }
  return text;
}

std::string swaps(const ConstructedNode& node) {
  std::ostringstream out;
  out << "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  if (node.swap.total > Bytes{}) {
    out << "/dev/sda3                               partition\t" << node.swap.total.value() / 1024
        << "\t\t" << node.swap.used.value() / 1024 << "\t\t-2\n";
  }
  return out.str();
}

}  // namespace

void write_proc(const ConstructedNode& node, const NodeMemory& memory, TreeWriter& tree) {
  tree.file("proc/meminfo", meminfo(node, memory));
  tree.file("proc/zoneinfo", zoneinfo(memory));
  tree.file("proc/vmstat", vmstat(node, memory));
  tree.file("proc/mounts", mounts(node));
  tree.file("proc/swaps", swaps(node));
  const std::string uptime = std::to_string(node.uptime.count());
  tree.file("proc/uptime", uptime + ".00 " + uptime + ".00\n");
  tree.file("proc/version",
            "Linux version " + node.kernel_release + " (builder@host) (gcc) #1 SMP\n");
  tree.file("proc/cmdline", node.psi ? "root=/dev/sda2 psi=1\n" : "root=/dev/sda2\n");
  tree.file("proc/stat",
            "cpu  1000 0 1000 100000 0 0 0 0 0 0\ncpu0 1000 0 1000 100000 0 0 0 0 0 0\nbtime " +
                std::to_string(kBootEpoch) + "\n");
  tree.file("proc/sys/kernel/osrelease", node.kernel_release + "\n");
  tree.file("proc/sys/vm/min_free_kbytes", std::to_string(memory.min_free_kbytes) + "\n");
  for (const ConstructedHugepages& pool : node.hugepages) {
    const std::string directory = "sys/kernel/mm/hugepages/hugepages-" +
                                  std::to_string(pool.page_size.value() / 1024) + "kB/";
    tree.file(directory + "nr_hugepages", std::to_string(pool.total) + "\n");
    tree.file(directory + "free_hugepages", std::to_string(pool.free) + "\n");
    tree.file(directory + "resv_hugepages", std::to_string(pool.reserved) + "\n");
  }
}

}  // namespace eviction::tests
