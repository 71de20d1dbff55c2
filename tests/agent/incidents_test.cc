// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/incidents.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cgroup/bytes.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): nothing but literals
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;

constexpr sys_seconds kNow{seconds{1'795'348'801}};

OomLook look(std::uint64_t kills, std::uint64_t limits, std::optional<std::uint64_t> own) {
  OomLook found;
  found.kubepods_path = "kubepods";
  found.kubepods = 5;
  found.qos = {5, 5};
  found.pods["a"] = {.counts = {.kills = kills, .limits = limits, .own_limit = own},
                     .qos = cgroup::QosClass::kBurstable};
  return found;
}

TEST(CountedKills, AreNoneWhileNobodyDies) {
  EXPECT_TRUE(counted_kills(look(3, 1, 0), look(3, 1, 0)).empty());
  // A limit that was reached without a kill, as with memory.high or a task that was dying already.
  EXPECT_TRUE(counted_kills(look(3, 1, 0), look(3, 2, 0)).empty());
}

TEST(CountedKills, GoByTheCounterThatRose) {
  const auto cause = [](const OomLook& before, const OomLook& now) {
    return counted_kills(before, now).at(0).cause;
  };
  EXPECT_EQ(cause(look(0, 0, 0), look(1, 1, 0)), IncidentCause::kContainerLimit);
  EXPECT_EQ(cause(look(0, 0, 0), look(1, 1, 1)), IncidentCause::kPodLimit);
  EXPECT_EQ(cause(look(2, 2, 2), look(3, 2, 2)), IncidentCause::kNodeOrBound);
  EXPECT_EQ(cause(look(2, 2, std::nullopt), look(3, 3, std::nullopt)),
            IncidentCause::kContainerLimit);
  OomLook above = look(1, 0, 0);
  above.qos.burstable = 6;
  const auto kills = counted_kills(look(0, 0, 0), above);
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].cause, IncidentCause::kAncestorLimit);
  EXPECT_THAT(kills[0].limit_cgroup, HasSubstr("burstable"));
  above = look(1, 0, 0);
  above.qos.besteffort = 6;  // another class
  EXPECT_EQ(cause(look(0, 0, 0), above), IncidentCause::kNodeOrBound);
}

TEST(CountedKills, BeginAnewWithACgroup) {
  const auto kills = counted_kills(look(7, 7, 7), look(2, 1, 0));
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].processes, 2U);
  EXPECT_EQ(kills[0].cause, IncidentCause::kContainerLimit);
}

TEST(CountedKills, SeeAPodThatCameInBetween) {
  OomLook before = look(0, 0, 0);
  before.pods.clear();
  EXPECT_EQ(counted_kills(before, look(1, 1, 0)).size(), 1U);
}

TEST(SamplesBefore, AreTheLastOfAMinute) {
  std::vector<MemorySample> samples;
  for (int age = 100; age >= -10; age -= 5) {
    samples.push_back({kNow - seconds{age}, Bytes{age}, Bytes{age}});
  }
  const auto before = samples_before(samples, kNow);
  ASSERT_EQ(before.size(), 5U);
  EXPECT_EQ(before.front().mem_available, Bytes{20});
  EXPECT_EQ(before.back().mem_available, Bytes{0});
  EXPECT_TRUE(samples_before(samples, kNow + std::chrono::hours{1}).empty());
}

std::string advice(cgroup::OomConstraint constraint, const std::string& limit, const Scene& scene) {
  cgroup::OomEvent event;
  event.kill.constraint = constraint;
  event.kill.oom_memcg = limit;
  event.kill.task_memcg = "/a";
  return oom_incident(event, kNow, "b", scene).prevention;
}

TEST(Prevention, OfANodeThatWasOutOfMemory) {
  const auto none = cgroup::OomConstraint::kNone;
  Scene scene;
  scene.need = 800_MiB;
  EXPECT_THAT(advice(none, "", scene), HasSubstr("not known"));
  scene.in_force = Scene::InForce{};
  scene.desired = 640_MiB;
  EXPECT_THAT(advice(none, "", scene), HasSubstr("no threshold of memory.available is set"));
  EXPECT_THAT(advice(none, "", scene), HasSubstr("of 800 MiB"));
  EXPECT_THAT(advice(none, "", scene), HasSubstr("640 MiB can be set now"));
  scene.in_force->hard = 100_MiB;
  EXPECT_THAT(advice(none, "", scene), HasSubstr("100 MiB, is less than the 800 MiB"));
  scene.in_force->soft = 900_MiB;
  EXPECT_THAT(advice(none, "", scene), HasSubstr("900 MiB, did not fire in time"));
}

TEST(Prevention, NamesNoThresholdWhereNoneHelps) {
  EXPECT_THAT(advice(cgroup::OomConstraint::kCpuset, "", {}), HasSubstr("no threshold helps"));
  EXPECT_THAT(advice(cgroup::OomConstraint::kMemoryPolicy, "", {}),
              HasSubstr("no threshold helps"));
  EXPECT_THAT(advice(cgroup::OomConstraint::kMemcg, "/system.slice/a.service", {}),
              HasSubstr("no eviction threshold prevents this"));
}

TEST(Prevention, OfTheLimitOfAllPodsIsAHardThreshold) {
  Scene scene;
  scene.in_force = Scene::InForce{.hard = {}, .soft = 1_GiB};
  EXPECT_THAT(advice(cgroup::OomConstraint::kMemcg, "/kubepods", scene),
              HasSubstr("a hard threshold"));
  scene.in_force->hard = 300_MiB;
  EXPECT_THAT(advice(cgroup::OomConstraint::kMemcg, "/kubepods", scene),
              HasSubstr("300 MiB, did not"));
}

TEST(Prevention, OfAnEvictionIsARequest) {
  Pod pod;
  pod.uid = "a";
  pod.usage = 2_GiB;  // with page cache
  pod.working_set = 900_MiB;
  pod.request = MemoryRequest{100_MiB, 100_MiB, RequestSource::kApi};
  Scene scene;
  scene.pods["a"] = &pod;
  EvictedPod evicted;
  evicted.uid = "a";
  EXPECT_THAT(eviction_incident(evicted, kNow, scene).prevention,
              HasSubstr("900 MiB instead of 100 MiB"));
  pod.request = MemoryRequest{1_GiB, 1_GiB, RequestSource::kApi};
  EXPECT_THAT(eviction_incident(evicted, kNow, scene).prevention, HasSubstr("within its request"));
  EXPECT_EQ(eviction_incident(evicted, kNow, {}).at, kNow);
}

TEST(TransactionIncident, SaysHowItEnded) {
  EXPECT_THAT(transaction_incident(ValueChange::kInForce, "/f", "r", kNow).what,
              HasSubstr("/f is in force: r"));
  EXPECT_THAT(transaction_incident(ValueChange::kPutBack, "/f", "r", kNow).what,
              HasSubstr("put back: r"));
  EXPECT_THAT(transaction_incident(ValueChange::kShrunk, "/f", "r", kNow).what,
              HasSubstr("/f has a smaller value"));
  EXPECT_THAT(transaction_incident(ValueChange::kWithdrawn, "/f", "r", kNow).what,
              HasSubstr("/f was withdrawn"));
  EXPECT_THAT(transaction_incident(ValueChange::kRestored, "/f", "r", kNow).what,
              HasSubstr("/f is back"));
}

}  // namespace
}  // namespace eviction::agent
