// SPDX-License-Identifier: Apache-2.0
//
// A library to be preloaded into the agent: it counts what the agent does to the node, and at one
// of these deeds it dies. Counted are deletions, renames, new folders, syncs and signals, but none
// below /run, where nothing outlives a boot.
//
// E2E_DEEDS is the file that gets a line for each: its number, what it is, its path. At the deed
// with the number E2E_LAST it does, before the deed, as E2E_DEATH says: "kill" (SIGKILL to itself)
// or "power cut" (the machine starts anew at once).
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

#include <dlfcn.h>

namespace {

std::atomic<int> deeds{0};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value == nullptr ? std::string{} : std::string{value};
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length < 0 ? std::string{} : std::string{path.data(), static_cast<std::size_t>(length)};
}

std::string path_of(int folder, const char* name) {
  return path_of(folder) + '/' + name;
}

void die() {
  if (variable("E2E_DEATH") == "kill") {
    ::kill(::getpid(), SIGKILL);
  }
  const int trigger = ::open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (trigger < 0 || ::write(trigger, "b", 1) < 0) {
    std::abort();
  }
  for (;;) {
    ::pause();
  }
}

void count(const char* deed, const std::string& path) {
  if (path == "/run" || path.starts_with("/run/")) {
    return;
  }
  const int kept = errno;
  const std::string number = std::to_string(++deeds);
  const std::string line = number + ' ' + deed + ' ' + path + '\n';
  const int file =
      ::open(variable("E2E_DEEDS").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), line.size()) < 0) {
    std::abort();
  }
  ::close(file);
  if (number == variable("E2E_LAST")) {
    die();
  }
  errno = kept;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's own names are reserved
extern "C" {

int fsync(int fd) {
  count("fsync", path_of(fd));
  return next<int (*)(int)>("fsync")(fd);
}

int renameat(int old_folder, const char* old_name, int folder, const char* name) {
  count("renameat", path_of(folder, name));
  return next<int (*)(int, const char*, int, const char*)>("renameat")(
      old_folder, old_name, folder, name);
}

int unlinkat(int folder, const char* name, int flags) {
  count("unlinkat", path_of(folder, name));
  return next<int (*)(int, const char*, int)>("unlinkat")(folder, name, flags);
}

int mkdirat(int folder, const char* name, mode_t mode) {
  count("mkdirat", path_of(folder, name));
  return next<int (*)(int, const char*, mode_t)>("mkdirat")(folder, name, mode);
}

/// The kubelet's signal has no function in libc; every other number passes.
long syscall(long number, ...) {
  std::array<long, 6> arguments{};
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) {
    argument = va_arg(list, long);
  }
  va_end(list);
  const auto call = next<long (*)(long, ...)>("syscall");
  const bool signals = number == SYS_pidfd_send_signal;
  if (signals) {
    count("signal", "kubelet");
  }
  const long result = call(
      number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  if (signals) {
    count("signalled", "kubelet");
  }
  return result;
}
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
