// SPDX-License-Identifier: Apache-2.0
#include "tests/support/kubelets.h"

#include <utility>

namespace eviction::tests {
namespace {

using Argv = std::vector<std::string>;
using std::chrono::milliseconds;

constexpr const char* kDiskSignals = "imagefs.available<5%,nodefs.available<5%";
constexpr const char* kDiskReclaim = "imagefs.available=10%,nodefs.available=10%";

std::string distribution_defaults() {
  return kubelet_configuration(
      "address: 0.0.0.0\ncgroupDriver: systemd\nfailSwapOn: false\n"
      "healthzBindAddress: 127.0.0.1\nserializeImagePulls: false\n"
      "evictionHard:\n  imagefs.available: 5%\n  nodefs.available: 5%\n"
      "evictionMinimumReclaim:\n  imagefs.available: 10%\n  nodefs.available: 10%\n"
      "evictionPressureTransitionPeriod: 5m0s\nstaticPodPath: "
      "/var/lib/rancher/rke2/agent/pod-manifests\n");
}

// Source: the process list in aquasecurity/kube-bench#1843 (RKE2 1.31 and earlier) and the k3s
// pkg/daemons/agent/agent_linux.go kubeletArgsAndConfig() (1.32 and later).
Argv rke2_kubelet_argv(const Rke2& rke2) {
  Argv argv{"kubelet",
            "--volume-plugin-dir=/var/lib/kubelet/volumeplugins",
            "--file-check-frequency=5s",
            "--sync-frequency=30s",
            "--cloud-provider=external",
            "--containerd=/run/k3s/containerd/containerd.sock",
            "--hostname-override=node-1",
            "--kubeconfig=/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
            "--node-labels=",
            "--read-only-port=0"};
  if (rke2.minor >= 32) {
    argv.push_back(std::string{"--config-dir=/"} + kRke2DropIns);
    argv.back().pop_back();  // RKE2 writes the directory without the last '/'
  } else {
    const Argv flags{"--address=0.0.0.0",
                     "--anonymous-auth=false",
                     "--cgroup-driver=systemd",
                     std::string{"--eviction-hard="} + kDiskSignals,
                     std::string{"--eviction-minimum-reclaim="} + kDiskReclaim,
                     "--fail-swap-on=false",
                     "--healthz-bind-address=127.0.0.1",
                     "--pod-manifest-path=/var/lib/rancher/rke2/agent/pod-manifests"};
    argv.insert(argv.end(), flags.begin(), flags.end());
  }
  argv.insert(argv.end(), rke2.kubelet_flags.begin(), rke2.kubelet_flags.end());
  return argv;
}

}  // namespace

std::string kubelet_configuration(const std::string& lines) {
  return "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" + lines;
}

void add_host_daemons(ConstructedNode& node) {
  const auto daemon = [&node](int pid, const std::string& path, const std::string& unit) {
    node.processes.push_back({.pid = pid, .argv = {path}, .cgroup = "system.slice/" + unit});
  };
  daemon(400, "/usr/lib/systemd/systemd-journald", "systemd-journald.service");
  daemon(420, "/usr/bin/dbus-daemon", "dbus.service");
  daemon(440, "/usr/sbin/sshd", "sshd.service");
}

void add_rke2(ConstructedNode& node, const Rke2& rke2) {
  add_host_daemons(node);
  const std::string unit = "system.slice/rke2-" + rke2.role + ".service";
  const std::string bin = "/var/lib/rancher/rke2/data/" + rke2.version + "-" + "9a5ffbfe2b2a/bin/";
  node.runtime_cgroup = unit;
  // rke2 overwrites its own arguments with this title, which is one argument to a reader.
  node.processes.push_back({.pid = kSupervisorPid,
                            .argv = {"/usr/local/bin/rke2 " + rke2.role},
                            .comm = "rke2",
                            .executable = "/usr/local/bin/rke2",
                            .cgroup = unit,
                            .started = milliseconds{20'000}});
  node.processes.push_back(
      {.pid = kSupervisorPid + 10,
       .parent = kSupervisorPid,
       .argv = {"containerd", "-c", "/var/lib/rancher/rke2/agent/etc/containerd/config.toml"},
       .executable = bin + "containerd",
       .cgroup = unit,
       .oom_score_adj = -999,
       .started = milliseconds{25'000}});
  node.processes.push_back({.pid = kKubeletPid,
                            .parent = kSupervisorPid,
                            .argv = rke2_kubelet_argv(rke2),
                            .executable = bin + "kubelet",
                            .cgroup = unit,
                            .oom_score_adj = -999,
                            .started = milliseconds{40'000}});
  if (rke2.minor >= 32) {
    node.files[std::string{kRke2DropIns} + "00-rke2-defaults.conf"] = distribution_defaults();
  }
  if (rke2.minor >= 33) {
    node.checkpoint = CheckpointStyle::kAllocatedPods;
  }
  node.files["usr/local/lib/systemd/system/rke2-" + rke2.role + ".service"] =
      "[Service]\nExecStart=/usr/local/bin/rke2 " + rke2.role + "\n";
  node.files["etc/rancher/rke2/config.yaml.d/90-harvester-server.yaml"] =
      "kubelet-arg:\n- max-pods=200\n";
}

void add_k3s(ConstructedNode& node) {
  add_host_daemons(node);
  node.runtime_cgroup = "system.slice/k3s.service";
  node.processes.push_back(
      {.pid = kSupervisorPid,
       .argv = {"/usr/local/bin/k3s server"},
       .comm = "k3s-server",
       .executable = "/var/lib/rancher/k3s/data/" + std::string(64, 'c') + "/bin/k3s",
       .cgroup = node.runtime_cgroup,
       .started = milliseconds{20'000}});
  node.processes.push_back(
      {.pid = kSupervisorPid + 10,
       .parent = kSupervisorPid,
       .argv = {"containerd", "-c", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"},
       .cgroup = node.runtime_cgroup,
       .oom_score_adj = -999,
       .started = milliseconds{25'000}});
  node.files[std::string{kK3sDropIns} + "00-k3s-defaults.conf"] = distribution_defaults();
  node.checkpoint = CheckpointStyle::kAllocatedPods;
}

void add_kubelet_service(ConstructedNode& node, std::vector<std::string> flags) {
  add_host_daemons(node);
  node.processes.push_back({.pid = kSupervisorPid,
                            .argv = {"/usr/bin/containerd"},
                            .cgroup = node.runtime_cgroup,
                            .oom_score_adj = -999,
                            .started = milliseconds{15'000}});
  flags.insert(flags.begin(), "/usr/bin/kubelet");
  node.processes.push_back({.pid = kKubeletPid,
                            .argv = std::move(flags),
                            .cgroup = "system.slice/kubelet.service",
                            .oom_score_adj = -999,
                            .started = milliseconds{40'000}});
}

}  // namespace eviction::tests
