// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "agent/kubelet_process.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Asks the container runtime that the kubelet uses for its version. A kubelet that starts while
/// the runtime does not answer may fail running pods (kubernetes/kubernetes#118559), so this comes
/// before any restart. The socket is looked up below root. Blocks for twice the timeout at most.
/// Errors: kUnsupported (an endpoint that is no Unix socket), kAbsent and others of looking for the
/// socket, kIo (nobody listens, no answer in time, an answer that is not gRPC's or not OK:
/// containerd answers "not initialized" while it starts). Source: kubelet v1.36
/// pkg/kubelet/util/util_unix.go parseEndpoint(); cri-api v1.36 pkg/apis/runtime/v1/api.proto
/// RuntimeService.Version; k3s v1.36 pkg/agent/config (the socket); grpc doc/PROTOCOL-HTTP2.md.
[[nodiscard]] Result<void> container_runtime_answers(const Kubelet& kubelet,
                                                     const cgroup::Directory& root,
                                                     std::chrono::milliseconds timeout);

}  // namespace eviction::agent
