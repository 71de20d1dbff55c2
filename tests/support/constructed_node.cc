// SPDX-License-Identifier: Apache-2.0
#include "tests/support/constructed_node.h"

#include <utility>

#include "tests/support/node_files.h"
#include "tests/support/node_layout.h"
#include "tests/support/node_memory.h"
#include "tests/support/tree_writer.h"

namespace eviction::tests {

Bytes mem_total_of(Bytes ram) {
  return round_down(ram - scale(ram, 1, 64) - 120_MiB, Bytes{kPageSize});
}

std::string uid_of(const ConstructedPod& pod) {
  if (!pod.uid.empty()) {
    return pod.uid;
  }
  std::string digits = hex_digits(pod.name_space + "/" + pod.name, 32);
  if (pod.kind == PodKind::kStatic) {
    return digits;
  }
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-4" + digits.substr(13, 3) + "-a" +
         digits.substr(17, 3) + "-" + digits.substr(20);
}

ConstructedPod container_pod(std::string name, Bytes request, Bytes anon) {
  ConstructedPod pod;
  pod.name = std::move(name);
  pod.containers = {{.request = request, .use = {.anon = anon, .kernel = 1_MiB}}};
  return pod;
}

Bytes launcher_overhead(Bytes guest) {
  const Bytes processes = 25_MiB + 100_MiB + 25_MiB + 40_MiB + 50_MiB;  // monitor to qemu
  const Bytes devices = 8_MiB + 8_MiB + 32_MiB;                         // vCPU, I/O thread, video
  return scale(scale(guest, 1, 512) + processes + devices, 3, 2);
}

ConstructedPod virtual_machine_pod(std::string vm_name,
                                   Bytes guest,
                                   int overcommit_percent,
                                   Bytes touched) {
  const Bytes overhead = launcher_overhead(guest);
  ConstructedPod pod;
  pod.name_space = "prod";
  pod.name = "virt-launcher-" + vm_name + "-" + hex_digits(vm_name, 5);
  pod.kind = PodKind::kVirtualMachine;
  pod.vm_name = std::move(vm_name);
  pod.containers = {
      {.name = "compute",
       .request = scale(guest, 100, overcommit_percent) + overhead,
       .limit = guest + overhead,
       .use = {.anon = touched + scale(overhead, 1, 2), .kernel = scale(guest, 1, 512)}},
      {.name = "guest-console-log",
       .request = 35_MiB,
       .limit = 60_MiB,
       .use = {.anon = 6_MiB, .inactive_file = 2_MiB, .kernel = 1_MiB},
       .argv = {"/usr/bin/virt-tail", "--logfile", "/var/run/kubevirt-private/virt-serial0-log"}}};
  return pod;
}

Bytes requests_of(const ConstructedNode& node) {
  Bytes sum;
  for (const ConstructedPod& pod : node.pods) {
    for (const ConstructedContainer& container : pod.containers) {
      sum += container.request;
    }
  }
  return sum;
}

void write(const ConstructedNode& node, const std::filesystem::path& root) {
  const NodeMemory memory = balance(node);
  const NodeLayout layout = lay_out(node);
  TreeWriter tree{root};
  write_proc(node, memory, tree);
  write_processes(node, layout, tree);
  write_cgroups(node, layout.root, tree);
  write_kubelet_files(node, tree);
  tree.file("etc/os-release",
            "NAME=\"SLES\"\nVERSION_ID=\"15.6\"\nID=\"sles\"\nID_LIKE=\"suse\"\n"
            "PRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP6\"\n");
  for (const auto& [path, content] : node.files) {
    tree.file(path, content);
  }
}

}  // namespace eviction::tests
