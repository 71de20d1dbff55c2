// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_recorder.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/incident_log.h"
#include "agent/json_fields.h"
#include "agent/live_node.h"
#include "tests/support/fake_kmsg.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

constexpr const char* kBurstable = "10d16a28-60ff-475f-a631-510d9792219f";
constexpr const char* kGuaranteed = "0330b2c1-a15b-4cdd-b5e5-72d4a90bee82";
constexpr const char* kBestEffort = "7145627f-44a7-433c-a896-a8c81a4df533";
constexpr const char* kContainer =
    "178ec18073cc6ac7be2de8d9869daf162a6349dd056b6535849112c53ec3102a";

/// Where the kubelet puts a pod, by cgroup driver. The paths are the same on cgroup v1 and v2.
std::string systemd_pod(std::string uid, const std::string& qos) {
  std::ranges::replace(uid, '-', '_');
  const std::string slice = qos.empty() ? "kubepods" : "kubepods-" + qos;
  return "/kubepods.slice/" + (qos.empty() ? "" : slice + ".slice/") + slice + "-pod" + uid +
         ".slice";
}

std::string cgroupfs_pod(const std::string& uid, const std::string& qos) {
  return "/kubepods/" + (qos.empty() ? "" : qos + '/') + "pod" + uid;
}

std::string scope(const std::string& pod) {
  return pod + "/cri-containerd-" + kContainer + ".scope";
}

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
    kmsg_ = std::make_unique<tests::FakeKmsg>(tree_);
    return start();
  }

  Node& without_log() { return start(); }

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
    kmsg_ = std::make_unique<tests::FakeKmsg>(tree_);
    return start();
  }

  /// Nothing can be kept any more.
  void block_folder() { tree_.file("var/lib/eviction-agent", "a file"); }

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
  Node& start() {
    host_ = std::make_unique<Host>(open_host(tree_.path("proc"), tree_.path("sys"), tree_.path()));
    recorder_ = std::make_unique<IncidentRecorder>(*host_, *loop_, plan_);
    return walk();
  }

  tests::TemporaryTree tree_;
  std::unique_ptr<tests::FakeKmsg> kmsg_;
  std::unique_ptr<Host> host_;
  Result<systemd::EventLoop> loop_ = systemd::EventLoop::create();
  Plan plan_;
  std::unique_ptr<IncidentRecorder> recorder_;
};

struct Expected {
  std::string cause;
  std::string uid;  ///< empty: no pod's
};

struct Script {
  const char* name;
  void (*play)(Node& node);
  std::vector<Expected> expected;
};

// NOLINTNEXTLINE(readability-identifier-naming): gtest's name
void PrintTo(const Script& script, std::ostream* stream) {
  *stream << script.name;
}

const std::string kSystemdBurstable = systemd_pod(kBurstable, "burstable");
const std::string kSystemdGuaranteed = systemd_pod(kGuaranteed, "");
const std::string kSystemdBestEffort = systemd_pod(kBestEffort, "besteffort");
const std::string kCgroupfsBurstable = cgroupfs_pod(kBurstable, "burstable");
const std::string kCgroupfsGuaranteed = cgroupfs_pod(kGuaranteed, "");

const std::vector<Script> kScripts{
    {"container limit, systemd driver",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log().kill("MEMCG", path, path).count(kBurstable, 1, 1).walk().walk();
     },
     {{"container-limit", kBurstable}}},
    {"container limit, cgroupfs driver",
     [](Node& node) {
       const std::string path = kCgroupfsGuaranteed + '/' + kContainer;
       node.with_log().kill("MEMCG", path, path).count(kGuaranteed, 1, 1).walk().walk();
     },
     {{"container-limit", kGuaranteed}}},
    {"container limit, cgroup v1 has no counters",
     [](Node& node) {
       const std::string path = kCgroupfsBurstable + '/' + kContainer;
       node.pod(kBurstable).oom.reset();
       node.with_log().kill("MEMCG", path, path).walk().walk();
     },
     {{"container-limit", kBurstable}}},
    {"container limit, Linux 5.0 calls the constraint none",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log().kill("NONE", path, path).walk();
     },
     {{"container-limit", kBurstable}}},
    {"container limit, victim in a cgroup of the container's own",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log().kill("MEMCG", path, path + "/system.slice/nginx.service").walk();
     },
     {{"container-limit", kBurstable}}},
    {"container limit with memory.oom.group",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log()
           .kill("MEMCG", path, path, 1)
           .group(path, 1)
           .died("Memory cgroup out of memory", 2)
           .died("Memory cgroup out of memory", 3)
           .count(kBurstable, 3, 1)
           .walk()
           .walk();
     },
     {{"container-limit", kBurstable}}},
    {"pod limit, systemd driver",
     [](Node& node) {
       node.with_log()
           .kill("MEMCG", kSystemdBurstable, scope(kSystemdBurstable))
           .count(kBurstable, 1, 1, 1)
           .walk()
           .walk();
     },
     {{"pod-limit", kBurstable}}},
    {"pod limit, cgroupfs driver",
     [](Node& node) {
       node.with_log()
           .kill("MEMCG", kCgroupfsGuaranteed, kCgroupfsGuaranteed + '/' + kContainer)
           .walk();
     },
     {{"pod-limit", kGuaranteed}}},
    {"limit of kubepods, systemd driver",
     [](Node& node) {
       node.with_log().kill("MEMCG", "/kubepods.slice", scope(kSystemdBestEffort)).walk();
     },
     {{"ancestor-limit", kBestEffort}}},
    {"limit of kubepods, cgroupfs driver",
     [](Node& node) {
       node.with_log().kill("MEMCG", "/kubepods", kCgroupfsBurstable + '/' + kContainer).walk();
     },
     {{"ancestor-limit", kBurstable}}},
    {"limit of a QoS class",
     [](Node& node) {
       node.with_log()
           .kill("MEMCG", "/kubepods.slice/kubepods-burstable.slice", scope(kSystemdBurstable))
           .walk();
     },
     {{"ancestor-limit", kBurstable}}},
    {"limit of a service of the node",
     [](Node& node) {
       node.with_log().kill("MEMCG", "/system.slice/x.service", "/system.slice/x.service").walk();
     },
     {{"ancestor-limit", ""}}},
    {"node, systemd driver",
     [](Node& node) {
       node.with_log()
           .kill("NONE", "", scope(kSystemdBestEffort))
           .count(kBestEffort, 1)
           .walk()
           .walk();
     },
     {{"node", kBestEffort}}},
    {"node, cgroupfs driver, a process of no pod",
     [](Node& node) { node.with_log().kill("NONE", "", "/system.slice/sshd.service").walk(); },
     {{"node", ""}}},
    {"cpuset",
     [](Node& node) { node.with_log().kill("CPUSET", "", scope(kSystemdGuaranteed)).walk(); },
     {{"cpuset", kGuaranteed}}},
    {"memory policy",
     [](Node& node) {
       node.with_log().kill("MEMORY_POLICY", "", scope(kSystemdGuaranteed)).walk();
     },
     {{"memory-policy", kGuaranteed}}},
    {"two kills in a row",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log()
           .kill("MEMCG", path, path, 1)
           .kill("NONE", "", scope(kSystemdBestEffort), 2)
           .count(kBurstable, 1, 1)
           .count(kBestEffort, 1)
           .walk()
           .walk();
     },
     {{"container-limit", kBurstable}, {"node", kBestEffort}}},
    {"kills before the agent starts, and a restart of it",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log().kill("MEMCG", path, path, 1).walk().restart_agent();
       node.kill("MEMCG", path, path, 2).restart_agent().restart_agent();
     },
     {{"container-limit", kBurstable}, {"container-limit", kBurstable}}},
    {"the numbers of the log begin anew with a boot",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log().log("x").log("y").kill("MEMCG", path, path, 1).walk().boot();
       node.kill("NONE", "", path, 2).walk();
     },
     {{"container-limit", kBurstable}, {"node", kBurstable}}},
    {"without the log: container limit",
     [](Node& node) { node.without_log().count(kBurstable, 3, 1).walk().walk(); },
     {{"container-limit", kBurstable}}},
    {"without the log: pod limit",
     [](Node& node) { node.without_log().count(kBurstable, 1, 1, 1).walk().walk(); },
     {{"pod-limit", kBurstable}}},
    {"without the log: limit of kubepods",
     [](Node& node) {
       node.without_log().count(kBestEffort, 1);
       ++*node.plan().observation.kubepods->own_oom;
       node.walk().walk();
     },
     {{"ancestor-limit", kBestEffort}}},
    {"without the log: the node, or what it is bound to",
     [](Node& node) { node.without_log().count(kBestEffort, 1).walk().walk(); },
     {{"node-or-bound", kBestEffort}}},
    {"a kill that the kernel did not log, beside one that it did",
     [](Node& node) {
       const std::string path = scope(kSystemdBurstable);
       node.with_log()
           .kill("MEMCG", path, path)
           .died("Memory cgroup out of memory", 5)
           .count(kBurstable, 1, 1)
           .count(kGuaranteed, 1, 1)
           .walk()
           .walk();
     },
     {{"container-limit", kBurstable}, {"container-limit", kGuaranteed}}},
};

class ScriptedKill : public testing::TestWithParam<Script> {};

TEST_P(ScriptedKill, IsAttributed) {
  Node node;
  GetParam().play(node);
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& incident : node.incidents()) {
    EXPECT_EQ(incident.at("kind"), "oom-kill");
    found.emplace_back(incident.at("cause"), text_at(incident, "/victim/uid"));
  }
  std::vector<std::pair<std::string, std::string>> expected;
  for (const Expected& one : GetParam().expected) {
    expected.emplace_back(one.cause, one.uid);
  }
  EXPECT_THAT(found, UnorderedElementsAreArray(expected));
}

INSTANTIATE_TEST_SUITE_P(All, ScriptedKill, testing::ValuesIn(kScripts), [](const auto& script) {
  return tests::test_name(script.param.name);
});

TEST(ScriptedKills, AreTwentyFour) {
  EXPECT_EQ(kScripts.size(), 24U);
}

TEST(IncidentRecorder, NamesTheVictimAndItsLimit) {
  Node node;
  node.pod(kBurstable).workload = WorkloadClass::kVm;
  node.pod(kBurstable).request =
      MemoryRequest{Bytes{1 << 20}, Bytes{1 << 20}, RequestSource::kCheckpoint};
  const std::string path = scope(kSystemdBurstable);
  node.with_log();
  node.recorder().looked(Bytes{7}, Bytes{5});
  node.kill("MEMCG", path, path).walk();
  const auto incident = node.incidents().at(0);
  const auto& victim = incident.at("victim");
  EXPECT_EQ(victim.at("name"), "burstable");
  EXPECT_EQ(victim.at("class"), "vm");
  EXPECT_EQ(victim.at("container"), kContainer);
  EXPECT_EQ(victim.at("process"), "stress");
  EXPECT_EQ(victim.at("pid"), 68061);
  EXPECT_EQ(victim.at("request_bytes"), 1 << 20);
  EXPECT_EQ(victim.at("request_source"), "checkpoint");
  EXPECT_EQ(victim.at("limit_bytes"), std::int64_t{2} << 30);
  EXPECT_EQ(incident.at("limit").at("bytes"), 512 << 20);
  EXPECT_EQ(incident.at("limit").at("cgroup"), path);
  EXPECT_EQ(incident.at("source"), "kernel log");
  EXPECT_EQ(incident.at("boot_id"), "boot-1");
  EXPECT_THAT(incident.at("prevention").get<std::string>(), HasSubstr("512 MiB"));
}

TEST(IncidentRecorder, KnowsAPodThatIsGoneSinceTheWalk) {
  Node node;
  node.with_log();
  node.recorder().observed({node.pod(kGuaranteed)});
  std::erase_if(node.plan().observation.pods,
                [](const Pod& pod) { return pod.uid != kGuaranteed; });
  node.kill("NONE", "", scope(kSystemdBestEffort)).walk();
  EXPECT_EQ(node.incidents().at(0).at("victim").at("name"), "besteffort");
}

TEST(IncidentRecorder, SaysOnceThatTheLogCannotBeRead) {
  Node node;
  node.without_log().walk();
  const auto problems = node.recorder().problems();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(to_text(problems[0]), HasSubstr("/dev/kmsg"));
  EXPECT_EQ(problems[0].kind, ErrorKind::kAbsent);
}

EvictedPod evicted(const std::string& uid, std::optional<std::chrono::sys_seconds> at) {
  return {.uid = uid,
          .name_space = "default",
          .name = "a",
          .at = at,
          .message =
              "The node was low on resource: memory. Threshold quantity: 300Mi, available: "
              "185Mi. ",
          .request = Bytes{1}};
}

TEST(IncidentRecorder, TellsOfAnEvictionOnce) {
  Node node;
  node.plan().observation.evicted = {evicted(kBurstable, wall_now() - std::chrono::hours{1}),
                                     evicted("old", wall_now() - std::chrono::hours{25}),
                                     evicted("6c4333b3-a663-11ea-b39f-6c92bf85beda", std::nullopt)};
  node.without_log().walk().restart_agent().walk();
  const auto incidents = node.incidents();
  ASSERT_EQ(incidents.size(), 2U);
  EXPECT_EQ(incidents[0].at("kind"), "eviction");
  EXPECT_EQ(incidents[0].at("cause"), "kubelet-eviction");
  EXPECT_EQ(incidents[0].at("source"), "API server");
  EXPECT_EQ(text_at(incidents[0], "/victim/uid"), kBurstable);
  EXPECT_EQ(text_at(incidents[0], "/victim/class"), "container");
  EXPECT_TRUE(incidents[1].at("victim").at("class").is_null());
}

TEST(IncidentRecorder, TellsOfAGuardWhenItBeginsToRefuse) {
  Node node;
  const auto set = [&node](std::optional<bool> ok) {
    node.plan().guards = {Guard{.name = "calm", .ok = ok, .reason = "pressure"},
                          Guard{.name = "settled", .ok = std::nullopt, .reason = "?"}};
  };
  set(true);
  node.without_log().walk();
  EXPECT_EQ(node.incidents().size(), 0U);
  set(false);
  node.walk().walk();
  set(true);
  node.walk();
  set(false);
  node.walk().restart_agent().walk();
  const auto incidents = node.incidents();
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_EQ(incidents[0].at("guard"), "calm");
  EXPECT_EQ(incidents[0].at("cause"), "agent");
}

// A task may call itself anything, an escape sequence of the terminal too.
TEST(IncidentRecorder, LogsNothingButText) {
  Node node;
  node.with_log().log(
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
      "task_memcg=/a,task=\\x1b[2J\\x0aerror: x,pid=1,uid=0");
  testing::internal::CaptureStdout();  // spdlog's default logger writes there
  node.walk();
  const std::string logged = testing::internal::GetCapturedStdout();
  EXPECT_THAT(logged, HasSubstr("the kernel killed ?[2J error: x (process 1)"));
  EXPECT_EQ(std::ranges::count(logged, '\n'), 1);
}

TEST(IncidentRecorder, CountsByCauseAndClass) {
  Node node;
  const std::string path = scope(kSystemdBurstable);
  node.plan().observation.evicted = {evicted(kBurstable, {}), evicted("unknown", {})};
  node.with_log().kill("MEMCG", path, path).kill("NONE", "", path).kill("NONE", "", path).walk();
  const IncidentCounts& counts = node.recorder().counts();
  EXPECT_EQ(counts.oom_kills.at(IncidentCause::kContainerLimit), 1U);
  EXPECT_EQ(counts.oom_kills.at(IncidentCause::kNode), 2U);
  EXPECT_EQ(counts.evictions.at(WorkloadClass::kContainer), 1U);
  EXPECT_EQ(counts.evictions_unclassed, 1U);
}

TEST(IncidentRecorder, KeepsOneSampleASecond) {
  Node node;
  node.with_log();
  for (int i = 0; i < 10000; ++i) {
    node.recorder().looked(Bytes{i}, Bytes{i});
  }
  node.kill("NONE", "", scope(kSystemdBurstable)).walk();
  EXPECT_LE(node.incidents().at(0).at("before").size(), 5U);
}

TEST(IncidentRecorder, GoesOnWhereItsLogCannotBeWritten) {
  Node node;
  node.with_log().block_folder();
  const std::string path = scope(kSystemdBurstable);
  node.kill("MEMCG", path, path).walk();
  EXPECT_EQ(node.recorder().counts().oom_kills.at(IncidentCause::kContainerLimit), 1U);
  ASSERT_EQ(node.recorder().problems().size(), 1U);
  EXPECT_THAT(to_text(node.recorder().problems()[0]), HasSubstr("/var/lib/eviction-agent"));
}

}  // namespace
}  // namespace eviction::agent
