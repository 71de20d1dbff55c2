// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "agent/pod_list.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/kubeconfig.h"

namespace eviction::agent {

/// An answer longer than this is refused. Source: 250 pods, the most a kubelet is run with, at the
/// 16 KiB that a pod with much status and managed fields takes, four times over.
inline constexpr std::size_t kAnswerLimit = std::size_t{16} << 20;

/// The body of the API server's answer to GET, when that is 200 OK. Only who the kubeconfig's
/// authority vouches for, under the name that is called, gets to see the credentials; a redirect is
/// not followed and no proxy is used. Files that the kubeconfig names are looked up below root.
/// Blocks, for timeout at most, connecting and the name service included.
/// Errors: those of the files; kDenied (certificate of the server refused, ours refused, 401, 403);
/// kMalformed (PEM or token of no use); kTooLarge; kIo (not reached, no answer in time, another
/// status).
[[nodiscard]] Result<std::string> get(const config::Kubeconfig& kubeconfig,
                                      const cgroup::Directory& root,
                                      const std::string& path_and_query,
                                      std::chrono::milliseconds timeout);

/// The pods that the API server has bound to this node, asked for as the kubelet itself, with the
/// kubeconfig and the name that its flags give. No other credentials of the node are used.
/// Errors: kAbsent when the kubelet has no kubeconfig or its node's name cannot be told; kDenied
/// when the kubeconfig is not a node's; those of parse_kubeconfig(), get() and parse_pod_list().
[[nodiscard]] Result<PodList> read_own_pods(const cgroup::Directory& root,
                                            const std::vector<std::string>& kubelet_arguments,
                                            cgroup::Buffer& buffer);

/// The JSON of this node's own Node object, asked for like the pods. Errors: as read_own_pods(),
/// without those of parsing.
[[nodiscard]] Result<std::string> read_own_node(const cgroup::Directory& root,
                                                const std::vector<std::string>& kubelet_arguments,
                                                cgroup::Buffer& buffer);

}  // namespace eviction::agent
