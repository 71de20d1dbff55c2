// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/observation.h"
#include "agent/policy/growth_history.h"
#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What the agent saw at one time: a cheap look at /proc/meminfo, or a full look at the node.
struct Moment {
  std::chrono::sys_seconds at;             ///< wall clock, for people
  std::chrono::milliseconds since_boot{};  ///< of the clock that runs in suspend, too
  Bytes mem_total;
  std::optional<Bytes> mem_available = {};
  const Observation* seen = nullptr;  ///< of whoever made or tells it; null: a cheap look
  /// Told with the first moment of a recording, and of each part behind a pause: what was known of
  /// growth before it. Null: at all others, and where it was not recorded.
  const GrowthCheckpoint* learned = nullptr;
};

/// What a recording begins with: its name and version.
inline constexpr std::string_view kRecordingMagic = "evagrec5";
/// No record is longer; one that would be is left out.
inline constexpr std::size_t kLongestRecord = std::size_t{2} << 20;

/// CRC-32C. Source: RFC 3720 appendix B.4.
[[nodiscard]] std::uint32_t checksum(std::string_view bytes);

/// Makes the records of a recording: for each its length, its content as the difference to the one
/// before, and a checksum. A recording that goes on after a pause begins anew inside.
class RecordingWriter {
 public:
  /// What the file begins with, or the pause in it; the next record needs nothing before it.
  [[nodiscard]] std::string begin(bool new_file,
                                  const std::optional<GrowthCheckpoint>& learned = {});
  /// Empty: the record would be too long. What the moment says of growth is left out: that is for
  /// begin().
  [[nodiscard]] std::string add(const Moment& moment);

 private:
  Moment last_;
  std::string last_archive_;
};

/// What there was in a recording.
struct RecordingSpan {
  std::size_t moments = 0;
  std::size_t whole_bytes = 0;  ///< up to the end of the last record that was read
  /// Why reading ended before the end. kAbsent: of a last record that is cut off or of no use, as
  /// after a crash; kMalformed: whole records follow that were not read.
  std::optional<Error> problem = {};
};

/// Whether it begins as a recording of this version or another does.
[[nodiscard]] bool begins_as_recording(std::string_view text);

/// Calls with each moment in turn, up to the first record that is cut off or damaged. Errors:
/// kMalformed, for a text that is no recording or of another version.
[[nodiscard]] Result<RecordingSpan> read_recording(std::string_view text,
                                                   const std::function<void(const Moment&)>& call);

}  // namespace eviction::agent
