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
  if (sum.headroom && pod.limit && pod.usage) {
    *sum.headroom += std::max(*pod.limit - pod.unreclaimable.value_or(*pod.usage), Bytes{});
  } else {
    sum.headroom.reset();
  }
}

}  // namespace eviction::agent
