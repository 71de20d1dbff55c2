// SPDX-License-Identifier: Apache-2.0
#include "agent/check.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/sample_plan.h"

namespace eviction::agent {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using tests::sample_plan;
using namespace literals;  // NOLINT(google-build-using-namespace): 1_GiB

config::KubeletSettings& settings(Plan& plan) {
  return plan.observation.kubelet->loaded.settings;
}

void set_hard(Plan& plan, const std::string& value) {
  (*settings(plan).eviction_hard)["memory.available"] =
      config::Setting{.value = value, .source = "60-x.conf"};
}

struct Case {
  const char* what;
  std::function<void(Plan&)> change;
  const char* name;
  Severity severity;
  const char* text;  ///< in what or remedy
};

const std::vector<Case> kCases = {
    {"no meminfo",
     [](Plan& plan) { plan.memory.capacity.reset(); },
     "meminfo",
     Severity::kError,
     "/proc/meminfo"},
    {"cgroup v1",
     [](Plan& plan) { plan.observation.cgroup_mode = cgroup::CgroupMode::kV1; },
     "cgroup-version",
     Severity::kWarning,
     "systemd.unified_cgroup_hierarchy=1"},
    {"hybrid cgroups",
     [](Plan& plan) { plan.observation.cgroup_mode = cgroup::CgroupMode::kHybrid; },
     "cgroup-version",
     Severity::kWarning,
     "systemd.unified_cgroup_hierarchy=1"},
    {"no cgroups",
     [](Plan& plan) { plan.observation.cgroup_mode = cgroup::CgroupMode::kNone; },
     "cgroup-version",
     Severity::kWarning,
     "mount cgroup v2"},
    {"no PSI",
     [](Plan& plan) { plan.observation.pressure.reset(); },
     "psi",
     Severity::kWarning,
     "psi=1"},
    {"swap",
     [](Plan& plan) {
       plan.observation.meminfo->swap_total = 2_GiB;
       plan.observation.meminfo->swap_free = 1_GiB;
     },
     "swap",
     Severity::kWarning,
     "1 GiB in use"},
    {"zswap",
     [](Plan& plan) { plan.observation.meminfo->zswap = 64_MiB; },
     "zswap",
     Severity::kWarning,
     "64 MiB"},
    {"hugepages",
     [](Plan& plan) { plan.memory.hugepages = 2_GiB; },
     "hugepages",
     Severity::kInfo,
     "2 GiB"},
    {"no kernel release",
     [](Plan& plan) { plan.observation.kernel.reset(); },
     "kernel",
     Severity::kInfo,
     "nothing needs doing"},
    {"no kubelet",
     [](Plan& plan) { plan.observation.kubelet.reset(); },
     "kubelet",
     Severity::kError,
     "hostPID"},
    {"unknown version",
     [](Plan& plan) { plan.observation.kubelet->version.reset(); },
     "kubelet-version",
     Severity::kWarning,
     "eviction-agent.ini"},
    {"a kubelet newer than is known",
     [](Plan& plan) { plan.observation.kubelet->version->minor = config::kNewestMinor + 1; },
     "kubelet-version",
     Severity::kWarning,
     "allow-version"},
    {"a kubelet older than is known",
     [](Plan& plan) { plan.observation.kubelet->version->minor = config::kOldestMinor - 1; },
     "kubelet-version",
     Severity::kWarning,
     "1.24"},
    {"files the kubelet refuses",
     [](Plan& plan) { plan.observation.kubelet->loaded.errors = {"60-x.conf:3: bad"}; },
     "kubelet-settings",
     Severity::kError,
     "60-x.conf:3: bad"},
    {"a threshold the kubelet refuses",
     [](Plan& plan) { set_hard(plan, "10GiB"); },
     "kubelet-settings",
     Severity::kError,
     "does not start again"},
    {"more reserved than there is",
     [](Plan& plan) { set_hard(plan, "5Gi"); },
     "kubelet-settings",
     Severity::kError,
     "does not start again"},
    {"settings that mean something else",
     [](Plan& plan) { plan.observation.kubelet->loaded.warnings = {"10-y.conf: unknown field"}; },
     "kubelet-settings",
     Severity::kWarning,
     "10-y.conf"},
    {"no target",
     [](Plan& plan) {
       plan.observation.kubelet->target = Target::kNone;
       plan.observation.kubelet->target_reason = "no --config-dir";
     },
     "target",
     Severity::kWarning,
     "--config-dir=DIRECTORY"},
    {"shadowed",
     [](Plan& plan) { plan.shadowed_by = "--eviction-hard"; },
     "shadowed",
     Severity::kWarning,
     "--eviction-hard"},
    {"a distribution without memory.available",
     [](Plan&) {},
     "memory-signal",
     Severity::kWarning,
     "no memory eviction signal"},
    {"a disabled memory.available",
     [](Plan& plan) { set_hard(plan, "0%"); },
     "memory-signal",
     Severity::kWarning,
     "no memory eviction signal"},
    {"memory.available in force",
     [](Plan& plan) { set_hard(plan, "500Mi"); },
     "memory-signal",
     Severity::kOk,
     "60-x.conf"},
    // K 250 + R 50 MiB; the kubelet's own default never fires on such a node. By the
    // allocatable copy: R 50 + (S 300 - V 200) = 150 MiB.
    {"the kubelet's own default",
     [](Plan& plan) { set_hard(plan, "100Mi"); },
     "memory-threshold",
     Severity::kWarning,
     "300 MiB"},
    {"its allocatable copy",
     [](Plan& plan) { set_hard(plan, "100Mi"); },
     "memory-threshold",
     Severity::kWarning,
     "150 MiB"},
    {"enough by the allocatable copy",
     [](Plan& plan) { set_hard(plan, "150Mi"); },
     "memory-threshold",
     Severity::kOk,
     "150 MiB"},
    {"no allocatable copy",
     [](Plan& plan) {
       settings(plan).enforce_node_allocatable.clear();
       set_hard(plan, "150Mi");
     },
     "memory-threshold",
     Severity::kWarning,
     "300 MiB"},
    {"enough by the node's signal",
     [](Plan& plan) {
       settings(plan).enforce_node_allocatable.clear();
       set_hard(plan, "300Mi");
     },
     "memory-threshold",
     Severity::kOk,
     "300 MiB"},
    {"a need that is not known",
     [](Plan& plan) {
       plan.memory.reserve.reset();
       set_hard(plan, "100Mi");
     },
     "memory-threshold",
     Severity::kInfo,
     "unknown need"},
    {"disk signals of the distribution",
     [](Plan&) {},
     "default-signals",
     Severity::kInfo,
     "imagefs.inodesFree<5%"},
    {"disk signals lost",
     [](Plan& plan) { plan.observation.kubelet->supervisor = "systemd"; },
     "default-signals",
     Severity::kWarning,
     "nodefs.inodesFree<5%"},
    {"no evictionHard at all",
     [](Plan& plan) {
       plan.observation.kubelet->supervisor = "systemd";
       settings(plan).eviction_hard.reset();
     },
     "default-signals",
     Severity::kWarning,
     "without --config"},
    {"Static memory manager",
     [](Plan& plan) {
       settings(plan).memory_manager_policy = {"Static", "00.conf"};
     },
     "memory-manager",
     Severity::kWarning,
     "memory_manager_state"},
    {"VMs", [](Plan&) {}, "vm-pods", Severity::kInfo, "2 of 3 pods"},
    {"no VM",
     [](Plan& plan) {
       plan.observation.pods.erase(plan.observation.pods.begin(),
                                   plan.observation.pods.begin() + 2);
     },
     "vm-pods",
     Severity::kOk,
     "1 pods"},
    {"pods not known",
     [](Plan& plan) { plan.observation.pods_known = false; },
     "vm-pods",
     Severity::kWarning,
     "not known"},
    {"an estimated request",
     [](Plan& plan) { plan.observation.pods[0].request->source = RequestSource::kEstimate; },
     "requests",
     Severity::kWarning,
     "1 of 3"},
    {"a request that nobody tells",
     [](Plan& plan) { plan.observation.pods[0].request.reset(); },
     "requests",
     Severity::kWarning,
     "1 of 3"},
    {"a missing right",
     [](Plan& plan) {
       plan.observation.problems = {
           {ErrorKind::kDenied, "/proc/1/environ", 0, "permission denied"}};
     },
     "rights",
     Severity::kWarning,
     "/proc/1/environ"},
    {"an unreadable file", [](Plan&) {}, "files", Severity::kWarning, "/proc/vmstat:7"},
};

TEST(Check, FindsEachThing) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.what);
    Plan plan = sample_plan();
    one.change(plan);
    std::vector<std::string> seen;
    bool found = false;
    for (const Finding& finding : check(plan)) {
      const std::string text = finding.what + " -> " + finding.remedy;
      found = found || (finding.name == one.name && finding.severity == one.severity &&
                        text.find(one.text) != std::string::npos);
      if (finding.name == one.name) {
        seen.push_back(std::string{to_text(finding.severity)} + ": " + text);
      }
    }
    EXPECT_TRUE(found) << testing::PrintToString(seen);
  }
}

TEST(Check, EveryFindingThatIsNotOkSaysWhatToDo) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.what);
    Plan plan = sample_plan();
    one.change(plan);
    for (const Finding& finding : check(plan)) {
      EXPECT_NE(finding.what, "") << finding.name;
      EXPECT_EQ(finding.remedy.empty(), finding.severity == Severity::kOk) << finding.name;
    }
  }
}

TEST(Check, ErrorsOfEveryKindOfFailureHaveARemedy) {
  for (const ErrorKind kind : {ErrorKind::kAbsent,
                               ErrorKind::kUnsupported,
                               ErrorKind::kDenied,
                               ErrorKind::kVanished,
                               ErrorKind::kMalformed,
                               ErrorKind::kTooLarge,
                               ErrorKind::kIo}) {
    Plan plan = sample_plan();
    plan.observation.problems = {{kind, "/proc/x", 0, "failed"}};
    EXPECT_THAT(check(plan),
                Contains(AllOf(Field(&Finding::what, HasSubstr("/proc/x")),
                               Field(&Finding::remedy, Not("")))))
        << to_text(kind);
  }
}

TEST(Check, NamesAreStableAndTheirOrderFixed) {
  const std::vector<std::string> expected = {"meminfo",
                                             "kernel",
                                             "cgroup-version",
                                             "psi",
                                             "swap",
                                             "zswap",
                                             "hugepages",
                                             "kubelet",
                                             "kubelet-version",
                                             "kubelet-settings",
                                             "target",
                                             "shadowed",
                                             "memory-signal",
                                             "memory-threshold",
                                             "default-signals",
                                             "memory-manager",
                                             "vm-pods",
                                             "requests",
                                             "rights",
                                             "files"};
  for (const Plan& plan : {sample_plan(), Plan{}}) {
    std::vector<std::string> names;
    for (const Finding& finding : check(plan)) {
      names.push_back(finding.name);
    }
    EXPECT_EQ(names, expected);
  }
}

TEST(Check, OnlyErrorsMakeANodeUnfit) {
  EXPECT_TRUE(fit(check(sample_plan())));
  EXPECT_FALSE(fit(check(Plan{})));
  EXPECT_TRUE(fit({{"psi", Severity::kWarning, "off", "boot with psi=1"}}));
  EXPECT_FALSE(fit({{"kubelet", Severity::kError, "none", "start it"}}));
}

TEST(Check, JudgesByTheNewestKubeletWhenTheVersionIsNotKnown) {
  Plan plan = sample_plan();
  plan.observation.kubelet->version.reset();
  set_hard(plan, "10GiB");
  EXPECT_TRUE(fit(check(plan)));
  EXPECT_THAT(check(plan),
              Contains(AllOf(Field(&Finding::name, "kubelet-settings"),
                             Field(&Finding::severity, Severity::kWarning))));
}

TEST(Check, ASoftThresholdIsJudgedByTheNodeSignalAlone) {
  Plan plan = sample_plan();
  settings(plan).eviction_soft = config::SettingMap{{"memory.available", {"150Mi", "60-x.conf"}}};
  settings(plan).eviction_soft_grace_period =
      config::SettingMap{{"memory.available", {"1s", "60-x.conf"}}};
  EXPECT_THAT(check(plan),
              Contains(AllOf(Field(&Finding::name, "memory-threshold"),
                             Field(&Finding::severity, Severity::kWarning),
                             Field(&Finding::what, HasSubstr("300 MiB")))));
}

}  // namespace
}  // namespace eviction::agent
