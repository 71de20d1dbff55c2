// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::config {

/// A Kubernetes quantity ("1.5Gi", "100m", "1e3"). Kept as what the kubelet does with it: its value
/// in bytes, rounded up, and its sign, because 0.1 byte counts as positive.
/// Source: apimachinery v1.36 pkg/api/resource/quantity.go ParseQuantity(), Value(), Sign().
struct Quantity {
  Bytes bytes;   ///< Value(): rounded up (away from zero)
  int sign = 0;  ///< -1, 0, 1 of the exact number
};

/// Errors: kMalformed with the rule that was broken.
[[nodiscard]] Result<Quantity> parse_quantity(std::string_view text);

/// How large the number is, without its sign and about, where parse_quantity() says what the
/// kubelet makes of it: too many bytes for 64 bits wrap there. 0 for what is no quantity.
[[nodiscard]] double quantity_magnitude(std::string_view text);

/// Whole bytes as the agent writes them: the largest binary suffix that divides them without
/// remainder ("1280Mi", "3Gi", "1000"). parse_quantity() gives the same bytes back.
[[nodiscard]] std::string render_quantity(Bytes bytes);

}  // namespace eviction::config
