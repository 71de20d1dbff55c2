// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/own_file.h"
#include "agent/policy/growth_history.h"

namespace eviction::agent {

/// Where the agent keeps what it learned of the node's growth, in kStateFolder.
inline constexpr std::string_view kGrowthFile = "growth.json";

/// JSON with a version.
[[nodiscard]] std::string render_growth(const GrowthCheckpoint& checkpoint);
/// Errors: kMalformed, also for another version and for numbers that no history can have.
[[nodiscard]] Result<GrowthCheckpoint> parse_growth(std::string_view text, const std::string& path);

/// What was learned on this node, for who does not own the file. Errors: as parse_growth(), and
/// those of reading it; one that is missing is none.
[[nodiscard]] Result<GrowthCheckpoint> learned_growth(const cgroup::Directory& root);
/// For its owner: a file that cannot be understood is set aside.
[[nodiscard]] Loaded<GrowthCheckpoint> load_growth(const cgroup::Directory& root);
[[nodiscard]] Result<void> save_growth(const cgroup::Directory& root,
                                       const GrowthCheckpoint& checkpoint);

/// Keeps a history on the disk: read once, saved every ten minutes.
class KeptGrowth {
 public:
  /// history has to outlive it.
  explicit KeptGrowth(GrowthHistory& history) : history_{history} {}

  /// root has to outlive it. What was wrong with the file is in the error; the history begins anew
  /// then.
  [[nodiscard]] Result<void> open(const cgroup::Directory& root);
  /// Saves when the last save is long ago. Errors: those of writing.
  [[nodiscard]] Result<void> keep(std::chrono::milliseconds since_boot);
  /// At once. Errors: those of writing.
  [[nodiscard]] Result<void> save();

 private:
  GrowthHistory& history_;
  const cgroup::Directory* root_ = nullptr;
  std::chrono::milliseconds saved_{};
};

}  // namespace eviction::agent
