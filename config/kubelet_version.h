// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::config {

/// A Kubernetes version.
struct KubeletVersion {
  int major = 1;
  int minor = 0;
  std::optional<int> patch;  ///< absent when only "1.32" was given
  std::string suffix;        ///< "+rke2r1", "-rc.0", ...

  /// At or above major 1 and this minor.
  [[nodiscard]] bool at_least(int other_minor) const { return major > 1 || minor >= other_minor; }
};

/// "v1.32.3+rke2r1", "1.32.3", "1.32". Errors: kMalformed.
[[nodiscard]] Result<KubeletVersion> parse_kubelet_version(std::string_view text);
[[nodiscard]] std::string to_text(const KubeletVersion& version);  ///< "v1.32.3+rke2r1"

/// What is known of the kubelet's behaviour ends here. Source: kubelet source 1.24 to 1.36.
inline constexpr int kOldestMinor = 24;
inline constexpr int kNewestMinor = 36;

}  // namespace eviction::config
