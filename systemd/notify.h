// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cgroup/result.h"

namespace eviction::systemd {

// What the service manager is told, see sd_notify(3). Without one (NOTIFY_SOCKET unset) nothing is
// done. Errors, of all: those of the socket; kIo when NOTIFY_SOCKET names none.

/// Start-up or reload is complete.
[[nodiscard]] Result<void> notify_ready();

/// The line that `systemctl status` shows; control characters become spaces. UTF-8 and below 4 KiB,
/// else systemd drops it. Source: systemd v252 src/core/manager.c manager_dispatch_notify_fd().
[[nodiscard]] Result<void> notify_status(std::string_view status);

/// A reload begins, as Type=notify-reload wants it (systemd 253 and later); notify_ready() ends it.
[[nodiscard]] Result<void> notify_reloading();

/// The program is about to end.
[[nodiscard]] Result<void> notify_stopping();

}  // namespace eviction::systemd
