// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_signal.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "cgroup/descriptor.h"
#include "cgroup/key_value.h"
#include "cgroup/process.h"

namespace eviction::agent {
namespace {

constexpr const char* kHostPid =
    "run the agent in the host's PID namespace (hostPID: true) and give it the host's /proc";
constexpr const char* kMaySignal =
    "run the agent as root with CAP_KILL, and in a container without the default AppArmor profile "
    "(appArmorProfile: {type: Unconfined}), which lets no signal through";
constexpr const char* kRestartByHand =
    "restart the kubelet by hand; the value is in force after that";

tl::unexpected<Error> refuse(ErrorKind kind,
                             const cgroup::Directory& proc,
                             const std::string& file,
                             std::string what,
                             const char* remedy) {
  return tl::unexpected{Error{.kind = kind,
                              .path = proc.path_of(file),
                              .line = 0,
                              .what = std::move(what),
                              .remedy = remedy}};
}

tl::unexpected<Error> gone(const cgroup::Directory& proc, int pid, std::string what) {
  return refuse(ErrorKind::kVanished,
                proc,
                std::to_string(pid),
                std::move(what),
                "look again when its supervisor has started it");
}

/// Whether numbers in proc are numbers in the agent's own PID namespace: what proc shows of the
/// agent has then one number, not one more for each namespace inside.
/// Source: linux v6.1 fs/proc/array.c task_state() NSpid.
Result<void> check_namespace(const cgroup::Directory& proc) {
  constexpr std::string_view kKey = "NSpid:";
  cgroup::Buffer buffer;
  const Result<std::string_view> status = proc.read("self/status", buffer);
  if (!status) {
    return refuse(ErrorKind::kDenied,
                  proc,
                  "self/status",
                  "the agent is not among the processes shown here: " + status.error().what,
                  kHostPid);
  }
  for (cgroup::Lines lines{*status}; lines.next();) {
    if (!lines.line().starts_with(kKey)) {
      continue;
    }
    const std::string_view numbers = lines.line().substr(kKey.size());
    const std::size_t digit = numbers.find_first_not_of("\t ");
    if (digit != std::string_view::npos &&
        cgroup::parse_digits(numbers.substr(digit)).has_value()) {
      return {};
    }
  }
  return refuse(ErrorKind::kDenied,
                proc,
                "self/status",
                "the agent is in a PID namespace of its own: a process there has another number",
                kHostPid);
}

/// That the process which has the number now is the kubelet that was observed, and that it has a
/// parent which starts it again. Once this holds, it held when the pidfd was opened.
Result<void> check_process(const cgroup::Directory& proc, const Kubelet& kubelet) {
  cgroup::Buffer buffer;
  const std::string folder = std::to_string(kubelet.pid);
  const Result<cgroup::ProcessStat> stat = cgroup::read_process_stat(proc, kubelet.pid, buffer);
  if (!stat) {
    return stat.error().kind == ErrorKind::kAbsent
               ? gone(proc, kubelet.pid, "the kubelet has ended")
               : tl::unexpected{stat.error()};
  }
  if (stat->start != kubelet.start) {
    return gone(proc, kubelet.pid, "the kubelet has ended; another process has its number");
  }
  const auto argv = cgroup::read_cmdline(proc, kubelet.pid, buffer);
  if (!argv || argv->empty()) {
    return gone(proc, kubelet.pid, "the kubelet is ending");
  }
  if (cgroup::base_name(argv->front()) != "kubelet") {
    return refuse(ErrorKind::kUnsupported,
                  proc,
                  folder + "/cmdline",
                  "begins with " + cgroup::quote(argv->front()) + ", which is no kubelet",
                  kRestartByHand);
  }
  const auto parent = cgroup::read_process_stat(proc, stat->parent, buffer);
  if (!parent || parent->comm != "rke2") {
    return refuse(ErrorKind::kUnsupported,
                  proc,
                  folder + "/stat",
                  "its parent is " + (parent ? cgroup::quote(parent->comm) : "unknown") +
                      ", not rke2: nothing is known to start this kubelet again",
                  kRestartByHand);
  }
  return {};
}

tl::unexpected<Error> open_error(const cgroup::Directory& proc, const Kubelet& kubelet, int code) {
  const std::string folder = std::to_string(kubelet.pid);
  if (code == ENOSYS) {
    return refuse(
        ErrorKind::kUnsupported,
        proc,
        folder,
        "this kernel has no pidfd_open (Linux 5.3), so a signal might hit another process",
        kRestartByHand);
  }
  if (code == ESRCH) {
    return gone(proc, kubelet.pid, "the kubelet has ended");
  }
  return refuse(code == EPERM || code == EACCES ? ErrorKind::kDenied : ErrorKind::kIo,
                proc,
                folder,
                "pidfd_open: " + std::generic_category().message(code),
                "allow pidfd_open in the agent's system call filter");
}

Result<void> signal(int pidfd, const cgroup::Directory& proc, const Kubelet& kubelet) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, nullptr, 0) == 0) {
    return {};
  }
  const int code = errno;
  if (code == ESRCH) {
    return gone(proc, kubelet.pid, "the kubelet has ended");
  }
  const bool denied = code == EPERM || code == EACCES;
  return refuse(denied ? ErrorKind::kDenied : ErrorKind::kIo,
                proc,
                std::to_string(kubelet.pid),
                "SIGTERM to the kubelet: " + std::generic_category().message(code),
                denied ? kMaySignal : kRestartByHand);
}

}  // namespace

Result<void> terminate_kubelet(const cgroup::Directory& proc, const Kubelet& kubelet) {
  if (kubelet.embedded || kubelet.target != Target::kRke2Dropin || kubelet.pid <= 1) {
    return refuse(ErrorKind::kUnsupported,
                  proc,
                  std::to_string(kubelet.pid),
                  "only a kubelet that rke2 starts from drop-ins is ended by a signal; the target "
                  "here is " +
                      std::string{to_text(kubelet.target)},
                  kRestartByHand);
  }
  if (Result<void> shared = check_namespace(proc); !shared) {
    return shared;
  }
  const Descriptor pidfd{static_cast<int>(::syscall(SYS_pidfd_open, kubelet.pid, 0))};
  if (pidfd.get() < 0) {
    return open_error(proc, kubelet, errno);
  }
  return check_process(proc, kubelet).and_then([&] { return signal(pidfd.get(), proc, kubelet); });
}

}  // namespace eviction::agent
