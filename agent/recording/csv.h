// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/recording/recording.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// A line of names: time (seconds since 1970), since_boot_seconds, full (1: a full look), and
/// amounts in bytes and counters by their kernel's names; of pods the sums of each class.
[[nodiscard]] std::string csv_header();
/// What is absent is empty.
[[nodiscard]] std::string csv_row(const Moment& moment);

/// Calls with the moment of each line; empty ones are passed over. Columns may be in any order;
/// unknown ones are passed over; needed are time (or t_s), mem_total_bytes and mem_available_bytes.
/// Without since_boot_seconds time stands for it, without full each line is a full look. Without
/// anon_bytes and file_bytes the kernel is taken to hold nothing. The pods of a class become one
/// pod. Errors: kMalformed with line, column and value; then what came before it was told.
[[nodiscard]] Result<void> read_csv(std::string_view text,
                                    const std::function<void(const Moment&)>& call);

}  // namespace eviction::agent
