// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_layout.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "tests/support/node_memory.h"

namespace eviction::tests {
namespace {

constexpr int kFirstPodPid = 10'000;

Bytes share_of(Bytes whole, std::int64_t parts, bool first) {
  const std::int64_t pages = pages_of(whole);
  return Bytes{(pages / parts + (first ? pages % parts : 0)) * kPageSize};
}

MemoryUse share_of(const MemoryUse& whole, std::size_t parts, bool first) {
  const auto count = static_cast<std::int64_t>(parts);
  return {.anon = share_of(whole.anon, count, first),
          .shmem = share_of(whole.shmem, count, first),
          .inactive_file = share_of(whole.inactive_file, count, first),
          .active_file = share_of(whole.active_file, count, first),
          .kernel = share_of(whole.kernel, count, first)};
}

MemoryUse whole_pages(const MemoryUse& use) {
  return share_of(use, 1, true);
}

// systemd requires a nested slice to repeat its parent's name:
// kubelet.slice/kubelet-kubepods.slice.
std::string slice_prefix(const std::string& cgroup_root) {
  const std::filesystem::path last = std::filesystem::path{cgroup_root}.filename();
  return last.extension() == ".slice" ? last.stem().string() + "-" : "";
}

// Source: kubelet v1.36 pkg/kubelet/cm/cgroup_manager_linux.go ToSystemd(), ToCgroupfs().
std::string kubepods_path(const ConstructedNode& node) {
  const std::string above = node.cgroup_root.empty() ? "" : node.cgroup_root + "/";
  return node.names == CgroupNames::kSystemd
             ? above + slice_prefix(node.cgroup_root) + "kubepods.slice"
             : above + "kubepods";
}

std::string qos_path(const ConstructedNode& node, const std::string& qos) {
  return node.names == CgroupNames::kSystemd
             ? kubepods_path(node) + "/" + slice_prefix(node.cgroup_root) + "kubepods-" + qos +
                   ".slice"
             : kubepods_path(node) + "/" + qos;
}

std::string pod_path(const ConstructedNode& node, const ConstructedPod& pod) {
  const std::string qos = pod.qos == Qos::kBurstable ? "burstable" : "besteffort";
  const bool direct = pod.qos == Qos::kGuaranteed;
  const std::string parent = direct ? kubepods_path(node) : qos_path(node, qos);
  std::string uid = uid_of(pod);
  if (node.names == CgroupNames::kCgroupfs) {
    return parent + "/pod" + uid;
  }
  std::replace(uid.begin(), uid.end(), '-', '_');
  return parent + "/" + slice_prefix(node.cgroup_root) + "kubepods-" + (direct ? "" : qos + "-") +
         "pod" + uid + ".slice";
}

std::string scope_name(const ConstructedNode& node, const std::string& id) {
  return node.names == CgroupNames::kSystemd ? "cri-containerd-" + id + ".scope" : id;
}

// Source: kubelet v1.36 pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust().
int oom_score_adj(const ConstructedNode& node, const ConstructedPod& pod, Bytes request) {
  if (pod.node_critical || pod.qos == Qos::kGuaranteed) {
    return -997;
  }
  if (pod.qos == Qos::kBestEffort) {
    return 1000;
  }
  const std::int64_t score = 1000 - 1000 * request.value() / node.mem_total.value();
  return static_cast<int>(std::clamp<std::int64_t>(score, 3, 999));
}

// The kubelet limits a pod only when each of its containers is limited.
// Source: kubelet v1.36 pkg/kubelet/cm/helpers_linux.go ResourceConfigForPod().
std::optional<Bytes> pod_limit(const ConstructedPod& pod) {
  Bytes sum;
  for (const ConstructedContainer& container : pod.containers) {
    if (!container.limit) {
      return std::nullopt;
    }
    sum += *container.limit;
  }
  return sum;
}

using Argv = std::vector<std::string>;

Argv launcher_argv(const ConstructedPod& pod, const std::string& program) {
  const std::string uid = pod.vm_uid.empty() ? uid_of({.name = pod.vm_name}) : pod.vm_uid;
  return {program,
          "--qemu-timeout",
          "300s",
          "--name",
          pod.vm_name,
          "--uid",
          uid,
          "--namespace",
          pod.name_space,
          "--kubevirt-share-dir",
          "/var/run/kubevirt",
          "--keep-after-failure",
          "false"};
}

// The processes of the container. The first is the shim's child, the second the first's, all others
// the second's: qemu and the daemons are children of virt-launcher.
std::vector<Argv> argvs_of(const ConstructedPod& pod, const ConstructedContainer& container) {
  if (!container.argv.empty()) {
    return {container.argv};
  }
  if (pod.kind == PodKind::kVirtualMachine && container.name == "compute") {
    return {launcher_argv(pod, "/usr/bin/virt-launcher-monitor"),
            launcher_argv(pod, "/usr/bin/virt-launcher"),
            {"/usr/sbin/virtqemud", "-f", "/var/run/libvirt/virtqemud.conf"},
            {"/usr/sbin/virtlogd", "-f", "/etc/libvirt/virtlogd.conf"},
            {"/usr/bin/qemu-system-x86_64",
             "-name",
             "guest=" + pod.name_space + "_" + pod.vm_name + ",debug-threads=on",
             "-machine",
             "pc-q35-8.2,accel=kvm"}};
  }
  if (pod.kind == PodKind::kHotplugDisk) {
    return {{"/usr/bin/container-disk", "--copy-path", "/path/hp"}};
  }
  return {{"/usr/bin/" + container.name}};
}

/// Gives the pods their processes and cgroups.
class PodLayout {
 public:
  PodLayout(const ConstructedNode& node, NodeLayout& layout) : node_{node}, layout_{layout} {}

  void add(const ConstructedPod& pod) {
    const std::string path = pod_path(node_, pod);
    layout_.root.at(path).max = pod_limit(pod);
    const std::string sandbox = hex_digits(uid_of(pod) + "/sandbox", 64);
    started_ = pod.started;
    const int shim = process(1,
                             {"/usr/bin/containerd-shim-runc-v2",
                              "-namespace",
                              "k8s.io",
                              "-id",
                              sandbox,
                              "-address",
                              "/run/k3s/containerd/containerd.sock"},
                             node_.runtime_cgroup,
                             -998);
    process(shim, {"/pause"}, path + "/" + scope_name(node_, sandbox), -998);
    for (const ConstructedContainer& container : pod.containers) {
      add_container(pod, container, path, shim);
    }
  }

 private:
  void add_container(const ConstructedPod& pod,
                     const ConstructedContainer& container,
                     const std::string& pod_path,
                     int shim) {
    const std::string id = hex_digits(uid_of(pod) + "/" + container.name, 64);
    const std::string path = pod_path + "/" + scope_name(node_, id);
    Group& group = layout_.root.at(path);
    group.own = whole_pages(container.use);
    group.max = container.limit;
    group.own_oom_kills = container.limit_oom_kills;
    const int score = oom_score_adj(node_, pod, container.request);
    const std::vector<Argv> argvs = argvs_of(pod, container);
    const int first = process(shim, argvs.front(), path, score);
    int parent = first;
    for (std::size_t i = 1; i < argvs.size(); ++i) {
      const int pid = process(parent, argvs[i], path, score);
      parent = i == 1 ? pid : parent;
    }
  }

  int process(int parent, const Argv& argv, const std::string& cgroup, int score) {
    const int pid = next_pid_++;
    layout_.processes.push_back({.pid = pid,
                                 .parent = parent,
                                 .argv = argv,
                                 .cgroup = cgroup,
                                 .oom_score_adj = score,
                                 .started = started_});
    started_ += std::chrono::milliseconds{200};
    return pid;
  }

  const ConstructedNode& node_;
  NodeLayout& layout_;
  int next_pid_ = kFirstPodPid;
  std::chrono::milliseconds started_{};
};

void add_kubepods(const ConstructedNode& node, NodeLayout& layout) {
  Group& kubepods = layout.root.at(kubepods_path(node));
  if (node.kubepods_limited) {
    kubepods.max = node.mem_total - node.reserved;
  }
  layout.root.at(qos_path(node, "besteffort"));
  layout.root.at(qos_path(node, "burstable"));
  PodLayout pods{node, layout};
  for (const ConstructedPod& pod : node.pods) {
    pods.add(pod);
  }
}

// Every cgroup that holds processes of the host gets the same share.
void charge_outside_pods(const ConstructedNode& node, Group& root) {
  std::vector<std::string> paths{"system.slice"};
  for (const ConstructedProcess& process : node.processes) {
    if (std::find(paths.begin(), paths.end(), process.cgroup) == paths.end()) {
      paths.push_back(process.cgroup);
    }
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    Group& group = root.at(paths[i]);
    group.own = share_of(node.outside_pods, paths.size(), i == 0);
  }
}

}  // namespace

MemoryUse operator+(const MemoryUse& left, const MemoryUse& right) {
  return {.anon = left.anon + right.anon,
          .shmem = left.shmem + right.shmem,
          .inactive_file = left.inactive_file + right.inactive_file,
          .active_file = left.active_file + right.active_file,
          .kernel = left.kernel + right.kernel};
}

Group& Group::at(const std::string& path) {
  Group* group = this;
  for (const std::filesystem::path& component : std::filesystem::path{path}) {
    // Searched from the back: the cgroup asked for is nearly always the newest.
    const auto found = std::find_if(
        group->children.rbegin(), group->children.rend(), [&component](const Group& child) {
          return child.name == component.native();
        });
    if (found != group->children.rend()) {
      group = &*found;
      continue;
    }
    Group child;
    child.name = component.native();
    group = &group->children.emplace_back(std::move(child));
  }
  return *group;
}

MemoryUse Group::total() const {
  MemoryUse sum = own;
  for (const Group& child : children) {
    sum = sum + child.total();
  }
  return sum;
}

std::uint64_t Group::oom_kills() const {
  std::uint64_t sum = own_oom_kills;
  for (const Group& child : children) {
    sum += child.oom_kills();
  }
  return sum;
}

NodeLayout lay_out(const ConstructedNode& node) {
  NodeLayout layout;
  layout.processes = {
      {.pid = 1,
       .parent = 0,
       .argv = {"/usr/lib/systemd/systemd", "--system"},
       .cgroup = "init.scope",
       .started = {}},
      {.pid = 2, .parent = 0, .argv = {}, .comm = "kthreadd", .cgroup = "", .started = {}}};
  charge_outside_pods(node, layout.root);
  layout.processes.insert(layout.processes.end(), node.processes.begin(), node.processes.end());
  if (node.kubepods) {
    add_kubepods(node, layout);
  }
  for (const ConstructedProcess& process : layout.processes) {
    layout.root.at(process.cgroup).pids.push_back(process.pid);
  }
  return layout;
}

std::string hex_digits(const std::string& seed, std::size_t count) {
  constexpr std::uint64_t kOffset = 14'695'981'039'346'656'037ULL;  // FNV-1a
  constexpr std::uint64_t kPrime = 1'099'511'628'211ULL;
  std::uint64_t hash = kOffset;
  for (const char c : seed) {
    hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  }
  std::string digits;
  while (digits.size() < count) {
    hash = (hash ^ digits.size()) * kPrime;
    digits += "0123456789abcdef"[hash >> 60];
  }
  return digits;
}

}  // namespace eviction::tests
