// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_recorder.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/json_fields.h"
#include "agent/live_node.h"
#include "tests/agent/incident_node.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

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

TEST(IncidentRecorder, NamesAPodThatIsYoungerThanTheWalk) {
  constexpr const char* kYoung = "7e3c1d3c-2d0c-4d0e-9a3e-0f6a7c1b2d4e";
  Node node;
  node.with_log().log_folder("shop_cart-0_" + std::string{kYoung});
  node.kill("NONE", "", scope(systemd_pod(kYoung, "burstable"))).walk();
  const auto incidents = node.incidents();
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_THAT(text_at(incidents[0], "/what"), HasSubstr("pod shop/cart-0"));
  EXPECT_TRUE(incidents[0].at("victim").at("class").is_null());
}

TEST(IncidentRecorder, SaysThatTheLogCannotBeRead) {
  Node node;
  node.with_unreadable_log().walk();
  const auto problems = node.recorder().problems();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(to_text(problems[0]), HasSubstr("/dev/kmsg"));
}

TEST(IncidentRecorder, DoesWithoutALogInAContainer) {
  Node node;
  node.without_log().walk();
  EXPECT_TRUE(node.recorder().problems().empty());
}

TEST(IncidentRecorder, TellsWhomItCanAsk) {
  Node node;
  node.plan().observation.cgroup_mode = cgroup::CgroupMode::kV1;
  node.with_unreadable_log();
  EXPECT_FALSE(node.recorder().sources().kernel_log);
  EXPECT_FALSE(node.recorder().sources().counters) << "cgroup v1 has no memory.events";
  EXPECT_FALSE(node.recorder().sources().api_server);

  Node other;
  other.plan().observation.cgroup_mode = cgroup::CgroupMode::kV2;
  other.plan().observation.api_answered = true;
  other.with_log();
  EXPECT_TRUE(other.recorder().sources().kernel_log);
  EXPECT_TRUE(other.recorder().sources().counters);
  EXPECT_TRUE(other.recorder().sources().api_server);
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

// A rollback took the log away, and the agent before it counted the older one.
TEST(IncidentRecorder, CountsNoOldEvictionWithoutALog) {
  Node node;
  node.plan().observation.evicted = {
      evicted(kBurstable, wall_now() - std::chrono::hours{1}),
      evicted("6c4333b3-a663-11ea-b39f-6c92bf85beda", wall_now() - std::chrono::minutes{1})};
  node.without_log().walk();
  EXPECT_EQ(node.incidents().size(), 2U);
  EXPECT_THAT(node.recorder().counts().evictions, testing::IsEmpty());
  EXPECT_EQ(node.recorder().counts().evictions_unclassed, 1U);
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

TEST(IncidentRecorder, ShowsOldKillsAgainAfterARollbackAndDoesNotCountThem) {
  Node node;
  node.with_log().killed(std::chrono::minutes{20}).restart_agent();
  EXPECT_TRUE(node.recorder().counts().oom_kills.empty());
  EXPECT_EQ(node.incidents().size(), 1U);
  node.forget_incidents().restart_agent();
  EXPECT_TRUE(node.recorder().counts().oom_kills.empty());
  EXPECT_EQ(node.incidents().size(), 1U);
  node.killed({}).walk();
  EXPECT_EQ(node.recorder().counts().oom_kills.at(IncidentCause::kNode), 1U);
}

TEST(IncidentRecorder, CountsAKillThatNoAgentSaw) {
  Node recent;
  recent.with_log().killed(std::chrono::minutes{1}).restart_agent();
  EXPECT_EQ(recent.recorder().counts().oom_kills.at(IncidentCause::kNode), 1U);
  Node node;
  node.with_log().killed(std::chrono::minutes{40}).restart_agent();
  node.killed(std::chrono::minutes{20}).restart_agent();
  EXPECT_EQ(node.recorder().counts().oom_kills.at(IncidentCause::kNode), 1U)
      << "the log has the one before";
}

TEST(IncidentRecorder, JudgesAKillOfBeforeByNoThresholdOfNow) {
  Node node;
  node.plan().memory.capacity = Bytes{std::int64_t{4} << 30};
  node.plan().observation.kubelet = Kubelet{};
  node.plan().observation.kubelet->loaded.settings.eviction_hard = {
      {"memory.available", {"900Mi", "--eviction-hard"}}};
  node.with_log().kill("NONE", "", "/a").walk().forget_incidents().restart_agent();
  const auto incidents = node.incidents();
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_THAT(text_at(incidents[0], "/prevention"), HasSubstr("what it had is not known"));
  node.kill("NONE", "", "/a").walk();
  EXPECT_THAT(text_at(node.incidents().at(1), "/prevention"),
              HasSubstr("900 MiB, did not fire in time"));
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
  node.unblock_folder();
  node.walk();
  EXPECT_EQ(node.incidents().size(), 1U) << "it is kept as soon as it can be";
  EXPECT_TRUE(node.recorder().problems().empty());
}

}  // namespace
}  // namespace eviction::agent
