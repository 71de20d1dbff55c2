// SPDX-License-Identifier: Apache-2.0
#include "cgroup/oom_kill.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::cgroup {
namespace {

// Lines of real kernels, from public reports. AKS, kubelet with memory.oom.group, limit of
// kubepods:
constexpr const char* kKubepodsLimit =
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-"
    "178ec18073cc6ac7be2de8d9869daf162a6349dd056b6535849112c53ec3102a.scope,mems_allowed=0,oom_"
    "memcg=/kubepods.slice,task_memcg=/kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-pod10d16a28_60ff_475f_a631_510d9792219f.slice/cri-containerd-"
    "178ec18073cc6ac7be2de8d9869daf162a6349dd056b6535849112c53ec3102a.scope,task=stress,pid=68061,"
    "uid=0";
// k3s with the cgroupfs driver:
constexpr const char* kGlobal =
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=system.slice,mems_allowed=0,global_"
    "oom,task_memcg=/kubepods/besteffort/podbe1e663f-f7a1-4b90-bdfd-bb30afdf7c37/"
    "53463dbb01e95cfa79e16677e4a67317688384cc5b6c54d416b48dce0f406b4c,task=entry,pid=19227,uid=0";
// A machine whose NUMA node 4 is all Movable (linux-mm):
constexpr const char* kCpuset =
    "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=docker-"
    "9976a269caec812c134fa317f27487ee36e1129beba7278a463dd53e5fb9997b.scope,mems_allowed=4,global_"
    "oom,task_memcg=/system.slice/containerd.service,task=containerd,pid=4100,uid=0";
// linux-mm, a process bound with a memory policy:
constexpr const char* kPolicy =
    "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=1,cpuset=/,mems_allowed=0-2,global_oom,"
    "task_memcg=/user.slice/user-0.slice/session-3.scope,task=a.out,pid=13135,uid=0";
// Linux 5.0 says CONSTRAINT_NONE of a cgroup's limit (linux-mm):
constexpr const char* kFiveZero =
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/test1,"
    "task_memcg=/test1,task=a.out,pid=9188,uid=0";

TEST(OomKill, ReadsALimit) {
  const auto kill = parse_oom_kill(kKubepodsLimit);
  ASSERT_TRUE(kill) << to_text(kill.error());
  EXPECT_EQ(kill->constraint, OomConstraint::kMemcg);
  EXPECT_EQ(kill->oom_memcg, "/kubepods.slice");
  EXPECT_TRUE(kill->task_memcg.ends_with("c53ec3102a.scope")) << kill->task_memcg;
  EXPECT_EQ(kill->task, "stress");
  EXPECT_EQ(kill->pid, 68061);
}

TEST(OomKill, ReadsKillsOfNoLimit) {
  const auto global = parse_oom_kill(kGlobal);
  ASSERT_TRUE(global);
  EXPECT_EQ(global->constraint, OomConstraint::kNone);
  EXPECT_EQ(global->oom_memcg, "");
  const auto cpuset = parse_oom_kill(kCpuset);
  ASSERT_TRUE(cpuset);
  EXPECT_EQ(cpuset->constraint, OomConstraint::kCpuset);
  EXPECT_EQ(cpuset->mems_allowed, "4");
  const auto policy = parse_oom_kill(kPolicy);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->constraint, OomConstraint::kMemoryPolicy);
  EXPECT_EQ(policy->nodemask, "1");
  EXPECT_EQ(policy->mems_allowed, "0-2");
  const auto old = parse_oom_kill(kFiveZero);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->oom_memcg, "/test1");
}

TEST(OomKill, ReadsListsOfNodes) {
  const auto kill = parse_oom_kill(
      "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0-1,3,cpuset=/,mems_allowed=0,2-3,7,"
      "global_oom,task_memcg=/,task=x,pid=1,uid=4294967295");
  ASSERT_TRUE(kill) << to_text(kill.error());
  EXPECT_EQ(kill->nodemask, "0-1,3");
  EXPECT_EQ(kill->mems_allowed, "0,2-3,7");
  EXPECT_EQ(kill->uid, 4294967295U);
}

// As root of a container whose user namespace begins at 2^31 or above.
TEST(OomKill, ReadsAUserOfTheUpperHalf) {
  const auto kill = parse_oom_kill(
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
      "task_memcg=/a,task=x,pid=7,uid=-2");
  ASSERT_TRUE(kill) << to_text(kill.error());
  EXPECT_EQ(kill->uid, 4294967294U);
}

// A task may call itself anything; only its name is wrong then.
TEST(OomKill, TakesAnyNameOfATask) {
  for (const std::string name : {"",
                                 ",pid=1,uid=2",
                                 ",task_memcg=/",
                                 ",task=a",
                                 "a\nb",
                                 "(null)",
                                 "\xff\xfe",
                                 "runc:[2:INIT]"}) {
    const auto kill = parse_oom_kill(
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
        "task_memcg=/a,task=" +
        name + ",pid=7,uid=8");
    ASSERT_TRUE(kill) << name;
    EXPECT_EQ(kill->task, name);
    EXPECT_EQ(kill->task_memcg, "/a");
    EXPECT_EQ(kill->pid, 7);
  }
}

TEST(OomKill, TellsOtherLinesFromBrokenOnes) {
  EXPECT_EQ(parse_oom_kill("Out of memory: Killed process 1 (a)").error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(parse_oom_kill("").error().kind, ErrorKind::kAbsent);
  const std::string head = "oom-kill:constraint=";
  const std::string middle = ",nodemask=(null),cpuset=/,mems_allowed=0,";
  const std::string tail = ",task=a,pid=1,uid=0";
  for (const std::string& line :
       {head,
        head + "CONSTRAINT_OTHER" + middle + "global_oom,task_memcg=/a" + tail,
        head + "CONSTRAINT_MEMCG" + middle + "global_oom,task_memcg=/a" + tail,
        head + "CONSTRAINT_NONE" + middle + "global_oom,task_memcg=a" + tail,
        head + "CONSTRAINT_NONE" + middle + "oom_memcg=,task_memcg=/a" + tail,
        head + "CONSTRAINT_NONE" + middle + "x_memcg=/a,task_memcg=/a" + tail,
        head + "CONSTRAINT_NONE" + middle + "global_oom,task_memcg=/a,task=a,pid=-1,uid=0",
        head + "CONSTRAINT_NONE" + middle + "global_oom,task_memcg=/a,task=a,pid=2147483648,uid=0",
        head + "CONSTRAINT_NONE" + middle +
            "global_oom,task_memcg=/a,task=sixteen_letters_,pid=1,"
            "uid=0",
        head + "CONSTRAINT_NONE,nodemask=x,cpuset=/,mems_allowed=0,global_oom,task_memcg=/a" + tail,
        // A cgroup that is named so that the line could be read in two ways:
        head + "CONSTRAINT_MEMCG" + middle + "oom_memcg=/a,task_memcg=/a/b,task_memcg=/c" + tail,
        head +
            "CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/kubepods,"
            "mems_allowed=0,global_oom,task_memcg=/a" +
            tail,
        std::string{kKubepodsLimit} + "0x"}) {
    const auto kill = parse_oom_kill(line);
    ASSERT_FALSE(kill) << line;
    EXPECT_EQ(kill.error().kind, ErrorKind::kMalformed) << line;
  }
}

TEST(OomKill, ReadsWhatTheCgroupHeld) {
  const auto usage = parse_memcg_usage("memory: usage 1048576kB, limit 1048576kB, failcnt 189");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->usage, Bytes{1 << 30});
  EXPECT_EQ(usage->limit, Bytes{1 << 30});
  const auto unlimited =
      parse_memcg_usage("memory: usage 51200kB, limit 9007199254740988kB, failcnt 0");
  ASSERT_TRUE(unlimited);
  EXPECT_FALSE(unlimited->limit);
  for (const std::string line : {"",
                                 "memory+swap: usage 1kB, limit 1kB, failcnt 0",
                                 "memory: usage 1kB, limit 1kB",
                                 "memory: usage -1kB, limit 1kB, failcnt 0",
                                 "memory: usage 9007199254740992kB, limit 1kB, failcnt 0",
                                 "memory: usage kB, limit kB, failcnt "}) {
    EXPECT_FALSE(parse_memcg_usage(line)) << line;
  }
}

/// The kills that the records tell of.
std::vector<OomEvent> events_of(const std::vector<std::string>& texts) {
  OomLog log;
  std::vector<OomEvent> events;
  KmsgRecord record;
  for (const std::string& text : texts) {
    ++record.sequence;
    record.fragment = text.starts_with("...");
    record.text = record.fragment ? text.substr(3) : text;
    if (auto event = log.add(record)) {
      events.push_back(*event);
    }
  }
  return events;
}

// With memory.oom.group every process of the container dies, of one kill.
TEST(OomLog, FindsOneKillOfAGroup) {
  const auto events = events_of(
      {"stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=872",
       "memory: usage 3145728kB, limit 3145728kB, failcnt 51",
       kKubepodsLimit,
       "Memory cgroup out of memory: Killed process 68061 (stress) total-vm:4195088kB, "
       "anon-rss:2884696kB, file-rss:288kB, shmem-rss:0kB, UID:0 pgtables:5696kB oom_score_adj:872",
       "Tasks in /kubepods.slice/kubepods-burstable.slice/"
       "kubepods-burstable-pod10d16a28_60ff_475f_a631_510d9792219f.slice/x.scope are going to be "
       "killed due to memory.oom.group set",
       "Memory cgroup out of memory: Killed process 68061 (stress) total-vm:4195088kB, "
       "anon-rss:2884696kB, file-rss:288kB, shmem-rss:0kB, UID:0 pgtables:5696kB "
       "oom_score_adj:872"});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].sequence, 3U);
  ASSERT_TRUE(events[0].usage);
  EXPECT_EQ(events[0].usage->limit, Bytes{std::int64_t{3} << 30});
}

TEST(OomLog, TakesNoLimitOfAnotherKill) {
  const auto events = events_of({"memory: usage 1kB, limit 2kB, failcnt 1",
                                 "a invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0",
                                 kKubepodsLimit,
                                 "memory: usage 1kB, limit 2kB, failcnt 1",
                                 kGlobal,
                                 kKubepodsLimit});
  ASSERT_EQ(events.size(), 3U);
  for (const OomEvent& event : events) {
    EXPECT_FALSE(event.usage);
  }
}

// pr_cont() begins a new record where another CPU logs in between, and where one is full.
TEST(OomLog, PutsALineTogether) {
  const std::string line = kKubepodsLimit;
  const auto events = events_of({line.substr(0, 60),
                                 "eth0: link up",
                                 "..." + line.substr(60, 200),
                                 "..." + line.substr(260)});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].sequence, 1U);
  EXPECT_EQ(events[0].kill.pid, 68061);
}

TEST(OomLog, PassesOverWhatAProgramWrote) {
  OomLog log;
  constexpr unsigned kUser = 8;
  EXPECT_FALSE(log.add({.priority = kUser + 6,
                        .sequence = 1,
                        .since_boot = {},
                        .fragment = false,
                        .text = kKubepodsLimit}));
}

TEST(OomLog, ForgetsALineWhoseEndWasLost) {
  const std::string line = kKubepodsLimit;
  OomLog log;
  EXPECT_FALSE(log.add({.priority = 6,
                        .sequence = 1,
                        .since_boot = {},
                        .fragment = false,
                        .text = line.substr(0, 60)}));
  log.forget();
  EXPECT_FALSE(log.add(
      {.priority = 6, .sequence = 9, .since_boot = {}, .fragment = true, .text = line.substr(60)}));
}

RC_GTEST_PROP(OomKill,
              GivesBackWhatTheKernelPrints,
              (std::uint32_t uid, bool limited, bool policy)) {
  const auto letter = rc::gen::elementOf(std::string{"abc019-_.:/"});
  const std::string limit = '/' + *rc::gen::container<std::string>(letter);
  const std::string victim = limit + '/' + *rc::gen::container<std::string>(letter);
  std::string task = *rc::gen::container<std::string>(rc::gen::nonZero<char>());
  task.resize(std::min<std::size_t>(task.size(), 15));
  RC_PRE(task.find(",task=") == std::string::npos);
  const int pid = *rc::gen::positive<int>();
  const std::string line = "oom-kill:constraint=" +
                           std::string{limited  ? "CONSTRAINT_MEMCG"
                                       : policy ? "CONSTRAINT_MEMORY_POLICY"
                                                : "CONSTRAINT_NONE"} +
                           ",nodemask=0-3,7,cpuset=x,mems_allowed=0,2," +
                           (limited ? "oom_memcg=" + limit : std::string{"global_oom"}) +
                           ",task_memcg=" + victim + ",task=" + task +
                           ",pid=" + std::to_string(pid) +
                           ",uid=" + std::to_string(static_cast<std::int32_t>(uid));
  const auto kill = parse_oom_kill(line);
  RC_ASSERT(kill.has_value());
  RC_ASSERT(kill->oom_memcg == (limited ? limit : ""));
  RC_ASSERT(kill->task_memcg == victim);
  RC_ASSERT(kill->task == task);
  RC_ASSERT(kill->pid == pid);
  RC_ASSERT(kill->uid == uid);
  // No beginning of it is a kill of something else.
  const auto cut = *rc::gen::inRange<std::size_t>(0, line.size());
  const auto part = parse_oom_kill(line.substr(0, cut));
  RC_ASSERT(!part || (part->task_memcg == victim && part->oom_memcg == kill->oom_memcg));
}

}  // namespace
}  // namespace eviction::cgroup
