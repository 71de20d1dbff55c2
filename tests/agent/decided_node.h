// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/observation.h"
#include "agent/policy/decide.h"
#include "tests/agent/observed_node.h"

namespace eviction::tests {

inline const agent::Observation& node() {
  static const agent::Observation seen = observed("mixed-128g");
  return seen;
}

inline agent::Circumstances all_well() {
  agent::Circumstances circumstances;
  circumstances.runtime_silence = "";
  return circumstances;
}

inline agent::Plan plan_of(const agent::Observation& seen,
                           const agent::Circumstances& circumstances = all_well()) {
  return agent::make_plan(seen, {}, circumstances);
}

/// The observation with this file of ours in place.
inline agent::Observation with_file(agent::Observation seen,
                                    const config::MemoryEviction& eviction) {
  seen.kubelet->file_content = config::render_drop_in(eviction);
  return seen;
}

/// Requests that leave so much of the node.
inline agent::Observation with_room(agent::Observation seen, Bytes room) {
  Bytes others;
  for (const agent::Pod& pod : seen.pods) {
    others += pod.request->high;
  }
  const Bytes request = seen.pods.front().request->high + seen.meminfo->mem_total - room - others;
  seen.pods.front().request =
      agent::MemoryRequest{request, request, agent::RequestSource::kCheckpoint};
  return seen;
}

inline Bytes full_hard() {
  return *plan_of(node()).sizing.hard;
}

}  // namespace eviction::tests
