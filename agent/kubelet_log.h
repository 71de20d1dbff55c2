// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kubelet_process.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Warnings, errors and fatal lines from since on that are about eviction, drop-ins or a start that
/// failed, in order; each cut after 512 bytes, unprintable bytes as '?'. written: when the end of
/// the text was written, which tells the year and the time zone that klog's lines leave out.
/// Source: klog v2.130 internal/buffer/buffer.go FormatHeader(): "Lmmdd hh:mm:ss.uuuuuu threadid
/// file:line] msg".
[[nodiscard]] std::vector<std::string> kubelet_warnings(
    std::string_view text,
    std::chrono::system_clock::time_point since,
    std::chrono::system_clock::time_point written);

/// kubelet_warnings() of the last 256 KiB of the log that RKE2's kubelet writes, DATA/agent/logs/
/// kubelet.log. Errors: kAbsent for another kubelet and without a log; kIo when it is no
/// regular file; those of opening and reading it.
[[nodiscard]] Result<std::vector<std::string>> read_kubelet_warnings(
    const Kubelet& kubelet,
    const cgroup::Directory& root,
    std::chrono::system_clock::time_point since);

}  // namespace eviction::agent
