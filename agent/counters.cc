// SPDX-License-Identifier: Apache-2.0
#include "agent/counters.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace eviction::agent {

namespace {

struct FileKind {
  std::string_view part;  ///< of the path; the first that is found decides
  std::string_view kind;
};

constexpr std::string_view kOther = "other";

constexpr std::array kFileKinds{
    FileKind{"://", "api-server"},
    FileKind{"/meminfo", "meminfo"},
    FileKind{"/vmstat", "vmstat"},
    FileKind{"/zoneinfo", "zoneinfo"},
    FileKind{"/osrelease", "osrelease"},
    FileKind{"/uptime", "uptime"},
    FileKind{"pressure", "pressure"},
    FileKind{"hugepages", "hugepages"},
    FileKind{"/memory.stat", "memory.stat"},
    FileKind{"/memory.current", "memory.current"},
    FileKind{"/memory.usage_in_bytes", "memory.current"},
    FileKind{"/memory.max", "memory.max"},
    FileKind{"/memory.limit_in_bytes", "memory.max"},
    FileKind{"/memory.events", "memory.events"},
    FileKind{"/cgroup.procs", "cgroup.procs"},
    FileKind{"/sys/fs/cgroup", "cgroup"},
    FileKind{"_pods_state", "checkpoint"},
    FileKind{"/pod_status_manager_state", "checkpoint"},
    FileKind{"/var/log/pods", "pod-names"},
    FileKind{"kubeconfig", "kubeconfig"},
    FileKind{"kubelet", "kubelet-config"},
    FileKind{"/etc/rancher", "supervisor-config"},
};

}  // namespace

std::string_view file_kind(const Error& error) {
  const auto* const known = std::ranges::find_if(kFileKinds, [&error](const FileKind& kind) {
    return error.path.find(kind.part) != std::string::npos;
  });
  return known == kFileKinds.end() ? kOther : known->kind;
}

void count_walk(Counters& counters, const std::vector<Error>& problems) {
  counters.read_errors.emplace(kOther, 0);
  for (const FileKind& known : kFileKinds) {
    counters.read_errors.emplace(known.kind, 0);
  }
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
    counters.cpu = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec});
  }
  for (const Error& problem : problems) {
    count_error(counters, problem);
  }
}

void count_error(Counters& counters, const Error& error) {
  ++counters.read_errors[file_kind(error)];
}

}  // namespace eviction::agent
