// SPDX-License-Identifier: Apache-2.0
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/json_fields.h"
#include "tests/agent/incident_node.h"
#include "tests/support/golden.h"

namespace eviction::agent {
namespace {

using testing::UnorderedElementsAreArray;

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
     {{"service-limit", ""}}},
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

}  // namespace
}  // namespace eviction::agent
