// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/plan.h"
#include "cgroup/bytes.h"

namespace eviction::tests {

using literals::operator""_B;
using literals::operator""_GiB;
using literals::operator""_MiB;

/// A pod with exact values, for a test to change.
inline agent::Pod sample_pod(const std::string& uid, const std::string& name) {
  agent::Pod pod;
  pod.uid = uid;
  pod.name_space = "default";
  pod.name = name;
  pod.usage = 900_MiB;
  pod.working_set = 800_MiB;
  pod.request = agent::MemoryRequest{
      .low = 1200_MiB, .high = 1200_MiB, .source = agent::RequestSource::kCheckpoint};
  pod.limit = 1500_MiB;
  return pod;
}

inline agent::Kubelet sample_kubelet() {
  agent::Kubelet kubelet;
  kubelet.pid = 4242;
  kubelet.supervisor = "rke2";
  kubelet.version =
      config::KubeletVersion{.major = 1, .minor = 36, .patch = 2, .suffix = "+rke2r1"};
  kubelet.version_source = "path of the executable";
  kubelet.target = agent::Target::kRke2Dropin;
  kubelet.target_reason = "--config-dir is in argv";
  kubelet.file = "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf";
  const std::string file = "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/00-rke2-defaults.conf";
  kubelet.loaded.settings.eviction_hard =
      config::SettingMap{{"imagefs.available", {.value = "5%", .source = file}},
                         {"nodefs.available", {.value = "5%", .source = file}}};
  kubelet.loaded.settings.eviction_minimum_reclaim =
      config::SettingMap{{"nodefs.available", {.value = "10%", .source = file}}};
  return kubelet;
}

/// A healthy RKE2 node of 4 GiB with two VMs and a container, all of which is known.
/// K 250 + R 50 + w 30 - a 10 = 320 MiB, the gap between 1024 and 704 MiB.
inline agent::Plan sample_plan() {
  agent::Plan plan;
  agent::Observation& seen = plan.observation;
  seen.meminfo = cgroup::Meminfo{};
  seen.meminfo->mem_total = 4_GiB;
  seen.meminfo->swap_total = 0_B;
  seen.pressure = cgroup::Pressure{};
  seen.kernel = "6.1.0-50-amd64";
  seen.cgroup_mode = cgroup::CgroupMode::kV2;
  seen.kubelet = sample_kubelet();
  seen.pods_known = true;
  seen.pods = {sample_pod("0001", "virt-launcher-a"), sample_pod("0002", "virt-launcher-b")};
  seen.pods.push_back(sample_pod("0003", "web"));
  seen.pods[0].workload = agent::WorkloadClass::kVm;
  seen.pods[1].workload = agent::WorkloadClass::kVm;
  plan.memory = {.formula = agent::KubeletFormula::kAnonFile,
                 .capacity = 4_GiB,
                 .kubelet_available = 1024_MiB,
                 .mem_available = 704_MiB,
                 .gap = 320_MiB,
                 .kernel = 250_MiB,
                 .page_tables_to_come = 0_B,
                 .reserve = 50_MiB,
                 .cache_floor = 30_MiB,
                 .active_file = 10_MiB,
                 .hugepages = 0_B,
                 .outside_kubepods = 300_MiB,
                 .reserved = 200_MiB};
  for (const agent::WorkloadClass workload : agent::kWorkloadClasses) {
    plan.workloads[workload];
  }
  plan.workloads[agent::WorkloadClass::kVm] = {
      .pods = 2, .working_set = 1600_MiB, .request = 2400_MiB, .headroom = 1200_MiB};
  plan.workloads[agent::WorkloadClass::kContainer] = {
      .pods = 1, .working_set = 800_MiB, .request = 1200_MiB, .headroom = 600_MiB};
  plan.sizing = {.instrument = agent::Instrument::kSoft,
                 .need = 736_MiB,
                 .hard = {},
                 .soft = 736_MiB,
                 .reclaim = 112_MiB,
                 .shortfall = 240_MiB,
                 .reason = "no hard value that is effective passes requests-fit",
                 .terms = {{"growth", 400_MiB, "largest fall in one reaction time", "prior"},
                           {"reserve", 50_MiB, "pages the kernel keeps", "/proc/zoneinfo"}},
                 .growth = agent::Growth{.bytes = 400_MiB,
                                         .per_poll = 200_MiB,
                                         .reason = "largest fall in one reaction time",
                                         .source = "prior and record of this node",
                                         .prior = 600_MiB,
                                         .learned = agent::LearnedGrowth{.node = 180_MiB,
                                                                         .node_long = 300_MiB,
                                                                         .containers = 150_MiB,
                                                                         .vms = 20_MiB,
                                                                         .weight = 0.5},
                                         .seen = 207_MiB}};
  plan.guards = {{"requests-fit", true, "3600 MiB of requests in 4 GiB"},
                 {"settled", std::nullopt, "the kubelet's start is not known"}};
  plan.file_content = "evictionSoft:\n  memory.available: 736Mi\n";
  plan.diff = "+evictionSoft:\n+  memory.available: 736Mi\n";
  plan.next_victims = {seen.pods[2], seen.pods[0]};
  plan.allocatable_now = 4_GiB;
  plan.allocatable_after = 4_GiB;
  plan.memory_pressure_effect = "BestEffort pods are refused";
  seen.problems = {{.kind = ErrorKind::kMalformed,
                    .path = "/proc/vmstat",
                    .line = 7,
                    .what = "\"oom_kill\" has no number",
                    .remedy = "report it"}};
  return plan;
}

}  // namespace eviction::tests
