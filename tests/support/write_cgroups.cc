// SPDX-License-Identifier: Apache-2.0
#include <iomanip>
#include <sstream>

#include "tests/support/node_files.h"

namespace eviction::tests {
namespace {

constexpr std::int64_t kNoLimitV1 = 9'223'372'036'854'771'712;  // LONG_MAX in whole pages

/// memory.stat's amounts, in bytes.
struct Charged {
  explicit Charged(const MemoryUse& use)
      : anon{pages_of(use.anon)},
        shmem{pages_of(use.shmem)},
        inactive_file{pages_of(use.inactive_file)},
        active_file{pages_of(use.active_file)},
        kernel{pages_of(use.kernel)} {}

  [[nodiscard]] std::int64_t file() const { return shmem + inactive_file + active_file; }

  [[nodiscard]] std::int64_t current() const { return anon + file() + kernel; }

  std::int64_t anon;
  std::int64_t shmem;
  std::int64_t inactive_file;
  std::int64_t active_file;
  std::int64_t kernel;
};

/// "key value" lines; pages are written as bytes.
class StatText {
 public:
  StatText& pages(const std::string& key, std::int64_t count) {
    return number(key, count * kPageSize);
  }

  StatText& number(const std::string& key, std::int64_t value) {
    text_ += key + " " + std::to_string(value) + "\n";
    return *this;
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Source: linux v6.1 mm/memcontrol.c memory_stats[].
std::string stat_v2(const Charged& charged) {
  const ChargedKernel kernel = divide_kernel(charged.kernel);
  return StatText{}
      .pages("anon", charged.anon)
      .pages("file", charged.file())
      .pages("kernel", charged.kernel)
      .pages("kernel_stack", kernel.kernel_stack)
      .pages("pagetables", kernel.page_tables)
      .number("percpu", 0)
      .number("sock", 0)
      .number("vmalloc", 0)
      .pages("shmem", charged.shmem)
      .pages("file_mapped", charged.shmem)
      .number("file_dirty", 0)
      .number("file_writeback", 0)
      .pages("inactive_anon", charged.anon + charged.shmem)
      .number("active_anon", 0)
      .pages("inactive_file", charged.inactive_file)
      .pages("active_file", charged.active_file)
      .number("unevictable", 0)
      .number("slab_reclaimable", 0)
      .pages("slab_unreclaimable", kernel.slab_unreclaimable)
      .pages("slab", kernel.slab_unreclaimable)
      .number("workingset_refault_anon", 0)
      .number("workingset_refault_file", 0)
      .number("pgfault", 1000)
      .number("pgmajfault", 0)
      .text();
}

void add_v1(const std::string& prefix, const Charged& charged, StatText& out) {
  out.pages(prefix + "cache", charged.file())
      .pages(prefix + "rss", charged.anon)
      .number(prefix + "rss_huge", 0)
      .pages(prefix + "shmem", charged.shmem)
      .pages(prefix + "mapped_file", charged.shmem)
      .number(prefix + "dirty", 0)
      .number(prefix + "writeback", 0)
      .number(prefix + "pgfault", 1000)
      .number(prefix + "pgmajfault", 0)
      .pages(prefix + "inactive_anon", charged.anon + charged.shmem)
      .number(prefix + "active_anon", 0)
      .pages(prefix + "inactive_file", charged.inactive_file)
      .pages(prefix + "active_file", charged.active_file)
      .number(prefix + "unevictable", 0);
}

std::string events(std::uint64_t kills) {
  const std::string count = std::to_string(kills);
  return "low 0\nhigh 0\nmax " + count + "\noom " + count + "\noom_kill " + count +
         "\noom_group_kill 0\n";
}

std::string procs(const Group& group) {
  std::string text;
  for (const int pid : group.pids) {
    text += std::to_string(pid) + "\n";
  }
  return text;
}

std::string pressure(const ConstructedNode& node, bool whole_node) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2);
  const auto line = [&out](const char* name, double avg10) {
    out << name << " avg10=" << avg10 << " avg60=" << avg10 / 2 << " avg300=" << avg10 / 4
        << " total=" << static_cast<std::int64_t>(avg10 * 100'000) << "\n";
  };
  line("some", whole_node ? node.some_avg10 : 0);
  line("full", whole_node ? node.full_avg10 : 0);
  return out.str();
}

/// Writes one cgroup after the other, top down.
class CgroupWriter {
 public:
  CgroupWriter(const ConstructedNode& node, TreeWriter& tree) : node_{node}, tree_{tree} {}

  void write_v2(const Group& group, const std::string& directory, bool root) {
    const Charged charged{group.total()};
    tree_.file(directory + "/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
    tree_.file(directory + "/cgroup.procs", procs(group));
    tree_.file(directory + "/memory.stat", stat_v2(charged));
    if (node_.psi) {
      tree_.file(directory + "/memory.pressure", pressure(node_, root));
    }
    if (!root) {
      write_limits_v2(group, charged, directory);
    }
    for (const Group& child : group.children) {
      write_v2(child, directory + "/" + child.name, false);
    }
  }

  void write_v1(const Group& group, const std::string& directory) {
    const Charged all{group.total()};
    const std::int64_t limit = group.max ? group.max->value() : kNoLimitV1;
    StatText stat;
    add_v1("", Charged{group.own}, stat);
    stat.number("hierarchical_memory_limit", limit);
    add_v1("total_", all, stat);
    tree_.file(directory + "/cgroup.procs", procs(group));
    tree_.file(directory + "/memory.stat", stat.text());
    tree_.file(directory + "/memory.usage_in_bytes",
               std::to_string(all.current() * kPageSize) + "\n");
    tree_.file(directory + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
    tree_.file(directory + "/memory.failcnt", std::to_string(group.own_oom_kills) + "\n");
    tree_.file(
        directory + "/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill " + std::to_string(group.own_oom_kills) + "\n");
    for (const Group& child : group.children) {
      write_v1(child, directory + "/" + child.name);
    }
  }

 private:
  void write_limits_v2(const Group& group, const Charged& charged, const std::string& directory) {
    tree_.file(directory + "/cgroup.type", "domain\n");
    tree_.file(directory + "/memory.current", std::to_string(charged.current() * kPageSize) + "\n");
    tree_.file(directory + "/memory.max",
               (group.max ? std::to_string(group.max->value()) : "max") + "\n");
    tree_.file(directory + "/memory.high", "max\n");
    tree_.file(directory + "/memory.min", "0\n");
    tree_.file(directory + "/memory.low", "0\n");
    tree_.file(directory + "/memory.events", events(group.oom_kills()));
    tree_.file(directory + "/memory.events.local", events(group.own_oom_kills));
  }

  const ConstructedNode& node_;
  TreeWriter& tree_;
};

}  // namespace

void write_cgroups(const ConstructedNode& node, const Group& root, TreeWriter& tree) {
  CgroupWriter writer{node, tree};
  switch (node.layout) {
    case CgroupLayout::kV2:
      writer.write_v2(root, "sys/fs/cgroup", true);
      break;
    case CgroupLayout::kHybrid:
      tree.file("sys/fs/cgroup/unified/cgroup.controllers", "\n");
      tree.file("sys/fs/cgroup/unified/cgroup.procs", procs(root));
      [[fallthrough]];
    case CgroupLayout::kV1:
      tree.directory("sys/fs/cgroup/cpu,cpuacct");
      tree.directory("sys/fs/cgroup/pids");
      writer.write_v1(root, "sys/fs/cgroup/memory");
      [[fallthrough]];
    case CgroupLayout::kNone:
      tree.file("sys/fs/cgroup/systemd/cgroup.procs", procs(root));
      break;
  }
  if (node.psi) {
    tree.file("proc/pressure/memory", pressure(node, true));
    tree.file("proc/pressure/cpu", pressure(node, false));
    tree.file("proc/pressure/io", pressure(node, false));
  }
}

}  // namespace eviction::tests
