// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/history.h"
#include "cgroup/directory.h"

namespace eviction::agent {

/// Puts the looks that the daemon recorded into the history of one that has just started. Those
/// that cannot be read are left out: what is wrong with the recording, opening it tells.
void recall_looks(const cgroup::Directory& root, NodeHistory& history);

/// For a command, which plans and has no time for a forecast: the full looks, and what the daemon
/// learned of growth. Errors: those of learned_growth(); the looks are there nevertheless.
[[nodiscard]] Result<void> recall(const cgroup::Directory& root, NodeHistory& history);

}  // namespace eviction::agent
