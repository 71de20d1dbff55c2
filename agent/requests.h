// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/workload.h"
#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Memory requests by pod UID. Entries of pods that are gone stay in the kubelet's checkpoints for
/// long: look up live pods only, never add the entries up.
using RequestMap = std::map<std::string, Bytes>;

/// Reads one checkpoint of the kubelet in any of its forms: pod_status_manager_state (1.27
/// to 1.32), allocated_pods_state and actuated_pods_state (from 1.33). A request is the sum over
/// containers and sidecars. Errors: kMalformed. Source: kubelet v1.36
/// pkg/kubelet/allocation/state/checkpoint.go, v1.32 pkg/kubelet/status/state.
[[nodiscard]] Result<RequestMap> parse_checkpoint(std::string_view text, const std::string& path);

/// All checkpoints below the kubelet's root directory; of a pod that is in several the larger
/// value, because a resize in progress counts as both. The checkpoint of 1.27 to 1.32 counts only
/// where the others are not: an upgrade leaves it behind. Errors: kAbsent when the kubelet keeps
/// none, else those of the files; then no request is known from here.
[[nodiscard]] Result<RequestMap> read_checkpoints(const cgroup::Directory& root,
                                                  const std::string& kubelet_root_dir,
                                                  cgroup::Buffer& buffer);

/// A container's memory request as its oom_score_adj bounds it, on a node of this capacity.
/// Absent: the value does not depend on the request (static, critical and Guaranteed pods).
/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust().
struct RequestBounds {
  Bytes low;
  Bytes high;
};

[[nodiscard]] std::optional<RequestBounds> request_bounds(int oom_score_adj, Bytes capacity);

/// A pod's request from its place in the tree, its limit (memory.max) and the oom_score_adj of its
/// running containers (without the sandbox's): one that does not run now is missing from the upper
/// end. Absent when nothing bounds it.
[[nodiscard]] std::optional<MemoryRequest> estimate_request(cgroup::QosClass qos,
                                                            std::optional<Bytes> limit,
                                                            const std::vector<int>& oom_score_adj,
                                                            Bytes capacity);

/// The request of a pod by the node's own files. A checkpoint counts, unless the processes or the
/// limit show that more is asked for: by an init container, a RuntimeClass's overhead or the pod's
/// own resources, which are in no checkpoint. Either is absent where it is not known.
[[nodiscard]] std::optional<MemoryRequest> local_request(
    std::optional<Bytes> checkpoint, const std::optional<MemoryRequest>& estimate);

}  // namespace eviction::agent
