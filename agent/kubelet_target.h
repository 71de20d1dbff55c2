// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/k3s.h"
#include "agent/kubelet_process.h"
#include "cgroup/directory.h"
#include "config/agent_config.h"

namespace eviction::agent {

/// Decides how a value reaches a kubelet of which flags, supervisor and version are known.
/// root: of the host; args_folder: where k3s or RKE2 reads its config.yaml.d files; k3s: of an
/// embedded kubelet.
void choose_target(Kubelet& kubelet,
                   const cgroup::Directory& root,
                   config::TargetChoice choice,
                   const std::string& args_folder,
                   const K3sKubelet& k3s);

}  // namespace eviction::agent
