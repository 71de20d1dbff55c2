// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// One line of a PSI file: share of time stalled, in hundredths of a percent (0 to 10000), and the
/// total stalled time.
struct PressureLine {
  int avg10 = 0;
  int avg60 = 0;
  int avg300 = 0;
  std::chrono::microseconds total{};
};

/// A PSI file. Source: linux v6.1 kernel/sched/psi.c psi_show().
struct Pressure {
  PressureLine some;
  std::optional<PressureLine> full;  ///< cpu.pressure has none before Linux 5.13
};

/// Errors: kMalformed with the line.
[[nodiscard]] Result<Pressure> parse_pressure(std::string_view text);
/// Errors: kAbsent when the kernel was built without PSI, kUnsupported when it is off at boot; both
/// with the remedy (boot with psi=1).
[[nodiscard]] Result<Pressure> read_pressure(const Directory& directory,
                                             std::string_view file,
                                             Buffer& buffer);

/// As read_pressure(), but where there is none the value is absent: no such file (or an empty name,
/// as on cgroup v1), PSI is off, or the cgroup is gone. Errors: the others.
[[nodiscard]] Result<std::optional<Pressure>> read_pressure_if_kept(const Directory& directory,
                                                                    std::string_view file,
                                                                    Buffer& buffer);

}  // namespace eviction::cgroup
