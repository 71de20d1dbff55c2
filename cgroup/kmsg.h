// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cgroup/result.h"

namespace eviction::cgroup {

/// One record of the kernel's log, as a read of /dev/kmsg gives it.
/// Source: linux v6.1 Documentation/ABI/testing/dev-kmsg, kernel/printk/printk.c devkmsg_read().
struct KmsgRecord {
  unsigned priority = 0;                   ///< facility * 8 + level
  std::uint64_t sequence = 0;              ///< counts from 0 at boot, without gaps
  std::chrono::microseconds since_boot{};  ///< on a clock that stands still while suspended
  bool fragment = false;  ///< a piece of a line, whose beginning is in an earlier record
  std::string text;       ///< any bytes: what the kernel escaped is as it was
};

/// "PRIORITY,SEQUENCE,MICROSECONDS,FLAG[,MORE];TEXT\n", then lines " KEY=VALUE\n", which are
/// skipped. Errors: kMalformed.
[[nodiscard]] Result<KmsgRecord> parse_kmsg_record(std::string_view record);

}  // namespace eviction::cgroup
