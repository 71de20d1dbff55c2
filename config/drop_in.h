// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::config {

/// The first line of every file the agent writes. A file without it is never changed or removed.
inline constexpr std::string_view kMark = "# Written by eviction-agent; changes are overwritten.";

/// What the agent asks of the kubelet for memory.
struct MemoryEviction {
  std::optional<Bytes> hard = {};
  std::optional<Bytes> soft = {};  ///< written with a grace of 1s and evictionMaxPodGracePeriod 0
  std::optional<Bytes> reclaim = {};  ///< evictionMinimumReclaim

  bool operator==(const MemoryEviction&) const = default;
};

/// A KubeletConfiguration drop-in with only memory.available in it (kubelet >= 1.30; of RKE2 and
/// k3s >= 1.32).
[[nodiscard]] std::string render_drop_in(const MemoryEviction& eviction);

/// Signals the file for an older RKE2 or k3s has to restate, since a kubelet-arg replaces the
/// distribution's whole flag: "imagefs.available<5%,nodefs.available<5%" as argv shows them.
struct RestatedFlags {
  std::string eviction_hard;             ///< without memory.available; may be empty
  std::string eviction_minimum_reclaim;  ///< likewise

  bool operator==(const RestatedFlags&) const = default;
};

/// An RKE2 or k3s config.yaml.d file (<= 1.31).
[[nodiscard]] std::string render_kubelet_args(const MemoryEviction& eviction,
                                              const RestatedFlags& restated);

/// What a file of the agent says, drop-in or arguments: the inverse of the two above. Errors:
/// kMalformed when it is none of theirs.
[[nodiscard]] Result<MemoryEviction> parse_own_file(std::string_view text, const std::string& path);

/// What such a file restates. Nothing for another text.
[[nodiscard]] RestatedFlags restated_in(std::string_view text);

/// Whether the text begins with the agent's mark.
[[nodiscard]] bool has_mark(std::string_view text);

}  // namespace eviction::config
