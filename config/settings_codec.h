// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/config_value.h"
#include "config/kubelet_fields.h"
#include "config/kubelet_settings.h"

namespace eviction::config {

/// Puts what of a KubeletConfiguration bears on eviction into settings, and checks the type of the
/// other fields too, because a wrong one anywhere keeps the kubelet from starting. Maps gain keys;
/// everything else is replaced. Returns the errors.
[[nodiscard]] std::vector<std::string> decode_settings(const ConfigValue& root,
                                                       NameMatch match,
                                                       KubeletSettings& settings);

/// Capitalised names are those of the kubelet's internal type, which 1.29 to 1.31 merge into.
enum class NameStyle { kVersioned, kInternal };

/// The settings as the kubelet writes them to JSON to merge drop-ins into; empty ones are left out.
[[nodiscard]] ConfigValue encode_settings(const KubeletSettings& settings, NameStyle style);

/// Whether mergeDefaultEvictionSettings is true.
[[nodiscard]] bool merges_default_eviction(const ConfigValue& root);

}  // namespace eviction::config
