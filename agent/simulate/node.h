// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "agent/simulate/pod.h"

namespace eviction::agent::simulate {

/// Page tables of anonymous memory: 8 bytes a page, half of it mapped in 2 MiB pages, and the
/// second level of guests.
inline constexpr double kPageTables = 0.0025;

/// What the kernel of a node keeps for itself, by its own formulas, and what runs beside the pods.
/// MiB.
struct NodeSpec {
  double capacity = 0;
  double reserve = 0;  ///< R: totalreserve_pages
  double low_watermarks = 0;
  double kernel = 0;  ///< K without page tables and hugepages
  double hugepages = 0;
  double system = 0;        ///< anonymous memory outside kubepods: kubelet, runtime, journal, ...
  double cache = 0;         ///< page cache that would be held if there were room
  double hot_cache = 0.4;   ///< its part on the active list
  double reserved = 0;      ///< kube and system together, whatever the policy adds
  double kubepods_max = 0;  ///< memory.max of kubepods: capacity less what is reserved
  /// What exiting processes give back a second. Source: measured, freeing is about twice as fast as
  /// faulting in, 1.9 to 2.1 GiB/s on a 2026 x86-64 server.
  double free_rate = 4096;
};

/// A node of this size with nothing reserved.
[[nodiscard]] NodeSpec node_of(double capacity_mib);

/// Memory at one moment, as the kernel and a kubelet of 1.27 or later tell it. MiB.
struct Memory {
  double anon = 0;
  double pods = 0;    ///< anonymous memory of the pods
  double kernel = 0;  ///< K
  double file = 0;
  double active_file = 0;
  double free = 0;
  double mem_available = 0;      ///< M
  double kubelet_available = 0;  ///< A
  double kubepods_working_set = 0;
  double cache_floor = 0;  ///< w
  double short_of = 0;     ///< what was wanted beyond what there is
};

/// Memory, pods and the kernel's OOM killer. A copy is another node with the same future.
class ModelNode {
 public:
  ModelNode(NodeSpec spec, const std::vector<PodSpec>& pods, std::uint64_t seed);

  /// One step further. Returns the pod that the kernel killed for want of memory on the node or in
  /// kubepods.
  std::optional<std::size_t> step(double now, double seconds);

  [[nodiscard]] const NodeSpec& spec() const { return spec_; }

  [[nodiscard]] const Memory& memory() const { return memory_; }

  [[nodiscard]] const std::vector<ModelPod>& pods() const { return pods_; }

  void evict(std::size_t pod, double now) { pods_.at(pod).evict(now); }

 private:
  void measure();
  [[nodiscard]] std::optional<std::size_t> worst() const;

  NodeSpec spec_;
  std::vector<ModelPod> pods_;
  Memory memory_;
  double last_kill_ = -1e9;
};

}  // namespace eviction::agent::simulate
