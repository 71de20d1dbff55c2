// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cgroup/result.h"
#include "systemd/event_loop.h"
#include "systemd/handle.h"

namespace eviction::systemd {

/// Restarts units of the service manager.
class UnitManager {
 public:
  using Done = std::function<void(Result<void>)>;

  UnitManager() = default;
  UnitManager(const UnitManager&) = delete;
  UnitManager& operator=(const UnitManager&) = delete;
  UnitManager(UnitManager&&) = delete;
  UnitManager& operator=(UnitManager&&) = delete;
  virtual ~UnitManager() = default;

  /// Begins to restart a unit by its full name ("kubelet.service"), and calls done exactly once,
  /// later and from the event loop, when it has ended: not at all if this returns an error, or if
  /// the object is destroyed first. done may begin the next restart and may destroy the object.
  /// Errors: kIo when a restart is under way or the connection is broken.
  [[nodiscard]] virtual Result<void> restart(const std::string& unit, Done done) = 0;
};

/// Over D-Bus, by systemd's own account of the job that restarts the unit. done gets as errors
/// kAbsent (no such unit), kDenied, kIo (the job's result is not "done"), kVanished (it may still
/// be running: systemd did not say within the deadline that it ended, or the connection broke). A
/// broken connection stays broken: make another object. Source: org.freedesktop.systemd1(5).
class SdBusUnitManager final : public UnitManager {
 public:
  /// systemd gives a unit 90 s to stop and 90 s to start unless its file says otherwise.
  /// Source: systemd-system.conf(5) DefaultTimeoutStopSec=.
  static constexpr std::chrono::minutes kDeadline{5};

  /// To the system's bus. The loop must outlive the object. Errors: kAbsent (no bus on this
  /// machine, or not in this container), kDenied, kIo.
  [[nodiscard]] static Result<std::unique_ptr<UnitManager>> connect_system(
      EventLoop& loop, std::chrono::microseconds deadline = kDeadline);

  /// Over a connection that is started, which is closed at the end. Errors: kIo.
  [[nodiscard]] static Result<std::unique_ptr<UnitManager>> over(
      EventLoop& loop, Bus bus, std::chrono::microseconds deadline = kDeadline);

  [[nodiscard]] Result<void> restart(const std::string& unit, Done done) override;

 private:
  /// The one under way.
  struct Restart {
    std::string unit;
    Done done;
    EventSource deadline;
    Slot call;                           ///< the method call that waits for its reply
    std::optional<std::string> systemd;  ///< its name on the bus; absent before its first reply
    std::optional<std::string> job;      ///< absent before RestartUnit's reply
    std::map<std::string, std::string> removed;  ///< results of jobs that ended before that reply
  };

  SdBusUnitManager(EventLoop& loop, Bus bus, std::chrono::microseconds deadline)
      : loop_{loop}, bus_{std::move(bus)}, deadline_{deadline} {}

  [[nodiscard]] int listen();
  void end(Result<void> result);
  void end_by_job(const std::string& result);
  void end_by_error(const sd_bus_error& error);
  void end_by_silence(const std::string& why);

  static int on_subscribed(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
  static int on_job_queued(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
  static int on_job_removed(sd_bus_message* signal, void* userdata, sd_bus_error*) noexcept;
  static int on_disconnected(sd_bus_message* signal, void* userdata, sd_bus_error*) noexcept;

  EventLoop& loop_;
  Bus bus_;
  std::chrono::microseconds deadline_;
  Slot job_removed_;
  Slot disconnected_;
  std::optional<Restart> restart_;
};

}  // namespace eviction::systemd
