// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/node.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace eviction::agent::simulate {

namespace {

/// Page cache that reclaim cannot take: mapped program text in use.
constexpr double kLeastCache = 30;
constexpr double kMostlyActive = 0.8;
/// A victim is reaped before the next is chosen. Source: linux v6.1 mm/oom_kill.c
/// MAX_OOM_REAP_RETRIES, 10 times 0.1 s, and some more for the exit.
constexpr double kReapTime = 2;
/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go.
constexpr double kGuaranteedAdjust = -997;

/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust().
double adjustment(const PodSpec& pod, double capacity) {
  if (pod.workload == WorkloadClass::kSystem || pod.qos == cgroup::QosClass::kGuaranteed) {
    return kGuaranteedAdjust;
  }
  if (pod.qos == cgroup::QosClass::kBestEffort) {
    return 1000;
  }
  return std::clamp(1000 - std::floor(1000 * pod.request / capacity), 3.0, 999.0);
}

/// In thousandths of RAM. Source: linux v6.1 mm/oom_kill.c oom_badness().
double badness(const ModelPod& pod, double capacity) {
  return 1000 * pod.mib() / capacity + adjustment(pod.spec(), capacity);
}

}  // namespace

// Source: linux v6.1 mm/page_alloc.c calculate_min_free_kbytes(), __setup_per_zone_wmarks() with a
// watermark_scale_factor of 10, calculate_totalreserve_pages() with lowmem_reserve_ratio 256;
// mm/khugepaged.c set_recommended_min_free_kbytes() for three zones.
NodeSpec node_of(double capacity_mib) {
  constexpr double kDma32 = 1968;
  constexpr double kDma = 15;
  constexpr double kLowmemRatio = 256;
  const double first = std::clamp(std::sqrt(capacity_mib * 1024 * 16) / 1024, 0.125, 256.0);
  const double min = std::max(first, std::min(67.6, capacity_mib / 20));
  const double distance = std::max(min / 4, capacity_mib / 1000);
  NodeSpec spec;
  spec.capacity = capacity_mib;
  spec.low_watermarks = min + distance;
  spec.reserve = min + 2 * distance + std::min(kDma, capacity_mib / kLowmemRatio) +
                 std::min(kDma32, std::max(capacity_mib - kDma32, 0.0) / kLowmemRatio);
  spec.kernel = 40 + capacity_mib / 200;
  spec.system = 700 + capacity_mib / 200;
  spec.cache = capacity_mib / 10;
  spec.kubepods_max = capacity_mib;
  return spec;
}

ModelNode::ModelNode(NodeSpec spec, const std::vector<PodSpec>& pods, std::uint64_t seed)
    : spec_{spec} {
  Random random{seed};
  for (const PodSpec& pod : pods) {
    pods_.emplace_back(pod, random.next());
  }
  measure();
}

void ModelNode::measure() {
  Memory& now = memory_;
  now.pods = 0;
  for (const ModelPod& pod : pods_) {
    now.pods += pod.mib();
  }
  now.anon = now.pods + spec_.system;
  now.kernel = spec_.kernel + spec_.hugepages + kPageTables * now.anon;
  const double room = spec_.capacity - now.anon - now.kernel - spec_.reserve;
  now.file = std::max(std::min(spec_.cache, room), kLeastCache);
  now.short_of = std::max(kLeastCache - room, 0.0);
  // Reclaim takes the inactive list first.
  now.active_file = std::min(spec_.hot_cache * spec_.cache, kMostlyActive * now.file);
  now.free = std::max(spec_.capacity - now.anon - now.kernel - now.file, 0.0);
  const double slab_floor = std::min(spec_.capacity / 200, spec_.low_watermarks) / 2;
  now.cache_floor =
      std::min(now.file / 2, spec_.low_watermarks) + std::min(slab_floor, now.file / 4);
  now.mem_available = std::max(now.free - spec_.reserve + now.file - now.cache_floor, 0.0);
  now.kubelet_available = spec_.capacity - now.anon - now.active_file;
  now.kubepods_working_set = now.pods * (1 + kPageTables) + 0.8 * now.active_file;
}

std::optional<std::size_t> ModelNode::worst() const {
  std::optional<std::size_t> found;
  double most = 0;
  for (std::size_t i = 0; i < pods_.size(); ++i) {
    const double score = badness(pods_[i], spec_.capacity);
    if (pods_[i].mib() > 0 && (!found || score > most)) {
      found = i;
      most = score;
    }
  }
  return found;
}

std::optional<std::size_t> ModelNode::step(double now, double seconds) {
  for (ModelPod& pod : pods_) {
    pod.step(now, seconds, spec_.free_rate);
  }
  measure();
  const bool in_kubepods = memory_.pods * (1 + kPageTables) + kLeastCache > spec_.kubepods_max;
  if ((memory_.short_of <= 0 && !in_kubepods) || now - last_kill_ < kReapTime) {
    return std::nullopt;
  }
  const std::optional<std::size_t> victim = worst();
  if (!victim || pods_[*victim].exits()) {
    return std::nullopt;  // the kernel waits for one that is on its way out
  }
  last_kill_ = now;
  pods_[*victim].oom_kill(now);
  return victim;
}

}  // namespace eviction::agent::simulate
