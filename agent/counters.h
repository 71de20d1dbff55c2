// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/policy/decide.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What one kind of work has cost so far, in wall-clock time.
struct Ticks {
  std::uint64_t count = 0;
  std::chrono::microseconds total{};
};

/// What the daemon did since it started. Nothing of it is kept over a restart.
struct Deeds {
  std::uint64_t restarts = 0;   ///< of the kubelet
  std::uint64_t committed = 0;  ///< transactions that put a value in force
  std::uint64_t put_back = 0;   ///< transactions that failed and were undone
  std::map<Act, std::uint64_t> acts;
};

/// What the daemon counts of its work since it started.
struct Counters {
  std::chrono::sys_seconds started;
  /// When the last full walk began. Absent: there was none.
  std::optional<std::chrono::sys_seconds> walked_at;
  Ticks looks;                                            ///< cheap looks at /proc/meminfo
  Ticks walks;                                            ///< full walks
  std::chrono::microseconds cpu{};                        ///< CPU time of the whole process
  std::map<std::string_view, std::uint64_t> read_errors;  ///< by file_kind()
};

/// Adds the time that it lives.
class Timed {
 public:
  explicit Timed(Ticks& ticks) : ticks_{ticks} {}

  ~Timed() {
    ++ticks_.count;
    ticks_.total += std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - begin_);
  }

  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;
  Timed(Timed&&) = delete;
  Timed& operator=(Timed&&) = delete;

 private:
  Ticks& ticks_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// What kind of file an error is about, of a few: "meminfo", "memory.stat", "checkpoint",
/// "api-server", ...; "other" for what is none of them.
[[nodiscard]] std::string_view file_kind(const Error& error);

/// Counts a full walk's errors, and takes the CPU time so far. From the first on every kind that
/// file_kind() gives has a count.
void count_walk(Counters& counters, const std::vector<Error>& problems);

/// Counts an error besides.
void count_error(Counters& counters, const Error& error);

}  // namespace eviction::agent
