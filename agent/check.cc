// SPDX-License-Identifier: Apache-2.0
#include "agent/check.h"

#include <algorithm>
#include <cstddef>

#include <spdlog/fmt/fmt.h>

#include "agent/findings.h"
#include "agent/policy/decide.h"

namespace eviction::agent {

namespace {

/// What an error says to do, or what its kind implies.
std::string remedy_of(const Error& error) {
  if (!error.remedy.empty()) {
    return error.remedy;
  }
  switch (error.kind) {
    case ErrorKind::kDenied:
      return "run the agent as root, in a container privileged and with hostPID";
    case ErrorKind::kVanished:
      return "nothing needs doing: it went away during the look";
    case ErrorKind::kAbsent:
    case ErrorKind::kUnsupported:
      return "nothing needs doing if this node is meant to have none";
    case ErrorKind::kMalformed:
    case ErrorKind::kTooLarge:
      return "correct the file if it is one of yours; else report its content as a bug of the "
             "agent";
    case ErrorKind::kIo:
      return "look for the cause in the kernel's log";
  }
  return kNothingToDo;
}

void check_meminfo(const Plan& plan, Findings& findings) {
  if (plan.memory.capacity) {
    add_ok(findings, "meminfo", to_human(*plan.memory.capacity) + " of RAM");
  } else {
    add(findings,
        "meminfo",
        Severity::kError,
        "/proc/meminfo could not be read: the size of this node is not known",
        "point --path.procfs at the host's /proc");
  }
}

void check_kernel(const Plan& plan, Findings& findings) {
  if (plan.observation.kernel) {
    add_ok(findings, "kernel", "Linux " + *plan.observation.kernel);
  } else {
    add(findings,
        "kernel",
        Severity::kInfo,
        "the kernel's release could not be read",
        kNothingToDo);
  }
}

void check_cgroup(const Plan& plan, Findings& findings) {
  const Observation& seen = plan.observation;
  const std::string mode{cgroup::to_text(seen.cgroup_mode)};
  switch (seen.cgroup_mode) {
    case cgroup::CgroupMode::kV2:
      add_ok(findings, "cgroup-version", "cgroup " + mode);
      return;
    case cgroup::CgroupMode::kV1:
    case cgroup::CgroupMode::kHybrid:
      add(findings,
          "cgroup-version",
          Severity::kWarning,
          "cgroup " + mode +
              ": the kubelet uses v1, which has no pressure and fewer events a cgroup",
          "boot with systemd.unified_cgroup_hierarchy=1");
      return;
    case cgroup::CgroupMode::kNone:
      add(findings,
          "cgroup-version",
          Severity::kWarning,
          seen.cgroup_absent ? fact_of(*seen.cgroup_absent) : "no cgroup memory controller",
          seen.cgroup_absent && !seen.cgroup_absent->remedy.empty()
              ? seen.cgroup_absent->remedy
              : "mount cgroup v2 (boot with systemd.unified_cgroup_hierarchy=1), or point "
                "--path.sysfs at the host's /sys");
      return;
  }
}

void check_psi(const Plan& plan, Findings& findings) {
  const Observation& seen = plan.observation;
  if (seen.pressure) {
    add_ok(findings, "psi", "pressure stall information is on");
    return;
  }
  const bool told = seen.pressure_absent && !seen.pressure_absent->remedy.empty();
  add(findings,
      "psi",
      Severity::kWarning,
      seen.pressure_absent ? fact_of(*seen.pressure_absent) : "no pressure stall information",
      told ? seen.pressure_absent->remedy : "boot with psi=1 on a kernel that has CONFIG_PSI");
}

void check_swap(const Plan& plan, Findings& findings) {
  const auto& meminfo = plan.observation.meminfo;
  const Bytes total = meminfo ? meminfo->swap_total.value_or(Bytes{}) : Bytes{};
  if (!meminfo || !meminfo->swap_total) {
    add(findings, "swap", Severity::kInfo, "not known: /proc/meminfo does not tell", kNothingToDo);
  } else if (total > Bytes{}) {
    add(findings,
        "swap",
        Severity::kWarning,
        to_human(total) + " of swap, " + to_human(total - meminfo->swap_free.value_or(total)) +
            " in use: memory.available stays high while the node already swaps",
        "swapoff -a and take it out of /etc/fstab, or expect evictions to come late");
  } else {
    add_ok(findings, "swap", "none");
  }
}

void check_zswap(const Plan& plan, Findings& findings) {
  const auto& meminfo = plan.observation.meminfo;
  const Bytes pool = meminfo ? meminfo->zswap.value_or(Bytes{}) : Bytes{};
  if (pool > Bytes{}) {
    add(findings,
        "zswap",
        Severity::kWarning,
        to_human(pool) + " in the zswap pool, which grows under pressure and counts as available",
        "boot with zswap.enabled=0");
  } else {
    add_ok(findings, "zswap", "not in use");
  }
}

void check_hugepages(const Plan& plan, Findings& findings) {
  if (plan.memory.hugepages > Bytes{}) {
    add(findings,
        "hugepages",
        Severity::kInfo,
        to_human(plan.memory.hugepages) +
            " in hugepage pools: a kubelet up to 1.36 counts them as available and takes them off "
            "Allocatable as well",
        "nothing needs doing: the sizing has them in its kernel term");
  } else {
    add_ok(findings, "hugepages", "none");
  }
}

void check_vm_pods(const Plan& plan, Findings& findings) {
  const std::vector<Pod>& pods = plan.observation.pods;
  const auto vms = std::count_if(
      pods.begin(), pods.end(), [](const Pod& pod) { return pod.workload == WorkloadClass::kVm; });
  if (!plan.observation.pods_known) {
    add(findings,
        "vm-pods",
        Severity::kWarning,
        "not known: the pods' cgroups could not be listed",
        "see \"files\" and \"rights\"; a node whose kubelet has not run yet has none");
  } else if (vms > 0) {
    add(findings,
        "vm-pods",
        Severity::kInfo,
        fmt::format(
            "{} of {} pods are VMs: a hard eviction is a power cut for a VM", vms, pods.size()),
        "nothing needs doing: the sizing and its guards allow for them");
  } else {
    add_ok(findings, "vm-pods", fmt::format("none among {} pods", pods.size()));
  }
}

void check_requests(const Plan& plan, Findings& findings) {
  const std::vector<Pod>& pods = plan.observation.pods;
  const auto guessed = std::count_if(pods.begin(), pods.end(), [](const Pod& pod) {
    return !pod.request || pod.request->source == RequestSource::kEstimate;
  });
  if (guessed > 0) {
    add(findings,
        "requests",
        Severity::kWarning,
        fmt::format(
            "the memory requests of {} of {} pods are only estimated or not known: whether a "
            "hard threshold leaves room for them cannot be told for sure",
            guessed,
            pods.size()),
        "let the agent read the kubelet's allocated_pods_state (kubelet 1.33 or later)");
  } else if (plan.observation.pods_known) {
    add_ok(findings, "requests", "known of all pods");
  } else {
    add(findings, "requests", Severity::kInfo, "not known without the pods", "see \"vm-pods\"");
  }
}

/// Where the daemon does not mend it: it does not run, or has mode observe.
void check_next_start(const Plan& plan, Findings& findings) {
  if (const std::string why = next_start_rejects(plan); !why.empty()) {
    add(findings,
        "next-start",
        Severity::kError,
        why,
        "run the daemon in mode stage or enforce, which makes the value smaller, or run "
        "eviction-agent rollback");
  }
}

/// Files that could not be read: those a permission is missing for, then all others.
void check_problems(const Plan& plan, Findings& findings) {
  const std::vector<Error>& problems = plan.observation.problems;
  for (const bool rights : {true, false}) {
    const char* name = rights ? "rights" : "files";
    const std::size_t before = findings.size();
    for (const Error& problem : problems) {
      if ((problem.kind == ErrorKind::kDenied) == rights) {
        add(findings, name, Severity::kWarning, fact_of(problem), remedy_of(problem));
      }
    }
    if (findings.size() == before) {
      add_ok(findings, name, rights ? "none is missing" : "all could be read and understood");
    }
  }
}

}  // namespace

void add(Findings& findings,
         const std::string& name,
         Severity severity,
         const std::string& what,
         const std::string& remedy) {
  findings.push_back({name, severity, what, remedy});
}

void add_ok(Findings& findings, const std::string& name, const std::string& what) {
  findings.push_back({name, Severity::kOk, what, {}});
}

std::string fact_of(Error error) {
  error.remedy.clear();
  return to_text(error);
}

std::string_view to_text(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

std::vector<Finding> check(const Plan& plan) {
  Findings findings;
  check_meminfo(plan, findings);
  check_kernel(plan, findings);
  check_cgroup(plan, findings);
  check_psi(plan, findings);
  check_swap(plan, findings);
  check_zswap(plan, findings);
  check_hugepages(plan, findings);
  check_kubelet(plan, findings);
  check_vm_pods(plan, findings);
  check_requests(plan, findings);
  check_next_start(plan, findings);
  check_problems(plan, findings);
  return findings;
}

bool fit(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Severity::kError;
  });
}

}  // namespace eviction::agent
