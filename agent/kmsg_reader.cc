// SPDX-License-Identifier: Apache-2.0
#include "agent/kmsg_reader.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include "cgroup/kmsg.h"

namespace eviction::agent {

namespace {

constexpr const char* kFile = "dev/kmsg";
/// Source: linux v6.1 kernel/printk/internal.h, printk.c CONSOLE_EXT_LOG_MAX.
constexpr std::size_t kLongestRecord = 8192;
/// A kernel that logs without end does not hold the loop.
constexpr int kMostAtOnce = 20'000;

Error failure(int code) {
  Error error{.kind = ErrorKind::kIo,
              .path = "/dev/kmsg",
              .what = "OOM kills cannot be read from the kernel's log: " +
                      std::generic_category().message(code)};
  if (code == ENOENT) {
    error.kind = ErrorKind::kAbsent;
    error.remedy = "in a privileged container, mount the host's /dev/kmsg";
  } else if (code == EACCES || code == EPERM) {
    error.kind = ErrorKind::kDenied;
    error.remedy = "run the agent with CAP_SYSLOG";
  }
  return error;
}

}  // namespace

Result<Descriptor> open_kmsg(const cgroup::Directory& root) {
  Descriptor file{::openat(root.fd(), kFile, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
  if (file.get() < 0) {
    Error error = failure(errno);
    error.path = root.path_of(kFile);
    return tl::unexpected{std::move(error)};
  }
  return file;
}

std::chrono::microseconds kmsg_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

KmsgReader::KmsgReader(systemd::EventLoop& loop,
                       Descriptor file,
                       std::function<void(const cgroup::OomEvent&)> call)
    : loop_{loop}, file_{std::move(file)}, call_{std::move(call)}, buffer_(kLongestRecord) {
  watch();
}

void KmsgReader::watch() {
  auto source = loop_.on_io(file_.get(), EPOLLIN, [this](std::uint32_t /*events*/) {
    readable_ = {};
    drain();
    if (problem_) {
      return;
    }
    auto pause = loop_.after(kPause, [this] { watch(); });
    if (pause) {
      pause_ = std::move(*pause);
    } else {
      fail(pause.error());
    }
  });
  if (source) {
    readable_ = std::move(*source);
  } else {
    fail(source.error());
  }
}

void KmsgReader::drain() {
  int left = kMostAtOnce;
  while (!problem_ && left > 0 && read_one()) {
    --left;
  }
}

bool KmsgReader::read_one() {
  const ssize_t size = ::read(file_.get(), buffer_.data(), buffer_.size());
  if (size > 0) {
    // Ignored where it is no record: nothing of a kill can be learned from it.
    const auto record = cgroup::parse_kmsg_record({buffer_.data(), static_cast<std::size_t>(size)});
    const auto event = record ? log_.add(*record) : std::nullopt;
    if (event) {
      call_(*event);
    }
    return true;
  }
  const int code = size == 0 ? ENODATA : errno;
  switch (code) {
    case EAGAIN:
      return false;
    case EINTR:
    case EINVAL:  // a record longer than the buffer: the next read gives the next one
      return true;
    case EPIPE:  // the kernel overwrote records before they were read
      log_.forget();
      return true;
    default:
      fail(failure(code));
      return false;
  }
}

void KmsgReader::fail(Error error) {
  problem_ = std::move(error);
  readable_ = {};
  pause_ = {};
}

}  // namespace eviction::agent
