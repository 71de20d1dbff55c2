// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kubelet_process.h"
#include "agent/pod_list.h"
#include "cgroup/directory.h"
#include "cgroup/kubepods.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What the API server says of this node.
struct ApiView {
  PodList pods;
  /// Asked for only where the node itself does not show it. Absent: so, or the Node does not say.
  std::optional<config::KubeletVersion> kubelet_version;
};

/// Asks as the kubelet. Blocks for 10 s at most. Errors: those of read_own_pods().
[[nodiscard]] Result<ApiView> ask_api_server(const cgroup::Directory& root, const Kubelet& kubelet);

/// How an observation comes by the API server's view, for this kubelet and these pods' cgroups.
/// Absent: there is none yet.
using AskApi = std::function<std::optional<Result<ApiView>>(
    const Kubelet& kubelet, const std::vector<cgroup::PodCgroup>& pods)>;

/// A view, or why there is none, as the text that one process hands to another.
[[nodiscard]] std::string render_api_view(const Result<ApiView>& view);
/// Errors: the one that the text tells of; kMalformed for any other text.
[[nodiscard]] Result<ApiView> parse_api_view(std::string_view text);

}  // namespace eviction::agent
