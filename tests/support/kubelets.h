// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/support/constructed_node.h"

namespace eviction::tests {

/// Process IDs that the functions below use.
inline constexpr int kSupervisorPid = 900;  ///< rke2 or k3s
inline constexpr int kKubeletPid = 950;

/// Where RKE2 and k3s 1.32 and later keep the kubelet's drop-ins, without the leading '/'.
inline constexpr const char* kRke2DropIns = "var/lib/rancher/rke2/agent/etc/kubelet.conf.d/";
inline constexpr const char* kK3sDropIns = "var/lib/rancher/k3s/agent/etc/kubelet.conf.d/";

/// The `key: value` lines as a KubeletConfiguration document.
[[nodiscard]] std::string kubelet_configuration(const std::string& lines);

struct Rke2 {
  int minor = 32;  ///< up to 31 the defaults are flags, from 32 on a drop-in
  std::string version = "v1.32.3-rke2r1";       ///< as in the directory of its binaries
  std::string role = "server";                  ///< or "agent"
  std::vector<std::string> kubelet_flags = {};  ///< after RKE2's own
};

/// The rke2 process, the kubelet below it, containerd, and the files RKE2 writes.
void add_rke2(ConstructedNode& node, const Rke2& rke2);

/// k3s 1.32 or later: the kubelet is a part of the k3s process and has no argv.
void add_k3s(ConstructedNode& node);

/// A kubelet.service of systemd, as kubeadm or a distribution sets it up.
void add_kubelet_service(ConstructedNode& node, std::vector<std::string> flags);

/// containerd and a few daemons that run on every node. Part of the functions above.
void add_host_daemons(ConstructedNode& node);

}  // namespace eviction::tests
