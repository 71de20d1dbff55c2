// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/policy/incidents.h"

namespace eviction::agent {

/// What would have prevented an OOM kill or an eviction: a sentence made from its cause and
/// figures. Pure.
[[nodiscard]] std::string prevention(const Incident& incident, const Scene& scene);

}  // namespace eviction::agent
