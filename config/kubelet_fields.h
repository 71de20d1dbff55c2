// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config_value.h"

namespace eviction::config {

/// How a name in a file finds its field. A main file's names have to match exactly; where drop-ins
/// were merged, any case does. Source: sigs.k8s.io/json UnmarshalStrict(), encoding/json
/// Unmarshal().
enum class NameMatch { kExact, kAnyCase };

[[nodiscard]] bool same_name(std::string_view left, std::string_view right, NameMatch match);

/// The JSON type of a field.
enum class FieldType {
  kBoolean,
  kInteger,
  kString,
  kDuration,
  kStringList,
  kStringMap,
  kOther,  ///< not looked into: nested, or younger than 1.24
};

struct KubeletField {
  std::string_view name;
  FieldType type;
};

/// A field at the top of a KubeletConfiguration; nullptr when no kubelet has it.
/// Source: kubelet v1.36 staging/src/k8s.io/kubelet/config/v1beta1/types.go KubeletConfiguration.
[[nodiscard]] const KubeletField* find_kubelet_field(std::string_view name, NameMatch match);

/// Names at the top of the file that no kubelet up to 1.36 has: it ignores them.
[[nodiscard]] std::vector<std::string> unknown_fields(const ConfigValue& root, NameMatch match);

}  // namespace eviction::config
