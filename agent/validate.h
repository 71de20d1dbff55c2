// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cgroup/bytes.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/kubelet_config.h"
#include "config/thresholds.h"

namespace eviction::agent {

/// What a kubelet of this version on a node of this capacity makes of these settings.
struct Verdict {
  Bytes capacity;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::vector<config::Threshold> thresholds;

  [[nodiscard]] bool accepted() const { return errors.empty(); }
};

[[nodiscard]] Verdict validate(const config::KubeletInvocation& invocation,
                               const cgroup::Directory& root,
                               Bytes capacity);

/// The same of settings that have been loaded. Without a capacity nothing is checked against it.
[[nodiscard]] Verdict judge(const config::LoadedSettings& loaded,
                            const config::KubeletVersion& version,
                            std::optional<Bytes> capacity);

/// A threshold's or reclaim's value in bytes (a plain number for inode and process signals).
/// capacity: the node's memory, for the percentages of the memory signals. Errors: kAbsent when the
/// value is a share of something whose size is not known, or of "NaN%", which the kubelet accepts.
[[nodiscard]] Result<Bytes> amount(const std::string& signal,
                                   const config::ThresholdValue& value,
                                   std::optional<Bytes> capacity);

[[nodiscard]] nlohmann::ordered_json to_json(const Verdict& verdict);
[[nodiscard]] std::string to_table(const Verdict& verdict, bool colour);

}  // namespace eviction::agent
