// SPDX-License-Identifier: Apache-2.0
#include "tests/support/named_nodes.h"

#include <stdexcept>
#include <utility>

#include "tests/support/kubelets.h"

namespace eviction::tests {
namespace {

constexpr const char* kSle15Kernel = "5.14.21-150500.55.19-default";

Bytes percent(Bytes amount, int share) {
  return scale(amount, share, 100);
}

std::string numbered(const std::string& name, int number) {
  return name + "-" + std::to_string(number);
}

/// A machine without pods: the kernel and the host take what they take on a node of this size.
ConstructedNode machine(Bytes ram, int numa_nodes = 1) {
  ConstructedNode node;
  node.mem_total = mem_total_of(ram);
  node.numa_nodes = numa_nodes;
  node.kernel = {.slab_reclaimable = 100_MiB + scale(ram, 1, 200),
                 .slab_unreclaimable = 120_MiB + scale(ram, 1, 300),
                 .page_tables = 16_MiB,
                 .kernel_stack = 16_MiB,
                 .percpu = 8_MiB + scale(ram, 1, 2000),
                 .other = 40_MiB + scale(ram, 1, 1000)};
  node.outside_pods = {.anon = 500_MiB + scale(ram, 1, 100),
                       .shmem = 20_MiB,
                       .inactive_file = 200_MiB + scale(ram, 1, 50),
                       .active_file = 150_MiB + scale(ram, 1, 100),
                       .kernel = 64_MiB};
  return node;
}

/// The control plane's static pods.
void add_static_pods(ConstructedNode& node) {
  const auto add = [&node](const std::string& name, Bytes request, Bytes anon) {
    ConstructedPod pod = container_pod(name + "-node-1", request, anon);
    pod.name_space = "kube-system";
    pod.kind = PodKind::kStatic;
    pod.node_critical = true;
    pod.containers.front().name = name;
    pod.containers.front().use.active_file = 20_MiB;
    node.pods.push_back(std::move(pod));
  };
  add("etcd", 512_MiB, 180_MiB);
  add("kube-apiserver", 1024_MiB, 900_MiB);
  add("kube-controller-manager", 256_MiB, 110_MiB);
  add("kube-scheduler", 128_MiB, 50_MiB);
  add("kube-proxy", 128_MiB, 40_MiB);
}

/// Container pods around these sizes: of every ten one Guaranteed, one BestEffort, two of two
/// containers.
void add_containers(ConstructedNode& node, int count, Bytes request, Bytes anon) {
  for (int i = 0; i < count; ++i) {
    ConstructedPod pod =
        container_pod(numbered("app", i), request, percent(anon, 60 + 20 * (i % 5)));
    ConstructedContainer& main = pod.containers.front();
    main.use.inactive_file = percent(anon, 10);
    main.use.active_file = percent(anon, 5);
    if (i % 10 == 4) {
      pod.qos = Qos::kGuaranteed;
      main.request = request + request;
      main.limit = main.request;
    } else if (i % 10 == 7) {
      pod.qos = Qos::kBestEffort;
      main.request = Bytes{};
    } else if (i % 5 == 1) {
      main.limit = request + request + request;
      pod.containers.push_back({.name = "sidecar",
                                .request = 32_MiB,
                                .limit = 128_MiB,
                                .use = {.anon = 20_MiB, .kernel = 1_MiB}});
    }
    node.pods.push_back(std::move(pod));
  }
}

/// VMs at Harvester's default overcommit of 150 %, each with this share of its memory touched.
void add_virtual_machines(ConstructedNode& node, int count, Bytes guest, int touched_percent) {
  for (int i = 0; i < count; ++i) {
    node.pods.push_back(
        virtual_machine_pod(numbered("vm", i), guest, 150, percent(guest, touched_percent)));
  }
}

/// Longhorn's instance manager (it requests CPU only) and a disk that was attached to a running VM.
void add_storage(ConstructedNode& node) {
  ConstructedPod manager = container_pod("instance-manager-0", Bytes{}, 1_GiB);
  manager.name_space = "longhorn-system";
  manager.containers.front().name = "instance-manager";
  manager.containers.front().argv = {"longhorn-instance-manager", "daemon"};
  node.pods.push_back(std::move(manager));
  ConstructedPod disk = container_pod("hp-volume-x7k2p", 80_MiB, 2_MiB);
  disk.name_space = "prod";
  disk.kind = PodKind::kHotplugDisk;
  disk.containers.front().name = "hotplug-disk";
  disk.containers.front().limit = 80_MiB;
  node.pods.push_back(std::move(disk));
}

ConstructedNode container_16g() {
  ConstructedNode node = machine(16_GiB);
  add_rke2(node, {.minor = 33, .version = "v1.33.5-rke2r1"});
  node.stale_checkpoint_entries = 3;
  add_static_pods(node);
  add_containers(node, 40, 192_MiB, 160_MiB);
  return node;
}

ConstructedNode mixed_128g() {
  ConstructedNode node = machine(128_GiB, 2);
  add_rke2(node, {.minor = 34, .version = "v1.34.2-rke2r1"});
  add_static_pods(node);
  add_virtual_machines(node, 12, 6_GiB, 85);
  add_containers(node, 60, 320_MiB, 256_MiB);
  add_storage(node);
  return node;
}

ConstructedNode vm_1t() {
  ConstructedNode node = machine(1024_GiB, 4);
  add_rke2(node, {.minor = 35, .version = "v1.35.2-rke2r1", .role = "agent"});
  add_virtual_machines(node, 60, 22_GiB, 60);
  add_containers(node, 20, 320_MiB, 256_MiB);
  add_storage(node);
  return node;
}

ConstructedNode vm_2t() {
  ConstructedNode node = machine(2048_GiB, 4);
  add_rke2(node, {.minor = 36, .version = "v1.36.3-rke2r1", .role = "agent"});
  add_virtual_machines(node, 100, 27_GiB, 60);
  add_containers(node, 20, 320_MiB, 256_MiB);
  add_storage(node);
  return node;
}

ConstructedNode full_64g() {
  ConstructedNode node = machine(64_GiB);
  add_rke2(node, {.minor = 33, .version = "v1.33.5-rke2r1"});
  add_static_pods(node);
  add_virtual_machines(node, 8, 8_GiB, 45);
  const Bytes left = node.mem_total - requests_of(node);
  node.pods.push_back(container_pod("the-rest", left, percent(left, 30)));
  return node;
}

ConstructedNode hugepages_256g() {
  ConstructedNode node = machine(256_GiB, 2);
  add_rke2(node, {.minor = 34, .version = "v1.34.2-rke2r1", .role = "agent"});
  node.hugepages = {
      {.page_size = 2_MiB, .total = 32'768, .free = 4'096, .reserved = 0},
      {.page_size = 1_GiB, .total = 0, .free = 0, .reserved = 0},
  };
  for (int i = 0; i < 7; ++i) {  // the guest's memory is in the pool: 7 x 8 GiB of it are taken
    ConstructedPod pod = virtual_machine_pod(numbered("huge", i), 8_GiB, 100, Bytes{});
    ConstructedContainer& compute = pod.containers.front();
    compute.request = launcher_overhead(8_GiB);
    compute.limit = compute.request;
    node.pods.push_back(std::move(pod));
  }
  add_virtual_machines(node, 18, 8_GiB, 70);
  add_storage(node);
  return node;
}

ConstructedNode v1_32g() {
  ConstructedNode node = machine(32_GiB);
  node.kernel_release = kSle15Kernel;
  node.layout = CgroupLayout::kV1;
  node.psi = false;
  add_kubelet_service(
      node, {"--config=/var/lib/kubelet/config.yaml", "--kubeconfig=/etc/kubernetes/kubelet.conf"});
  node.files["var/lib/kubelet/config.yaml"] =
      kubelet_configuration("cgroupDriver: systemd\nfailSwapOn: false\n");
  add_static_pods(node);
  add_containers(node, 50, 320_MiB, 256_MiB);
  return node;
}

ConstructedNode hybrid_32g() {
  ConstructedNode node = machine(32_GiB);
  node.kernel_release = kSle15Kernel;
  node.layout = CgroupLayout::kHybrid;
  node.psi = false;
  add_rke2(node, {.minor = 28, .version = "v1.28.15-rke2r1"});
  add_static_pods(node);
  add_containers(node, 50, 320_MiB, 256_MiB);
  return node;
}

ConstructedNode nopsi_128g() {
  ConstructedNode node = mixed_128g();
  node.psi = false;
  node.vmstat = {{"allocstall_normal", 214},
                 {"pgscan_direct", 90'112},
                 {"pgscan_kswapd", 1'204'551},
                 {"workingset_refault_file", 330'021}};
  return node;
}

ConstructedNode cgroupfs_16g() {
  ConstructedNode node = machine(16_GiB);
  node.kernel_release = "6.8.0-45-generic";
  node.names = CgroupNames::kCgroupfs;
  add_kubelet_service(node,
                      {"--config=/var/lib/kubelet/config.yaml",
                       "--config-dir=/etc/kubernetes/kubelet.conf.d",
                       "--kubeconfig=/etc/kubernetes/kubelet.conf"});
  node.checkpoint = CheckpointStyle::kAllocatedPods;
  node.files["var/lib/kubelet/config.yaml"] =
      kubelet_configuration("cgroupDriver: cgroupfs\nevictionHard:\n  memory.available: 100Mi\n");
  node.files["etc/kubernetes/kubelet.conf.d/10-site.conf"] =
      kubelet_configuration("maxPods: 120\n");
  add_static_pods(node);
  add_containers(node, 30, 192_MiB, 160_MiB);
  return node;
}

ConstructedNode rke2_flags_64g() {
  ConstructedNode node = machine(64_GiB);
  add_rke2(node, {.minor = 31, .version = "v1.31.7-rke2r1", .role = "agent"});
  add_virtual_machines(node, 6, 6_GiB, 70);
  add_containers(node, 30, 320_MiB, 256_MiB);
  return node;
}

ConstructedNode rke2_shadowed_64g() {
  ConstructedNode node = machine(64_GiB);
  add_rke2(node,
           {.minor = 33,
            .version = "v1.33.5-rke2r1",
            .kubelet_flags = {"--eviction-hard=memory.available<500Mi,nodefs.available<5%"}});
  add_static_pods(node);
  add_virtual_machines(node, 4, 6_GiB, 70);
  add_containers(node, 30, 320_MiB, 256_MiB);
  return node;
}

ConstructedNode k3s_32g() {
  ConstructedNode node = machine(32_GiB);
  add_k3s(node);
  add_containers(node, 45, 256_MiB, 256_MiB);
  return node;
}

ConstructedNode static_memory_manager_128g() {
  ConstructedNode node = machine(128_GiB, 2);
  add_rke2(node,
           {.minor = 33,
            .version = "v1.33.5-rke2r1",
            .kubelet_flags = {"--cpu-manager-policy=static",
                              "--kube-reserved=cpu=1,memory=1Gi",
                              "--memory-manager-policy=Static",
                              "--reserved-memory=0:memory=1Gi;1:memory=1Gi",
                              "--system-reserved=memory=1Gi"}});
  node.reserved = 2_GiB;
  node.files["var/lib/kubelet/memory_manager_state"] =
      R"({"policyName":"Static","machineState":{},"entries":{},"checksum":2138465432})"
      "\n";
  add_static_pods(node);
  add_virtual_machines(node, 10, 8_GiB, 60);
  return node;
}

ConstructedNode swap_64g() {
  ConstructedNode node = machine(64_GiB);
  add_rke2(node, {.minor = 34, .version = "v1.34.2-rke2r1"});
  node.swap = {.total = 16_GiB, .used = 6_GiB, .zswap = 512_MiB, .zswapped = 1536_MiB};
  node.vmstat = {{"pswpin", 420'000}, {"pswpout", 1'900'000}, {"workingset_refault_anon", 380'000}};
  node.some_avg10 = 3.5;
  node.full_avg10 = 1.25;
  add_static_pods(node);
  add_virtual_machines(node, 5, 8_GiB, 75);
  add_containers(node, 30, 320_MiB, 256_MiB);
  return node;
}

ConstructedNode nested_8g() {
  ConstructedNode node = machine(8_GiB);
  node.kernel_release = "6.1.0-25-amd64";
  node.cgroup_root = "docker/" + std::string(64, 'd');
  node.names = CgroupNames::kCgroupfs;
  node.kubepods_limited = false;
  add_k3s(node);
  node.runtime_cgroup = node.cgroup_root + "/k3s";
  for (ConstructedProcess& process : node.processes) {
    if (process.pid >= kSupervisorPid) {
      process.cgroup = node.runtime_cgroup;
    }
  }
  add_containers(node, 12, 128_MiB, 128_MiB);
  return node;
}

ConstructedNode nokubelet_8g() {
  ConstructedNode node = machine(8_GiB);
  node.kubepods = false;
  add_host_daemons(node);
  return node;
}

}  // namespace

const std::vector<NamedNode>& named_nodes() {
  static const std::vector<NamedNode> nodes{
      {"cgroupfs-16g",
       "cgroupfs names, kubelet.service with --config and --config-dir",
       cgroupfs_16g},
      {"container-16g",
       "RKE2 1.33, 40 container pods, three stale checkpoint entries",
       container_16g},
      {"full-64g", "requests equal to the capacity", full_64g},
      {"hugepages-256g", "64 GiB of 2 MiB pages, VMs in and outside them", hugepages_256g},
      {"hybrid-32g", "cgroup v1 with v2 below unified, RKE2 1.28", hybrid_32g},
      {"k3s-32g", "k3s: no process of the kubelet's own", k3s_32g},
      {"mixed-128g", "12 VMs, 60 container pods, Longhorn, two NUMA nodes", mixed_128g},
      {"nested-8g", "k3s in a container: kubepods below docker/ID", nested_8g},
      {"nokubelet-8g", "no kubelet was ever started", nokubelet_8g},
      {"nopsi-128g", "mixed-128g on a kernel without PSI, with reclaim counters", nopsi_128g},
      {"rke2-1.31-flags-64g", "RKE2 1.31: the thresholds are flags", rke2_flags_64g},
      {"rke2-shadowed-64g",
       "RKE2 1.33 whose drop-ins an --eviction-hard flag hides",
       rke2_shadowed_64g},
      {"static-memory-manager-128g", "memory manager policy Static", static_memory_manager_128g},
      {"swap-64g", "swap in use, zswap on, under some pressure", swap_64g},
      {"v1-32g", "cgroup v1, kubelet 1.27 with --config", v1_32g},
      {"vm-1t", "60 VMs at 150 % overcommit, four NUMA nodes", vm_1t},
      {"vm-2t", "100 VMs at 150 % overcommit, four NUMA nodes", vm_2t},
  };
  return nodes;
}

ConstructedNode named_node(std::string_view name) {
  for (const NamedNode& node : named_nodes()) {
    if (node.name == name) {
      return node.make();
    }
  }
  throw std::out_of_range{"no node is named " + std::string{name}};
}

ConstructedNode node_with_pods(int count) {
  ConstructedNode node = machine(scale(1_GiB, 32 + count / 2, 1));
  add_rke2(node, {.minor = 34, .version = "v1.34.2-rke2r1"});
  for (int i = 0; i < count; ++i) {
    node.pods.push_back(container_pod(numbered("app", i), 128_MiB, 96_MiB));
  }
  return node;
}

}  // namespace eviction::tests
