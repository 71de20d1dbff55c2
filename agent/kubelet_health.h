// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "agent/kubelet_process.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What the kubelet says of itself.
struct KubeletHealth {
  bool healthy = false;
  std::string reason;  ///< what it answered instead, or why there was no answer; empty when healthy
};

/// Asks the kubelet's /healthz, at healthzBindAddress and healthzPort of its effective settings, in
/// the agent's own network namespace. Only "ok" with status 200 is healthy. Blocks for the timeout
/// at most. A kubelet that just started is not healthy yet: ask again. Errors: kUnsupported when
/// the kubelet has it switched off (port 0); kMalformed when the settings are no address and port.
/// Source: kubelet v1.36 pkg/kubelet/apis/config/v1beta1/defaults.go (127.0.0.1, 10248),
/// cmd/kubelet/app/server.go run().
[[nodiscard]] Result<KubeletHealth> kubelet_health(const Kubelet& kubelet,
                                                   std::chrono::milliseconds timeout);

}  // namespace eviction::agent
