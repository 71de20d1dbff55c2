// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/recorded.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "agent/policy/memory_account.h"

namespace eviction::agent::simulate {

namespace {

constexpr double kMib = 1 << 20;

double mib(Bytes amount) {
  return std::max(static_cast<double>(amount.value()), 0.0) / kMib;
}

double mib(const std::optional<Bytes>& amount) {
  return mib(amount.value_or(Bytes{}));
}

/// What of a pod reclaim cannot take; with the caches where that is not known.
std::optional<Bytes> held(const Pod& pod) {
  return pod.unreclaimable ? pod.unreclaimable : pod.working_set ? pod.working_set : pod.usage;
}

PodSpec spec_of(const Pod& pod) {
  PodSpec spec;
  spec.name = pod.name.empty() ? pod.uid : pod.name;
  spec.workload = pod.workload;
  spec.qos = pod.qos;
  spec.priority = pod.priority.value_or(0);
  spec.request = pod.request ? mib(pod.request->high) : 0;
  spec.limit = pod.limit ? std::optional{mib(*pod.limit)} : std::nullopt;
  return spec;
}

}  // namespace

void RecordedNode::go_on(const Moment& moment) {
  using std::chrono::milliseconds;
  if (last_look_) {
    milliseconds step = moment.since_boot - last_look_->since_boot;
    if (step < milliseconds{}) {
      step = moment.at - last_look_->at;
    }
    now_ += step < milliseconds{} ? std::chrono::duration_cast<milliseconds>(kShortGap) : step;
  }
  last_look_ = {.at = moment.at, .since_boot = moment.since_boot};
}

void RecordedNode::take(const Moment& moment) {
  go_on(moment);
  if (moment.seen == nullptr || !moment.seen->meminfo) {
    return;
  }
  if (samples_.size() >= most_samples_) {
    cut_ = true;
    return;
  }
  const Observation& seen = *moment.seen;
  const cgroup::Meminfo& meminfo = *seen.meminfo;
  const double reclaimable_slab =
      mib(meminfo.kreclaimable ? meminfo.kreclaimable : meminfo.s_reclaimable);
  const double file = mib(meminfo.active_file) + mib(meminfo.inactive_file);
  const double anonymous = mib(meminfo.anon_pages) + mib(meminfo.shmem);
  const double used = mib(meminfo.mem_total) - mib(meminfo.mem_free);
  const std::size_t before = samples_.size();
  take_pods(seen);
  double in_pods = 0;
  for (std::size_t i = before; i < samples_.size(); ++i) {
    in_pods += samples_[i].mib;
  }
  kernel_.push_back(std::max(used - anonymous - file - reclaimable_slab, 0.0));
  anonymous_.push_back(anonymous);
  outside_.push_back(std::max(anonymous - in_pods, 0.0));
  cache_.push_back(file + reclaimable_slab);
  active_.push_back(mib(meminfo.active_file));
  last_ = seen;
  last_.pods.clear();
}

std::optional<Error> RecordedNode::problem() const {
  if (!cut_) {
    return std::nullopt;
  }
  constexpr double kSecondsPerHour = 3600;
  return Error{.kind = ErrorKind::kTooLarge,
               .path = {},
               .what = fmt::format("there are more than {} samples of pods: the first {:.1f} hours "
                                   "are taken",
                                   most_samples_,
                                   (samples_.back().at - samples_.front().at) / kSecondsPerHour),
               .remedy = "what came later needs a recording of its own"};
}

void RecordedNode::take_pods(const Observation& seen) {
  const double at = std::chrono::duration<double>{now_}.count();
  for (const Pod& pod : seen.pods) {
    const std::optional<Bytes> level = held(pod);
    if (!level) {
      continue;
    }
    const auto [found, is_new] = index_.try_emplace(pod.uid, pods_.size());
    if (is_new) {
      pods_.emplace_back();
    }
    pods_[found->second] = spec_of(pod);
    samples_.push_back({at, found->second, mib(*level)});
  }
}

Result<Scenario> RecordedNode::scenario(double capacity_mib, std::uint64_t seed) const {
  if (samples_.empty()) {
    return tl::unexpected{Error{.kind = ErrorKind::kAbsent,
                                .path = {},
                                .what = "no full look of the recording shows a pod",
                                .remedy = "record on a node with a kubelet, as root"}};
  }
  constexpr double kLeastCapacity = 1024;
  const double recorded = mib(last_.meminfo->mem_total);
  const MemoryAccount memory = account(last_);
  Scenario scenario;
  scenario.name = "recording";
  scenario.seed = seed;
  NodeSpec& node = scenario.node;
  node = node_of(std::max(capacity_mib > 0 ? capacity_mib : recorded, kLeastCapacity));
  if (capacity_mib <= 0 && last_.zoneinfo && memory.reserve) {
    const Bytes page = last_.zoneinfo->page_size(last_.meminfo->mem_total);
    node.low_watermarks = mib(scale(page, last_.zoneinfo->low_watermark_pages(), 1));
    node.reserve = mib(*memory.reserve);
  }
  node.hugepages = mib(memory.hugepages);
  node.kernel = std::max(middle(kernel_) - node.hugepages - kPageTables * middle(anonymous_), 0.0);
  node.system = middle(outside_);
  node.cache = middle(cache_);
  node.hot_cache = node.cache > 0 ? middle(active_) / node.cache : 0;
  node.reserved = mib(memory.reserved);
  node.kubepods_max = node.capacity - node.reserved;

  std::vector<PodSample> samples = samples_;
  join_times(samples);
  scenario.seconds = std::max(samples.back().at, 60.0);
  scenario.pods = pods_;
  follow(scenario.pods, samples);
  return scenario;
}

}  // namespace eviction::agent::simulate
