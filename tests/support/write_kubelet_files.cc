// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_files.h"

namespace eviction::tests {
namespace {

// As the kubelet prints a quantity of binary SI: in Mi where that is exact.
std::string quantity(Bytes amount) {
  return amount.value() != 0 && round_down(amount, 1_MiB) == amount
             ? std::to_string(amount.value() / (1_MiB).value()) + "Mi"
             : std::to_string(amount.value());
}

// {"CONTAINER":{"limits":{..},"requests":{..}},..}
std::string resources_of(const ConstructedPod& pod) {
  std::string text;
  for (const ConstructedContainer& container : pod.containers) {
    text += text.empty() ? "{" : ",";
    text += "\"" + container.name + "\":{";
    if (container.limit) {
      text += R"("limits":{"memory":")" + quantity(*container.limit) + R"("},)";
    }
    text += R"("requests":{"memory":")" + quantity(container.request) + R"("}})";
  }
  return text + "}";
}

ConstructedPod gone_pod(int index) {
  ConstructedPod pod;
  pod.name = "gone-" + std::to_string(index);
  pod.containers = {{.request = 1_GiB}};
  return pod;
}

// Source: kubelet v1.36 pkg/kubelet/allocation/state/checkpoint.go, and v1.32
// pkg/kubelet/status/state/checkpoint.go.
std::string checkpoint(const ConstructedNode& node) {
  std::vector<ConstructedPod> pods = node.pods;
  for (int i = 0; i < node.stale_checkpoint_entries; ++i) {
    pods.push_back(gone_pod(i));
  }
  const bool recent = node.checkpoint == CheckpointStyle::kAllocatedPods;
  std::string entries;
  for (const ConstructedPod& pod : pods) {
    entries += entries.empty() ? "" : ",";
    entries += "\"" + uid_of(pod) + "\":";
    entries += recent
                   ? "{\"ContainerResources\":" + resources_of(pod) + ",\"PodLevelResources\":null}"
                   : resources_of(pod);
  }
  std::string escaped;
  for (const char c : entries) {
    escaped += c == '"' ? "\\\"" : std::string(1, c);
  }
  return std::string{R"({"data":"{\")"} + (recent ? "entries" : "allocationEntries") + R"(\":{)" +
         escaped + R"(}}","checksum":2096341309})";
}

}  // namespace

void write_kubelet_files(const ConstructedNode& node, TreeWriter& tree) {
  for (const ConstructedPod& pod : node.pods) {
    const std::string uid = uid_of(pod);
    for (const ConstructedContainer& container : pod.containers) {
      tree.directory("var/log/pods/" + pod.name_space + "_" + pod.name + "_" + uid + "/" +
                     container.name);
      tree.directory("var/lib/kubelet/pods/" + uid + "/containers/" + container.name);
    }
  }
  switch (node.checkpoint) {
    case CheckpointStyle::kNone:
      break;
    case CheckpointStyle::kPodStatusManager:
      tree.file("var/lib/kubelet/pod_status_manager_state", checkpoint(node));
      break;
    case CheckpointStyle::kAllocatedPods:
      tree.file("var/lib/kubelet/allocated_pods_state", checkpoint(node));
      break;
  }
}

}  // namespace eviction::tests
