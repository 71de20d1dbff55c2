// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/victims.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

/// Source: kubelet v1.36 pkg/apis/scheduling/types.go SystemCriticalPriority.
constexpr int kSystemCriticalPriority = 2'000'000'000;

bool never_evicted(const Pod& pod) {
  return pod.workload == WorkloadClass::kSystem ||
         pod.priority.value_or(0) >= kSystemCriticalPriority;
}

bool comparable(const Pod& pod) {
  return pod.priority && pod.working_set && pod.request && pod.request->low == pod.request->high;
}

Bytes excess(const Pod& pod) {
  return *pod.working_set - pod.request->high;
}

/// Sorts first what is evicted first.
auto rank(const Pod& pod) {
  return std::tuple{
      excess(pod) <= Bytes{}, *pod.priority, Bytes{} - excess(pod), std::string_view{pod.uid}};
}

}  // namespace

Result<std::vector<Pod>> rank_victims(const std::vector<Pod>& pods) {
  std::vector<Pod> candidates;
  std::copy_if(pods.begin(), pods.end(), std::back_inserter(candidates), [](const Pod& pod) {
    return !never_evicted(pod);
  });
  const auto unknown = std::count_if(
      candidates.begin(), candidates.end(), [](const Pod& pod) { return !comparable(pod); });
  if (unknown > 0 && candidates.size() > 1) {
    const bool no_priority = std::any_of(
        candidates.begin(), candidates.end(), [](const Pod& pod) { return !pod.priority; });
    return tl::unexpected(
        Error{ErrorKind::kAbsent,
              {},
              0,
              fmt::format("the kubelet ranks by {}, unknown for {} of {} pods",
                          no_priority ? "pod priority" : "use above request",
                          unknown,
                          candidates.size()),
              "priorities are told by the API server and the kubelet's own API only"});
  }
  if (candidates.size() > 1) {
    std::sort(candidates.begin(), candidates.end(), [](const Pod& left, const Pod& right) {
      return rank(left) < rank(right);
    });
  }
  return candidates;
}

}  // namespace eviction::agent
