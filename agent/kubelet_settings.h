// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/k3s.h"
#include "agent/kubelet_process.h"
#include "cgroup/directory.h"

namespace eviction::agent {

/// Loads the settings of a kubelet whose flags and target are known, as they are, without the
/// target's file, and with one that sets all it can, to find what overrides it. start: of k3s or
/// RKE2, where the target is one of arguments.
void load_settings(Kubelet& kubelet,
                   const K3sStart& start,
                   const cgroup::Directory& proc,
                   const cgroup::Directory& root,
                   cgroup::Buffer& buffer);

}  // namespace eviction::agent
