// SPDX-License-Identifier: Apache-2.0
#include "tests/support/named_nodes.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>

#include "tests/support/node_probe.h"
#include "tests/support/temporary_tree.h"

namespace eviction::tests {

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
static void PrintTo(const NamedNode& node, std::ostream* out) {
  *out << node.name;
}

namespace {

using std::filesystem::path;

class NamedNodes : public testing::TestWithParam<NamedNode> {
 protected:
  void SetUp() override { write(node_, tree_.path()); }

  [[nodiscard]] path below(const std::string& relative) const { return tree_.path(relative); }

  [[nodiscard]] bool v2() const { return node_.layout == CgroupLayout::kV2; }

  [[nodiscard]] path cgroups() const {
    return below(v2() ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
  }

  void gap_to_mem_available_is_what_the_kernel_keeps() const;
  void zones_manage_all_of_mem_total() const;
  void named_parts_of_meminfo_fit_in_mem_total() const;
  void cgroups_add_up() const;
  void every_process_is_in_its_cgroup_and_has_its_parent() const;

  const ConstructedNode node_ = GetParam().make();
  const TemporaryTree tree_;
};

/// Field 4 of /proc/PID/stat.
std::string parent_of(const path& process) {
  const std::string stat = read_text(process / "stat");
  std::istringstream after_comm{stat.substr(stat.rfind(')') + 1)};
  std::string state;
  std::string parent;
  after_comm >> state >> parent;
  return parent;
}

std::int64_t number(const path& file) {
  return std::strtoll(read_text(file).c_str(), nullptr, 10);
}

// A - M = K + R + w - a, all in KiB: what the kubelet calls available exceeds MemAvailable by the
// kernel's memory, its reserve and its floor under the cache, less the active cache.
void NamedNodes::gap_to_mem_available_is_what_the_kernel_keeps() const {
  auto meminfo = read_fields(below("proc/meminfo"));
  auto stat = read_fields(cgroups() / "memory.stat");
  const ZoneSums zones = sum_zones(tree_.path());
  const std::string prefix = v2() ? "" : "total_";
  const std::int64_t anon = stat[v2() ? "anon" : "total_rss"] / 1024;
  const std::int64_t file = stat[v2() ? "file" : "total_cache"] / 1024;
  const std::int64_t active = stat[prefix + "active_file"] / 1024;
  const std::int64_t inactive = stat[prefix + "inactive_file"] / 1024;
  const std::int64_t low = zones.low_pages * 4;

  const std::int64_t kubelet_available = meminfo["MemTotal:"] - (anon + file - inactive);
  const std::int64_t kernel =
      meminfo["MemTotal:"] - meminfo["MemFree:"] - anon - file - meminfo["KReclaimable:"];
  const std::int64_t floor =
      std::min((active + inactive) / 2, low) + std::min(meminfo["KReclaimable:"] / 2, low);
  EXPECT_NEAR(static_cast<double>(kubelet_available - meminfo["MemAvailable:"]),
              static_cast<double>(kernel + zones.reserve_pages * 4 + floor - active),
              4096);
  EXPECT_GT(meminfo["MemAvailable:"], 0);
}

void NamedNodes::zones_manage_all_of_mem_total() const {
  auto meminfo = read_fields(below("proc/meminfo"));
  EXPECT_EQ(sum_zones(tree_.path()).managed_pages * 4, meminfo["MemTotal:"]);
}

void NamedNodes::named_parts_of_meminfo_fit_in_mem_total() const {
  auto meminfo = read_fields(below("proc/meminfo"));
  std::int64_t sum = 0;
  for (const char* const part : {"MemFree:",
                                 "AnonPages:",
                                 "Cached:",
                                 "Slab:",
                                 "KernelStack:",
                                 "PageTables:",
                                 "Percpu:",
                                 "Zswap:",
                                 "Hugetlb:"}) {
    sum += meminfo[part];
  }
  EXPECT_LE(sum, meminfo["MemTotal:"]);
}

void NamedNodes::cgroups_add_up() const {
  const std::string current = v2() ? "memory.current" : "memory.usage_in_bytes";
  for (const auto& entry : std::filesystem::recursive_directory_iterator{cgroups()}) {
    if (entry.path().filename() != current || !v2()) {
      continue;
    }
    const path directory = entry.path().parent_path();
    SCOPED_TRACE(directory);
    auto stat = read_fields(directory / "memory.stat");
    EXPECT_EQ(number(entry.path()), stat["anon"] + stat["file"] + stat["kernel"]);
    std::int64_t children = 0;
    for (const auto& child : std::filesystem::directory_iterator{directory}) {
      children += child.is_directory() ? number(child.path() / current) : 0;
    }
    EXPECT_LE(children, number(entry.path()));
  }
}

void NamedNodes::every_process_is_in_its_cgroup_and_has_its_parent() const {
  const std::string prefix = v2() ? "0::" : ":memory:";
  for (const auto& entry : std::filesystem::directory_iterator{below("proc")}) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    SCOPED_TRACE(pid);
    const std::string text = read_text(entry.path() / "cgroup");
    const std::size_t start = text.find(prefix) + prefix.size();
    const std::string cgroup = text.substr(start, text.find('\n', start) - start);
    const std::string procs = "\n" + read_text(cgroups() / cgroup.substr(1) / "cgroup.procs");
    EXPECT_NE(procs.find("\n" + pid + "\n"), std::string::npos);
    const std::string parent = parent_of(entry.path());
    EXPECT_TRUE(parent == "0" || std::filesystem::exists(below("proc/" + parent))) << parent;
  }
}

// One case a node, since writing a large one is most of the time.
TEST_P(NamedNodes, AgreesWithItselfAsAKernelDoes) {
  gap_to_mem_available_is_what_the_kernel_keeps();
  zones_manage_all_of_mem_total();
  named_parts_of_meminfo_fit_in_mem_total();
  cgroups_add_up();
  every_process_is_in_its_cgroup_and_has_its_parent();
}

INSTANTIATE_TEST_SUITE_P(All,
                         NamedNodes,
                         testing::ValuesIn(named_nodes()),
                         [](const testing::TestParamInfo<NamedNode>& one) {
                           std::string name{one.param.name};
                           std::replace_if(
                               name.begin(),
                               name.end(),
                               [](char c) { return c == '-' || c == '.'; },
                               '_');
                           return name;
                         });

TEST(NamedNode, FullNodeRequestsExactlyItsCapacity) {
  const ConstructedNode node = named_node("full-64g");
  EXPECT_EQ(requests_of(node), node.mem_total);
}

TEST(NamedNode, OvercommittedNodesRequestLessThanTheyHaveAndPromiseMore) {
  for (const char* const name : {"vm-1t", "vm-2t"}) {
    SCOPED_TRACE(name);
    const ConstructedNode node = named_node(name);
    Bytes limits;
    for (const ConstructedPod& pod : node.pods) {
      for (const ConstructedContainer& container : pod.containers) {
        limits += container.limit.value_or(Bytes{});
      }
    }
    EXPECT_LT(requests_of(node), node.mem_total);
    EXPECT_GT(limits, node.mem_total);
  }
}

TEST(NamedNode, UnknownNameIsRefused) {
  EXPECT_THROW(static_cast<void>(named_node("mixed-128")), std::out_of_range);
}

TEST(NamedNode, PodsOfAMeasurementHaveThreeCgroupsEach) {
  const TemporaryTree tree;
  write(node_with_pods(10), tree.path());
  int pods = 0;
  int containers = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{
           tree.path("sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice")}) {
    pods += entry.path().extension() == ".slice" ? 1 : 0;
    containers += entry.path().extension() == ".scope" ? 1 : 0;
  }
  EXPECT_EQ(pods, 10);
  EXPECT_EQ(containers, 20);
}

}  // namespace
}  // namespace eviction::tests
