// SPDX-License-Identifier: Apache-2.0
#include "agent/workload.h"

#include <algorithm>

namespace eviction::agent {

std::string_view to_text(WorkloadClass workload) {
  switch (workload) {
    case WorkloadClass::kVm:
      return "vm";
    case WorkloadClass::kVmAuxiliary:
      return "vm-auxiliary";
    case WorkloadClass::kSystem:
      return "system";
    case WorkloadClass::kContainer:
      return "container";
  }
  return "container";
}

std::string_view to_text(RequestSource source) {
  switch (source) {
    case RequestSource::kApi:
      return "api";
    case RequestSource::kKubelet:
      return "kubelet";
    case RequestSource::kCheckpoint:
      return "checkpoint";
    case RequestSource::kEstimate:
      return "estimate";
  }
  return "estimate";
}

std::optional<Bytes> limit_headroom(const Pod& pod) {
  const std::optional<Bytes> held = pod.unreclaimable ? pod.unreclaimable : pod.usage;
  return pod.limit && held ? std::optional{std::max(*pod.limit - *held, Bytes{})} : std::nullopt;
}

void add(WorkloadSum& sum, const Pod& pod) {
  ++sum.pods;
  sum.working_set += pod.working_set.value_or(Bytes{});
  if (sum.request && pod.request) {
    *sum.request += pod.request->high;
  } else {
    sum.request.reset();
  }
  if (sum.unreclaimable && pod.unreclaimable) {
    *sum.unreclaimable += *pod.unreclaimable;
  } else {
    sum.unreclaimable.reset();
  }
  if (const std::optional<Bytes> left = limit_headroom(pod); sum.headroom && left) {
    *sum.headroom += *left;
  } else {
    sum.headroom.reset();
  }
}

}  // namespace eviction::agent
