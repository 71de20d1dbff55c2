// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/incident_log.h"
#include "agent/incident_recorder.h"
#include "tests/support/fake_kmsg.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {

inline constexpr const char* kBurstable = "10d16a28-60ff-475f-a631-510d9792219f";
inline constexpr const char* kGuaranteed = "0330b2c1-a15b-4cdd-b5e5-72d4a90bee82";
inline constexpr const char* kBestEffort = "7145627f-44a7-433c-a896-a8c81a4df533";
inline constexpr const char* kContainer =
    "178ec18073cc6ac7be2de8d9869daf162a6349dd056b6535849112c53ec3102a";

/// Where the kubelet puts a pod, by cgroup driver. The paths are the same on cgroup v1 and v2.
inline std::string systemd_pod(std::string uid, const std::string& qos) {
  std::ranges::replace(uid, '-', '_');
  const std::string slice = qos.empty() ? "kubepods" : "kubepods-" + qos;
  return "/kubepods.slice/" + (qos.empty() ? "" : slice + ".slice/") + slice + "-pod" + uid +
         ".slice";
}

inline std::string cgroupfs_pod(const std::string& uid, const std::string& qos) {
  return "/kubepods/" + (qos.empty() ? "" : qos + '/') + "pod" + uid;
}

inline std::string scope(const std::string& pod) {
  return pod + "/cri-containerd-" + kContainer + ".scope";
}

inline const std::string kSystemdBurstable = systemd_pod(kBurstable, "burstable");
inline const std::string kSystemdGuaranteed = systemd_pod(kGuaranteed, "");
inline const std::string kSystemdBestEffort = systemd_pod(kBestEffort, "besteffort");
inline const std::string kCgroupfsBurstable = cgroupfs_pod(kBurstable, "burstable");
inline const std::string kCgroupfsGuaranteed = cgroupfs_pod(kGuaranteed, "");

/// A node on which kills are played: the kernel's log and its counters, with walks in between.
class Node {
 public:
  Node() {
    tree_.directory("var/lib").file("proc/sys/kernel/random/boot_id", "boot-1\n");
    tree_.directory("sys");
    plan_.observation.pods_known = true;
    plan_.observation.kubepods_path = "kubepods.slice";
    plan_.observation.kubepods = cgroup::CgroupMemory{};
    plan_.observation.kubepods->own_oom = 0;
    plan_.observation.qos_oom = {0, 0};
    for (const auto& [uid, name, qos] :
         {std::tuple{kGuaranteed, "guaranteed", cgroup::QosClass::kGuaranteed},
          std::tuple{kBurstable, "burstable", cgroup::QosClass::kBurstable},
          std::tuple{kBestEffort, "besteffort", cgroup::QosClass::kBestEffort}}) {
      Pod pod;
      pod.uid = uid;
      pod.name_space = "default";
      pod.name = name;
      pod.qos = qos;
      pod.limit = Bytes{std::int64_t{2} << 30};
      pod.oom = OomCounts{.kills = 0, .limits = 0, .own_limit = 0};
      plan_.observation.pods.push_back(pod);
    }
    plan_.sizing.need = Bytes{800 << 20};
  }

  Node& with_log() {
    kmsg_ = std::make_unique<tests::FakeKmsg>(tree_, kUptime);
    return start();
  }

  Node& without_log() { return start(); }

  Node& with_unreadable_log() {
    tree_.directory("dev");
    std::filesystem::create_symlink("kmsg", tree_.path("dev/kmsg"));  // ELOOP
    return start();
  }

  /// The kernel kills for a limit (oom_memcg) or for none (empty).
  Node& kill(const std::string& constraint,
             const std::string& oom_memcg,
             const std::string& task_memcg,
             int pid = 68061) {
    kmsg_->log("stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=872");
    if (!oom_memcg.empty()) {
      kmsg_->log("memory: usage 524288kB, limit 524288kB, failcnt 51");
    }
    const std::string process = std::to_string(pid);
    kmsg_->log("oom-kill:constraint=CONSTRAINT_" + constraint +
               ",nodemask=(null),cpuset=cri-containerd-x.scope,mems_allowed=0-1," +
               (oom_memcg.empty() ? "global_oom" : "oom_memcg=" + oom_memcg) +
               ",task_memcg=" + task_memcg + ",task=stress,pid=" + process + ",uid=0");
    return died(oom_memcg.empty() ? "Out of memory" : "Memory cgroup out of memory", pid);
  }

  Node& died(const std::string& why, int pid) {
    kmsg_->log(why + ": Killed process " + std::to_string(pid) +
               " (stress) total-vm:4195088kB, anon-rss:2884696kB, file-rss:288kB, shmem-rss:0kB, "
               "UID:0 pgtables:5696kB oom_score_adj:872");
    return *this;
  }

  Node& group(const std::string& memcg, int pid) {
    kmsg_->log("Tasks in " + memcg + " are going to be killed due to memory.oom.group set");
    return died("Memory cgroup out of memory", pid);
  }

  Node& log(const std::string& text) {
    kmsg_->log(text);
    return *this;
  }

  /// The kernel killed for none so long ago.
  Node& killed(std::chrono::minutes age) {
    kmsg_->log(
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
        "task_memcg=/a,task=a,pid=1,uid=0",
        age);
    return *this;
  }

  /// The counters of a pod rise.
  Node& count(const std::string& uid, int kills, int limits = 0, int own = 0) {
    OomCounts& counts = *pod(uid).oom;
    counts.kills += static_cast<std::uint64_t>(kills);
    counts.limits += static_cast<std::uint64_t>(limits);
    *counts.own_limit += static_cast<std::uint64_t>(own);
    return *this;
  }

  Node& walk() {
    recorder_->walked();
    return *this;
  }

  Node& restart_agent() {
    recorder_.reset();
    if (kmsg_) {
      kmsg_->rewind();
    }
    return start();
  }

  Node& boot() {
    tree_.file("proc/sys/kernel/random/boot_id", "boot-2\n");
    std::filesystem::remove(tree_.path("dev/kmsg"));
    recorder_.reset();
    kmsg_ = std::make_unique<tests::FakeKmsg>(tree_, kUptime);
    return start();
  }

  /// What the kubelet makes for a pod before its first container.
  Node& log_folder(const std::string& name) {
    tree_.directory("var/log/pods/" + name);
    return *this;
  }

  /// What a rollback does to the incidents.
  Node& forget_incidents() {
    std::filesystem::remove(tree_.path("var/lib/eviction-agent/incidents.jsonl"));
    return *this;
  }

  /// Nothing can be kept any more.
  void block_folder() { tree_.file("var/lib/eviction-agent", "a file"); }

  void unblock_folder() { std::filesystem::remove(tree_.path("var/lib/eviction-agent")); }

  [[nodiscard]] Pod& pod(const std::string& uid) {
    return *std::ranges::find(plan_.observation.pods, uid, &Pod::uid);
  }

  [[nodiscard]] std::vector<nlohmann::ordered_json> incidents() const {
    const auto loaded = load_incidents(*host_->root, {});
    EXPECT_TRUE(loaded);
    EXPECT_EQ(loaded->unreadable, 0U);
    return loaded->incidents;
  }

  [[nodiscard]] Plan& plan() { return plan_; }

  [[nodiscard]] IncidentRecorder& recorder() { return *recorder_; }

 private:
  /// The machine that the test runs on may have just started: no kill would be older than it.
  static constexpr std::chrono::hours kUptime{1};

  Node& start() {
    host_ = std::make_unique<Host>(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()));
    recorder_ = std::make_unique<IncidentRecorder>(*host_, *loop_, plan_, kmsg_now() + kUptime);
    return walk();
  }

  tests::TemporaryTree tree_;
  std::unique_ptr<tests::FakeKmsg> kmsg_;
  std::unique_ptr<Host> host_;
  Result<systemd::EventLoop> loop_ = systemd::EventLoop::create();
  Plan plan_;
  std::unique_ptr<IncidentRecorder> recorder_;
};

}  // namespace eviction::agent
