// SPDX-License-Identifier: Apache-2.0
#include "systemd/unit_manager.h"

#include <cerrno>
#include <cstdint>

namespace eviction::systemd {

namespace {

using std::chrono::microseconds;

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kInterface = "org.freedesktop.systemd1.Manager";
/// Of calls: the deadline is the only clock here.
constexpr std::uint64_t kNoTimeout = UINT64_MAX;

/// An error whose remedy is to look at the unit.
tl::unexpected<Error> look_at(const std::string& unit, ErrorKind kind, std::string what) {
  return tl::unexpected{
      Error{.kind = kind,
            .path = {},
            .line = 0,
            .what = std::move(what),
            .remedy = "see systemctl status " + unit + " and journalctl -u " + unit}};
}

/// The unique name of who sent it, which no one else on a bus can forge; empty without a bus.
std::string sender_of(sd_bus_message* message) {
  const char* const sender = sd_bus_message_get_sender(message);
  return sender == nullptr ? "" : sender;
}

std::string text_of(const sd_bus_error& error) {
  const std::string name = error.name;
  return error.message == nullptr ? name : name + ": " + error.message;
}

}  // namespace

Result<std::unique_ptr<UnitManager>> SdBusUnitManager::connect_system(EventLoop& loop,
                                                                      microseconds deadline) {
  sd_bus* bus = nullptr;
  const int code = sd_bus_open_system(&bus);
  if (code < 0) {
    return failure(code,
                   "cannot connect to the system's D-Bus",
                   "check dbus.socket; in a container mount the host's /run/dbus");
  }
  return over(loop, Bus{bus}, deadline);
}

Result<std::unique_ptr<UnitManager>> SdBusUnitManager::over(EventLoop& loop,
                                                            Bus bus,
                                                            microseconds deadline) {
  // Not make_unique, which cannot call the private constructor.
  std::unique_ptr<SdBusUnitManager> manager{new SdBusUnitManager{loop, std::move(bus), deadline}};
  const int code = manager->listen();
  if (code < 0) {
    return failure(code, "cannot listen to systemd on D-Bus");
  }
  return manager;
}

int SdBusUnitManager::listen() {
  int code = sd_bus_attach_event(bus_.get(), loop_.get(), SD_EVENT_PRIORITY_NORMAL);
  if (code >= 0) {
    code = sd_bus_set_method_call_timeout(bus_.get(), kNoTimeout);
  }
  sd_bus_slot* slot = nullptr;
  if (code >= 0) {
    // A match by sender would be weaker than ours, and no match at all where there is no bus.
    code = sd_bus_match_signal_async(bus_.get(),
                                     &slot,
                                     nullptr,
                                     kPath,
                                     kInterface,
                                     "JobRemoved",
                                     &on_job_removed,
                                     nullptr,
                                     this);
    job_removed_.reset(slot);
  }
  if (code >= 0) {
    code = sd_bus_match_signal_async(bus_.get(),
                                     &slot,
                                     nullptr,
                                     "/org/freedesktop/DBus/Local",
                                     "org.freedesktop.DBus.Local",
                                     "Disconnected",
                                     &on_disconnected,
                                     nullptr,
                                     this);
    disconnected_.reset(slot);
  }
  return code;
}

Result<void> SdBusUnitManager::restart(const std::string& unit, Done done) {
  if (restart_) {
    return look_at(
        restart_->unit,
        ErrorKind::kIo,
        "cannot restart " + unit + ": the restart of " + restart_->unit + " has not ended");
  }
  Result<EventSource> deadline =
      loop_.after(deadline_, [this] { end_by_silence("systemd did not say so in time"); });
  if (!deadline) {
    return tl::unexpected{std::move(deadline.error())};
  }
  // systemd sends JobRemoved only where someone has subscribed, so the unit is not touched before.
  sd_bus_slot* call = nullptr;
  const int code = sd_bus_call_method_async(
      bus_.get(), &call, kSystemd, kPath, kInterface, "Subscribe", &on_subscribed, this, "");
  if (code < 0) {
    return failure(code, "cannot ask systemd to restart " + unit, "connect to D-Bus again");
  }
  restart_.emplace();
  restart_->unit = unit;
  restart_->done = std::move(done);
  restart_->deadline = std::move(*deadline);
  restart_->call.reset(call);
  return {};
}

int SdBusUnitManager::on_subscribed(sd_bus_message* reply,
                                    void* userdata,
                                    sd_bus_error* /*unused*/) noexcept {
  auto& self = *static_cast<SdBusUnitManager*>(userdata);
  const sd_bus_error* const error = sd_bus_message_get_error(reply);
  // Subscribed since the restart before this one.
  constexpr const char* kAlready = "org.freedesktop.systemd1.AlreadySubscribed";
  if (error != nullptr && sd_bus_error_has_name(error, kAlready) == 0) {
    self.end_by_error(*error);
    return 0;
  }
  self.restart_->systemd = sender_of(reply);
  sd_bus_slot* call = nullptr;
  const int code = sd_bus_call_method_async(self.bus_.get(),
                                            &call,
                                            kSystemd,
                                            kPath,
                                            kInterface,
                                            "RestartUnit",
                                            &on_job_queued,
                                            userdata,
                                            "ss",
                                            self.restart_->unit.c_str(),
                                            "replace");
  if (code < 0) {
    self.end(failure(code, "cannot ask systemd to restart " + self.restart_->unit));
    return 0;
  }
  self.restart_->call.reset(call);
  return 0;
}

int SdBusUnitManager::on_job_queued(sd_bus_message* reply,
                                    void* userdata,
                                    sd_bus_error* /*unused*/) noexcept {
  auto& self = *static_cast<SdBusUnitManager*>(userdata);
  Restart& restart = *self.restart_;
  if (const sd_bus_error* const error = sd_bus_message_get_error(reply); error != nullptr) {
    self.end_by_error(*error);
    return 0;
  }
  const char* job = nullptr;
  if (const int code = sd_bus_message_read(reply, "o", &job); code < 0) {
    self.end(failure(code, "systemd named no job for the restart of " + restart.unit));
    return 0;
  }
  restart.job = job;
  const auto removed = restart.removed.find(*restart.job);
  if (removed != restart.removed.end()) {
    self.end_by_job(std::string{removed->second});
  }
  return 0;
}

int SdBusUnitManager::on_job_removed(sd_bus_message* signal,
                                     void* userdata,
                                     sd_bus_error* /*unused*/) noexcept {
  auto& self = *static_cast<SdBusUnitManager*>(userdata);
  // Anyone on the bus may send such a signal.
  if (!self.restart_ || self.restart_->systemd != sender_of(signal)) {
    return 0;
  }
  const char* job = nullptr;
  const char* result = nullptr;
  if (sd_bus_message_read(signal, "uoss", nullptr, &job, nullptr, &result) < 0) {
    return 0;  // ignored because it cannot be told whose job it was: the deadline stands
  }
  if (!self.restart_->job) {
    self.restart_->removed.insert_or_assign(job, result);
  } else if (*self.restart_->job == job) {
    self.end_by_job(result);
  }
  return 0;
}

int SdBusUnitManager::on_disconnected(sd_bus_message* /*signal*/,
                                      void* userdata,
                                      sd_bus_error* /*unused*/) noexcept {
  auto& self = *static_cast<SdBusUnitManager*>(userdata);
  if (self.restart_) {
    self.end_by_silence("the connection to systemd broke");
  }
  return 0;
}

void SdBusUnitManager::end(Result<void> result) {
  const Done done = std::move(restart_->done);
  restart_.reset();
  done(std::move(result));  // may destroy this object
}

void SdBusUnitManager::end_by_job(const std::string& result) {
  if (result == "done") {
    end({});
    return;
  }
  const std::string& unit = restart_->unit;
  end(look_at(
      unit, ErrorKind::kIo, unit + " was not restarted: systemd's job ended as \"" + result + '"'));
}

void SdBusUnitManager::end_by_error(const sd_bus_error& error) {
  if (sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY) != 0) {
    end_by_silence(text_of(error));
    return;
  }
  const std::string& unit = restart_->unit;
  tl::unexpected<Error> failed =
      look_at(unit, ErrorKind::kIo, unit + " was not restarted: " + text_of(error));
  if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit") != 0) {
    failed.value().kind = ErrorKind::kAbsent;
  } else if (sd_bus_error_get_errno(&error) == EACCES) {
    failed.value().kind = ErrorKind::kDenied;
    failed.value().remedy =
        "run as root, or let polkit allow org.freedesktop.systemd1.manage-units; in a container "
        "AppArmor or SELinux may refuse D-Bus";
  }
  end(std::move(failed));
}

void SdBusUnitManager::end_by_silence(const std::string& why) {
  const std::string& unit = restart_->unit;
  end(look_at(
      unit, ErrorKind::kVanished, "cannot tell whether " + unit + " was restarted: " + why));
}

}  // namespace eviction::systemd
