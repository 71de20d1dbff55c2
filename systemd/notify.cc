// SPDX-License-Identifier: Apache-2.0
#include "systemd/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>

#include "systemd/handle.h"

namespace eviction::systemd {

namespace {

Result<void> notify(const std::string& state) {
  const int code = sd_notify(0, state.c_str());
  if (code < 0) {
    return failure(code, "cannot notify the service manager", "check NOTIFY_SOCKET");
  }
  return {};
}

}  // namespace

Result<void> notify_ready() {
  return notify("READY=1");
}

Result<void> notify_status(std::string_view status) {
  std::string line = "STATUS=" + std::string{status};
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return notify(line);
}

Result<void> notify_reloading() {
  constexpr std::uint64_t kMicroseconds = 1'000'000;
  constexpr std::uint64_t kNanoseconds = 1'000;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t time = static_cast<std::uint64_t>(now.tv_sec) * kMicroseconds +
                             static_cast<std::uint64_t>(now.tv_nsec) / kNanoseconds;
  return notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(time));
}

Result<void> notify_stopping() {
  return notify("STOPPING=1");
}

}  // namespace eviction::systemd
