// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "agent/metrics.h"
#include "agent/metrics/parts.h"

namespace eviction::agent::metrics {

namespace {

constexpr std::size_t kMostVictims = 3;
constexpr std::size_t kLongestName = 253;

bool is_vm(const Pod& pod) {
  return pod.workload == WorkloadClass::kVm;
}

/// VMs first, then by working set, the larger first.
bool comes_before(const Pod* left, const Pod* right) {
  if (is_vm(*left) != is_vm(*right)) {
    return is_vm(*left);
  }
  return left->working_set != right->working_set ? left->working_set > right->working_set
                                                 : left->uid < right->uid;
}

/// At most this much text for all samples of one pod. A character of a label may need two.
std::size_t most_bytes(const Pod& pod) {
  constexpr std::size_t kSamples = 3;
  constexpr std::size_t kFixed = 160;  // name of the metric, names of the labels, class and number
  const auto escaped = [](const std::string& text) {
    const std::size_t size = std::min(text.size(), kLongestName);
    const auto special = std::ranges::count_if(text, [](char c) { return c == '"' || c == '\\'; });
    return size + static_cast<std::size_t>(special);
  };
  return kSamples * (kFixed + escaped(pod.uid) + escaped(pod.name_space) + escaped(pod.name));
}

/// By UID, so that the order does not follow the working sets.
std::vector<const Pod*> chosen(const std::vector<Pod>& pods, int top_pods) {
  std::vector<const Pod*> ranked;
  ranked.reserve(pods.size());
  for (const Pod& pod : pods) {
    ranked.push_back(&pod);
  }
  std::ranges::sort(ranked, comes_before);
  const auto vms = static_cast<std::size_t>(
      std::ranges::count_if(ranked, [](const Pod* pod) { return is_vm(*pod); }));
  ranked.resize(std::min(ranked.size(), vms + static_cast<std::size_t>(top_pods)));
  std::size_t used = 0;
  const auto too_many = std::ranges::find_if(ranked, [&used](const Pod* pod) {
    used += most_bytes(*pod);
    return used > kPodSamplesLimit;
  });
  ranked.erase(too_many, ranked.end());
  std::ranges::sort(ranked, {}, &Pod::uid);
  return ranked;
}

void add_victims(Families& families, const std::vector<Pod>& victims) {
  families.gauge("next_victim_working_set_bytes",
                 "Working set of the pods that the kubelet would evict next for memory, the first "
                 "with rank 1.");
  for (std::size_t i = 0; i < std::min(victims.size(), kMostVictims); ++i) {
    const Pod& pod = victims[i];
    families.add(pod.working_set,
                 {{"rank", std::to_string(i + 1)},
                  {"uid", pod.uid},
                  {"namespace", pod.name_space},
                  {"name", pod.name},
                  {"class", to_text(pod.workload)}});
  }
}

}  // namespace

void add_pods(Families& families, const Plan& plan, int top_pods) {
  if (!plan.observation.pods_known) {
    return;
  }
  const std::vector<const Pod*> pods = chosen(plan.observation.pods, top_pods);
  const auto add_each = [&families, &pods](const auto& value_of) {
    for (const Pod* pod : pods) {
      families.add(value_of(*pod),
                   {{"uid", pod->uid},
                    {"namespace", pod->name_space},
                    {"name", pod->name},
                    {"class", to_text(pod->workload)}});
    }
  };
  families.gauge("pod_working_set_bytes", "Working set of a VM's pod, or of one of the largest.");
  add_each([](const Pod& pod) { return pod.working_set; });
  families.gauge("pod_limit_headroom_bytes", "What the pod may still take until its limit.");
  add_each(limit_headroom);
  families.counter("pod_memory_pressure_seconds_total",
                   "Time in which some task of a VM's pod stalled on memory.");
  add_each([](const Pod& pod) {
    using Seconds = std::chrono::duration<double>;
    return pod.pressure ? std::optional{Seconds{pod.pressure->some.total}.count()} : std::nullopt;
  });
  families.gauge("pods_without_samples", "Pods that are left out of the samples of single pods.");
  families.add(std::uint64_t{plan.observation.pods.size() - pods.size()});
  if (plan.next_victims) {
    add_victims(families, *plan.next_victims);
  }
}

}  // namespace eviction::agent::metrics
