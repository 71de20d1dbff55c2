// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_systemd1.h"

#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace eviction::tests {

namespace {

using systemd::Bus;
using systemd::Message;

constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kInterface = "org.freedesktop.systemd1.Manager";

/// A test cannot go on without what this checks.
void require(int code) {
  if (code < 0) {
    std::abort();
  }
}

Bus make_end(int fd) {
  sd_bus* bus = nullptr;
  require(sd_bus_new(&bus));
  require(sd_bus_set_fd(bus, fd, fd));
  require(sd_bus_set_anonymous(bus, 1));
  return Bus{bus};
}

Message make_signal(sd_bus* bus) {
  sd_bus_message* signal = nullptr;
  require(sd_bus_message_new_signal(bus, &signal, kPath, kInterface, "JobRemoved"));
  return Message{signal};
}

}  // namespace

FakeSystemd1::FakeSystemd1(systemd::EventLoop& loop) {
  std::array<int, 2> fds{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()));
  client_ = make_end(fds[0]);
  server_ = make_end(fds[1]);
  sd_id128_t id{};
  require(sd_id128_randomize(&id));
  require(sd_bus_set_server(server_.get(), 1, id));
  require(sd_bus_add_object(server_.get(), nullptr, kPath, &on_call, this));
  require(sd_bus_start(server_.get()));
  require(sd_bus_start(client_.get()));
  require(sd_bus_attach_event(server_.get(), loop.get(), SD_EVENT_PRIORITY_NORMAL));
}

int FakeSystemd1::on_call(sd_bus_message* call, void* userdata, sd_bus_error* /*unused*/) noexcept {
  auto& self = *static_cast<FakeSystemd1*>(userdata);
  if (sd_bus_message_is_method_call(call, kInterface, "Subscribe") != 0) {
    self.calls_.emplace_back("Subscribe");
    if (self.subscribe_error.empty()) {
      require(sd_bus_reply_method_return(call, ""));
    } else {
      reply_error(call, self.subscribe_error, "no subscription");
    }
    return 1;
  }
  const char* unit = nullptr;
  const char* mode = nullptr;
  require(sd_bus_message_is_method_call(call, kInterface, "RestartUnit") != 0 ? 0 : -1);
  require(sd_bus_message_read(call, "ss", &unit, &mode));
  self.calls_.push_back(std::string{"RestartUnit "} + unit + ' ' + mode);
  if (self.on_restart) {
    self.on_restart(call);
  }
  return 1;
}

void FakeSystemd1::reply_job(sd_bus_message* call, const std::string& path) {
  require(sd_bus_reply_method_return(call, "o", path.c_str()));
}

void FakeSystemd1::reply_error(sd_bus_message* call,
                               const std::string& name,
                               const std::string& message) {
  const sd_bus_error error{name.c_str(), message.c_str(), 0};
  require(sd_bus_reply_method_error(call, &error));
}

void FakeSystemd1::send_job_removed(const Job& job) {
  const Message signal = make_signal(server_.get());
  if (!job.sender.empty()) {
    require(sd_bus_message_set_sender(signal.get(), job.sender.c_str()));
  }
  constexpr std::uint32_t kId = 7;
  require(sd_bus_message_append(
      signal.get(), "uoss", kId, job.path.c_str(), job.unit.c_str(), job.result.c_str()));
  require(sd_bus_send(server_.get(), signal.get(), nullptr));
}

void FakeSystemd1::send_nonsense() {
  const Message signal = make_signal(server_.get());
  require(sd_bus_message_append(signal.get(), "s", "nonsense"));
  require(sd_bus_send(server_.get(), signal.get(), nullptr));
}

void FakeSystemd1::close() {
  server_.reset();
}

}  // namespace eviction::tests
