// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/recording/recording.h"
#include "agent/simulate/course.h"
#include "agent/simulate/run.h"
#include "cgroup/result.h"

namespace eviction::agent::simulate {

/// A node that was recorded, for the model. Of each full look it takes what every pod held, and
/// of all of them what the kernel, the page cache and all outside the pods held in the middle.
class RecordedNode {
 public:
  explicit RecordedNode(std::size_t most_samples = kMostSamples) : most_samples_{most_samples} {}

  /// The next look, whatever the wall clock says. What comes after the most samples is left out.
  void take(const Moment& moment);

  /// That something was left out, and from when on. Absent: nothing was.
  [[nodiscard]] std::optional<Error> problem() const;

  /// capacity: of the node, MiB; 0: what it had. Errors: kAbsent, where no full look shows a pod.
  [[nodiscard]] Result<Scenario> scenario(double capacity_mib, std::uint64_t seed) const;

 private:
  struct Clocks {
    std::chrono::sys_seconds at;
    std::chrono::milliseconds since_boot{};
  };

  /// By the clock since boot; over a reboot by the wall clock, unless that was set back.
  void go_on(const Moment& moment);
  void take_pods(const Observation& seen);

  std::size_t most_samples_;
  bool cut_ = false;
  std::optional<Clocks> last_look_;
  std::chrono::milliseconds now_{};  ///< since the first look
  Observation last_;                 ///< without its pods
  std::vector<PodSpec> pods_;
  std::map<std::string, std::size_t, std::less<>> index_;  ///< by UID
  std::vector<PodSample> samples_;
  // MiB, of each full look.
  std::vector<double> kernel_;  ///< with page tables and hugepages
  std::vector<double> anonymous_;
  std::vector<double> outside_;  ///< anonymous memory outside the pods
  std::vector<double> cache_;
  std::vector<double> active_;
};

}  // namespace eviction::agent::simulate
