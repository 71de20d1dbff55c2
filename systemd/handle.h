// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <string>
#include <string_view>
#include <system_error>

#include "cgroup/owned.h"
#include "cgroup/result.h"

namespace eviction::systemd {

using Event = Owned<sd_event, &sd_event_unref>;
/// The source is switched off with it, whoever else holds a reference.
using Source = Owned<sd_event_source, &sd_event_source_disable_unref>;
/// The connection is closed with it; what was not sent yet is dropped.
using Bus = Owned<sd_bus, &sd_bus_close_unref>;
/// The match or the pending call ends with it.
using Slot = Owned<sd_bus_slot, &sd_bus_slot_unref>;
using Message = Owned<sd_bus_message, &sd_bus_message_unref>;

/// "WHAT: the system's text"; code is a negative errno, as libsystemd returns it.
inline tl::unexpected<Error> failure(int code, std::string_view what, std::string remedy = {}) {
  ErrorKind kind = ErrorKind::kIo;
  if (code == -ENOENT) {
    kind = ErrorKind::kAbsent;
  } else if (code == -EACCES || code == -EPERM) {
    kind = ErrorKind::kDenied;
  }
  return tl::unexpected{
      Error{.kind = kind,
            .path = {},
            .line = 0,
            .what = std::string{what} + ": " + std::generic_category().message(-code),
            .remedy = std::move(remedy)}};
}

}  // namespace eviction::systemd
