// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/kubelet_process.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Sends SIGTERM to the kubelet that was observed, if it is a child of rke2, which starts it again
/// within 5 s. The signal goes through a pidfd whose process is looked at after it was opened: no
/// other process is ever hit, not even one that was given the kubelet's number meanwhile. proc may
/// be a mount of the host's /proc, but the agent has to be in the PID namespace that it shows.
/// Returns when the signal is sent; the kubelet may take a while to end.
/// Errors: kVanished when that kubelet is gone or ending; kDenied when the agent may not signal it
/// or does not share the host's PID namespace; kUnsupported when nothing is known to start it again
/// (any target but rke2-dropin, any parent but rke2, a kubelet inside k3s, another program) or on
/// Linux before 5.3; those of reading proc. In all of them nothing was signalled.
/// Source: rke2 v1.32 pkg/podexecutor/staticpod.go Kubelet(): runs it again, every 5 s.
[[nodiscard]] Result<void> terminate_kubelet(const cgroup::Directory& proc, const Kubelet& kubelet);

}  // namespace eviction::agent
