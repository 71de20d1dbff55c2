// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/workload.h"
#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// One pod as the API server or the kubelet describes it.
struct ApiPod {
  std::string uid;  ///< as its cgroup carries it: of a static pod the kubelet's own
  std::string name_space;
  std::string name;
  std::optional<int> priority;   ///< absent: nobody set one
  bool is_static = false;        ///< from a file of the node, or the mirror of such a pod
  std::string phase;             ///< "Pending", "Running" or "Unknown"
  Bytes request;                 ///< memory in force, with overhead; zero when it asks for none
  std::optional<Resize> resize;  ///< absent: none is under way
};

/// A pod that the kubelet evicted for memory.
struct EvictedPod {
  std::string uid;
  std::string name_space;
  std::string name;
  std::optional<std::chrono::sys_seconds> at;  ///< absent: the API server does not say
  std::string message;                         ///< the kubelet's; 512 bytes at most
  Bytes request;

  bool operator==(const EvictedPod&) const = default;
};

/// Of more evicted pods than this the last ones are kept.
inline constexpr std::size_t kMostEvicted = 100;

/// The pods of a node.
struct PodList {
  std::vector<ApiPod> live;  ///< that have not ended
  /// UIDs of those whose end is no deed of the kubelet's: they succeeded, failed by themselves, or
  /// somebody deletes them. One that the kubelet evicted or did not admit is in neither list.
  std::vector<std::string> ended;
  /// By time, those without one first. They stay in the API until somebody removes them.
  /// Source: kubelet v1.36 pkg/kubelet/eviction/helpers.go nodeLowMessageFmt ("The node was low on
  /// resource: memory. ").
  std::vector<EvictedPod> evicted;
};

/// Whether the kubelet's eviction passes over the pod.
/// Source: kubelet v1.36 pkg/kubelet/types/pod_update.go IsCriticalPod().
[[nodiscard]] bool is_never_evicted(const ApiPod& pod);

/// Reads a v1 PodList in JSON, as GET /api/v1/pods of the API server and /pods of the kubelet give
/// it. What was allocated to a container or
/// is in force counts before what its spec asks for, the larger of all while a resize is under way;
/// one that the node refused (Infeasible) is not. Containers are added up as the scheduler does.
/// Errors: kMalformed, with the pod that is wrong; then no pod is given.
/// Source: kubernetes v1.36 component-helpers/resource/helpers.go PodRequests(); for ended kubelet
/// v1.36 pkg/kubelet/kubelet_pods.go generateAPIPodStatus(): only the kubelet's own verdicts have a
/// reason in the pod's status.
[[nodiscard]] Result<PodList> parse_pod_list(std::string_view text);

}  // namespace eviction::agent
