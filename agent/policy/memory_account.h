// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/observation.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// How this kubelet computes the node's memory.available.
/// Source: kubelet v1.24 to v1.36, opencontainers/cgroups fs2/memory.go; facts differ by version.
enum class KubeletFormula {
  kAnonFile,   ///< MemTotal - (anon + file - inactive_file), kubelet >= 1.27 on cgroup v2
  kTotalFree,  ///< MemFree + inactive_file, kubelet <= 1.26 on cgroup v2
  kV1,         ///< MemTotal - (usage - inactive_file) of the v1 root
  kNone,       ///< no kubelet, or no cgroup memory controller to read
};

/// "anon+file", "total-free", "v1", "none".
[[nodiscard]] std::string_view to_text(KubeletFormula formula);

/// The node's memory as kubelet and kernel see it, and why they differ:
/// kubelet_available - mem_available = kernel + reserve + cache_floor - active_file.
struct MemoryAccount {
  KubeletFormula formula = KubeletFormula::kNone;
  std::optional<Bytes> capacity;           ///< C: MemTotal
  std::optional<Bytes> kubelet_available;  ///< A, by formula; by kAnonFile where it is kNone
  std::optional<Bytes> mem_available;      ///< M: the kernel's MemAvailable
  std::optional<Bytes> gap;                ///< A - M; negative when hot page cache dominates
  std::optional<Bytes> kernel;            ///< K: held by the kernel, yet "available" to the kubelet
  Bytes page_tables_to_come;              ///< what K grows by when M is taken as RAM was so far
  std::optional<Bytes> reserve;           ///< R: totalreserve_pages
  std::optional<Bytes> cache_floor;       ///< w: page cache and slab the kernel will not go below
  std::optional<Bytes> active_file;       ///< a: page cache the kubelet counts as used
  Bytes hugepages;                        ///< all pools, part of K up to kubelet 1.36
  std::optional<Bytes> outside_kubepods;  ///< S: unreclaimable memory outside kubepods
  std::optional<Bytes> reserved;  ///< V: capacity - kubepods memory.max; absent: not enforced
};

[[nodiscard]] MemoryAccount account(const Observation& observation);

/// What the kubelet counts as available beyond what a full node's kernel and reserve hold: K, R and
/// the page tables to come. Absent where one of them is unknown.
[[nodiscard]] std::optional<Bytes> left_to_kubelet(const MemoryAccount& memory);

}  // namespace eviction::agent
