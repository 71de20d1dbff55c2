// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/guards.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/policy/restart_guards.h"
#include "config/drop_in.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

constexpr const char* kFolder = "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d";

/// A 16 GiB RKE2 node that is half full: every guard passes or cannot know.
Observation quiet_node() {
  Observation seen;
  seen.meminfo.emplace();
  seen.meminfo->mem_total = 16_GiB;
  seen.pressure.emplace();
  seen.uptime = std::chrono::hours{10};
  seen.cgroup_mode = cgroup::CgroupMode::kV2;
  seen.kubepods.emplace();
  seen.kubepods->current = 6_GiB;
  seen.kubepods->max = cgroup::MemoryLimit{16_GiB};
  seen.pods_known = true;
  Pod pod;
  pod.uid = "2d1c1a4e-6f53-4c0c-9d5e-0f3c2b1a0001";
  pod.request = MemoryRequest{8_GiB, 8_GiB, RequestSource::kCheckpoint};
  seen.pods.push_back(pod);
  seen.kubelet.emplace();
  seen.kubelet->supervisor = "rke2";
  seen.kubelet->version = config::KubeletVersion{1, 32, 3, "+rke2r1"};
  seen.kubelet->target = Target::kRke2Dropin;
  seen.kubelet->file = std::string{kFolder} + "/60-eviction-agent.conf";
  seen.kubelet->arguments = {std::string{"--config-dir="} + kFolder};
  return seen;
}

MemoryAccount quiet_memory() {
  MemoryAccount memory;
  memory.capacity = 16_GiB;
  memory.kubelet_available = 9_GiB;
  memory.reserved = 0_B;
  return memory;
}

Sizing hard(Bytes value) {
  Sizing sizing;
  sizing.instrument = Instrument::kHard;
  sizing.hard = value;
  sizing.need = value;
  return sizing;
}

Sizing soft(Bytes value) {
  Sizing sizing;
  sizing.instrument = Instrument::kSoft;
  sizing.soft = value;
  sizing.need = value;
  return sizing;
}

Guard find(const std::vector<Guard>& all, const std::string& name) {
  const auto found = std::find_if(
      all.begin(), all.end(), [&name](const Guard& guard) { return guard.name == name; });
  return found == all.end() ? Guard{"missing: " + name, false, ""} : *found;
}

class GuardsTest : public testing::Test {
 protected:
  Guard guard(const std::string& name, const Sizing& sizing) {
    return find(guards(seen, memory, sizing, config, circumstances), name);
  }

  Observation seen = quiet_node();
  MemoryAccount memory = quiet_memory();
  config::AgentConfig config;
  Circumstances circumstances;
};

TEST_F(GuardsTest, AreElevenInTheirOrder) {
  std::vector<std::string> names;
  for (const Guard& each : guards(seen, memory, hard(1_GiB), config, circumstances)) {
    names.push_back(each.name);
  }
  EXPECT_THAT(names,
              testing::ElementsAre("requests-fit",
                                   "headroom-now",
                                   "kubepods-room",
                                   "reserved-fit",
                                   "memory-manager",
                                   "calm",
                                   "not-shadowed",
                                   "settled",
                                   "restart-budget",
                                   "version",
                                   "foreign-value"));
}

TEST_F(GuardsTest, NoneFailsOnAQuietNode) {
  for (const Guard& each : guards(seen, memory, hard(1_GiB), config, circumstances)) {
    EXPECT_NE(each.ok, std::optional{false}) << each.name << ": " << each.reason;
    EXPECT_FALSE(each.reason.empty()) << each.name;
  }
}

// Measured: three VMs that request 3600 MiB of 3.8 GiB, then a hard 700Mi: the newest was rejected.
TEST_F(GuardsTest, RequestsThatFillTheNodeRefuseHardButNotSoft) {
  seen.pods.front().request = MemoryRequest{15_GiB, 15_GiB, RequestSource::kCheckpoint};
  EXPECT_EQ(guard("requests-fit", hard(2_GiB)).ok, false);
  EXPECT_EQ(guard("requests-fit", soft(2_GiB)).ok, true);
}

TEST_F(GuardsTest, TheMarginOfRequestsIsOneStep) {
  seen.pods.front().request = MemoryRequest{14_GiB, 14_GiB, RequestSource::kCheckpoint};
  EXPECT_EQ(guard("requests-fit", hard(2_GiB - 16_MiB)).ok, true);
  EXPECT_EQ(guard("requests-fit", hard(2_GiB)).ok, false);
}

TEST_F(GuardsTest, HugepagesLeaveLessForRequests) {
  memory.hugepages = 7_GiB;
  EXPECT_EQ(guard("requests-fit", hard(2_GiB)).ok, false);
}

TEST_F(GuardsTest, EstimatedRequestsNeverPass) {
  seen.pods.front().request = MemoryRequest{8_GiB, 9_GiB, RequestSource::kEstimate};
  EXPECT_EQ(guard("requests-fit", hard(1_GiB)).ok, std::nullopt);
  EXPECT_EQ(guard("requests-fit", hard(7_GiB + 512_MiB)).ok, std::nullopt) << "the low end may fit";
  EXPECT_EQ(guard("requests-fit", hard(9_GiB)).ok, false) << "not even the low end fits";
}

TEST_F(GuardsTest, UnknownRequestsCannotBeKnown) {
  seen.pods.front().request.reset();
  EXPECT_EQ(guard("requests-fit", hard(1_GiB)).ok, std::nullopt);
  seen.pods_known = false;
  EXPECT_EQ(guard("requests-fit", hard(1_GiB)).ok, std::nullopt);
}

TEST_F(GuardsTest, HeadroomBindsBothInstruments) {
  EXPECT_EQ(guard("headroom-now", hard(9_GiB)).ok, false);
  EXPECT_EQ(guard("headroom-now", soft(9_GiB)).ok, false);
  EXPECT_EQ(guard("headroom-now", soft(9_GiB - 16_MiB)).ok, true);
}

TEST_F(GuardsTest, PodsNearTheirLimitRefuseHard) {
  seen.kubepods->current = 15_GiB;
  EXPECT_EQ(guard("kubepods-room", hard(2_GiB)).ok, false);
  seen.kubepods->max = cgroup::MemoryLimit{};
  EXPECT_EQ(guard("kubepods-room", hard(2_GiB)).ok, true);
  seen.kubepods.reset();
  EXPECT_EQ(guard("kubepods-room", hard(2_GiB)).ok, std::nullopt);
}

// A restart at the peak would take away the value that is there for it.
TEST_F(GuardsTest, PodsNearTheirLimitLeaveAHardValueThatIsArmed) {
  Need need;
  need.step = 16_MiB;
  seen.pods.front().request = MemoryRequest{1_GiB, 1_GiB, RequestSource::kCheckpoint};
  seen.kubepods->current = 15_GiB + 512_MiB;
  ASSERT_EQ(bounds(seen, memory, need, circumstances).hard, 512_MiB - 16_MiB);
  seen.kubelet->file_content = config::render_drop_in({.hard = 1_GiB});
  EXPECT_EQ(bounds(seen, memory, need, circumstances).hard, 1_GiB);
  EXPECT_EQ(guard("kubepods-room", hard(1_GiB)).ok, true);
  EXPECT_EQ(guard("kubepods-room", hard(1_GiB + 16_MiB)).ok, false);
}

TEST_F(GuardsTest, AReservationAndAThresholdBeyondTheNodeRefuse) {
  seen.kubelet->loaded.settings.system_reserved =
      config::SettingMap{{"memory", {"15Gi", "--system-reserved"}}};
  EXPECT_EQ(guard("reserved-fit", hard(2_GiB)).ok, false);
  EXPECT_EQ(guard("reserved-fit", hard(512_MiB)).ok, true);
}

TEST_F(GuardsTest, TheStaticMemoryManagerAllowsSoftOnly) {
  seen.kubelet->loaded.settings.memory_manager_policy = config::Setting{"Static", "--x"};
  EXPECT_EQ(guard("memory-manager", hard(1_GiB)).ok, false);
  EXPECT_EQ(guard("memory-manager", soft(1_GiB)).ok, true);
  EXPECT_TRUE(bounds(seen, memory, Need{}, circumstances).no_hard);
}

// Up to kubelet 1.36 the pool is part of K, and Allocatable subtracts both threshold and pool.
TEST_F(GuardsTest, AThresholdThatIsMostlyHugepagesIsNoHardOne) {
  Need need;
  need.step = 16_MiB;
  need.hard = 5_GiB;
  need.hugepages = 2_GiB;
  EXPECT_EQ(bounds(seen, memory, need, circumstances).no_hard, std::nullopt);
  need.hugepages = 3_GiB;
  EXPECT_TRUE(bounds(seen, memory, need, circumstances).no_hard);
}

TEST_F(GuardsTest, PressureIsNotCalm) {
  seen.pressure->some.avg10 = 600;
  EXPECT_EQ(guard("calm", hard(1_GiB)).ok, false);
  seen.pressure.reset();
  EXPECT_EQ(guard("calm", hard(1_GiB)).ok, std::nullopt);
}

TEST_F(GuardsTest, WhatOverridesOurFileShadowsWhatItSays) {
  seen.kubelet->overridden = {{"eviction-hard", "/etc/rancher/rke2/config.yaml.d/99-z90.yaml"}};
  const Guard shadowed = guard("not-shadowed", hard(1_GiB));
  EXPECT_EQ(shadowed.ok, false);
  EXPECT_THAT(shadowed.reason, HasSubstr("99-z90.yaml overrides our file"));
  for (const char* flag :
       {"eviction-soft", "eviction-soft-grace-period", "eviction-max-pod-grace-period"}) {
    seen.kubelet->overridden = {{flag, "99-z90.yaml"}};
    EXPECT_EQ(guard("not-shadowed", soft(1_GiB)).ok, false) << flag;
    EXPECT_EQ(guard("not-shadowed", hard(1_GiB)).ok, true) << "there is nothing soft in our file";
  }
}

// With an administrator's empty drop-in beside ours a restarted kubelet would not start.
TEST_F(GuardsTest, AKubeletThatWouldRefuseItsFilesIsNotRestarted) {
  seen.kubelet->loaded.errors = {std::string{kFolder} + "/70-admin.conf: it is empty"};
  for (const Sizing& sizing : {hard(1_GiB), soft(1_GiB)}) {
    const Guard refusing = guard("not-shadowed", sizing);
    EXPECT_EQ(refusing.ok, false);
    EXPECT_THAT(refusing.reason, HasSubstr("70-admin.conf: it is empty"));
  }
  for (const char* name : {"requests-fit", "reserved-fit", "memory-manager", "foreign-value"}) {
    EXPECT_EQ(guard(name, hard(1_GiB)).ok, std::nullopt) << name;
  }
  EXPECT_EQ(guard("requests-fit", hard(9_GiB)).ok, false) << "it fits under no settings";
}

TEST_F(GuardsTest, FlagsThatAreNotSeenMayShadow) {
  seen.kubelet->problems = {Error{ErrorKind::kUnsupported, {}, 0, "the flags are unknown"}};
  const Guard unsure = guard("not-shadowed", hard(1_GiB));
  EXPECT_EQ(unsure.ok, std::nullopt);
  EXPECT_THAT(unsure.reason, HasSubstr("the flags are unknown"));
}

TEST_F(GuardsTest, AFreshNodeOrKubeletIsNotSettled) {
  EXPECT_EQ(guard("settled", hard(1_GiB)).ok, std::nullopt) << "a plan cannot know the rest";
  seen.kubelet->start = (10ULL * 3600 - 60) * 100;
  EXPECT_EQ(guard("settled", hard(1_GiB)).ok, false) << "kubelet started a minute ago";
  seen.kubelet->start = 0;
  seen.uptime = std::chrono::minutes{2};
  EXPECT_EQ(guard("settled", hard(1_GiB)).ok, false);
}

// A turn that is counted from the boot is over on many nodes when all of them have settled.
TEST_F(GuardsTest, ANodeIsSettledForAsLongAsTheYoungerOfItAndItsKubelet) {
  using std::chrono::minutes;
  EXPECT_EQ(settled_for(Observation{}), std::nullopt);
  seen.uptime = minutes{20};
  seen.kubelet->start = 0;
  EXPECT_EQ(settled_for(seen), minutes{15});
  seen.kubelet->start = 17ULL * 60 * 100;
  EXPECT_EQ(settled_for(seen), minutes{-2});
}

TEST_F(GuardsTest, SettledNeedsAContainerRuntimeThatAnswersAndNoUpgrade) {
  circumstances.runtime_silence = "no answer in 2 s";
  EXPECT_EQ(guard("settled", hard(1_GiB)).ok, false);
  EXPECT_THAT(guard("settled", hard(1_GiB)).reason, HasSubstr("no answer in 2 s"));
  circumstances.runtime_silence = "";
  EXPECT_EQ(guard("settled", hard(1_GiB)).ok, true);

  struct Case {
    std::string name_space;
    std::string name;
    bool upgrade;
  };

  const std::vector<Case> cases = {
      {"harvester-system", "hvst-upgrade-abcde-post-drain-node1-x", true},
      {"cattle-system", "apply-hvst-upgrade-abcde-prepare-on-node1-with-0123-x", true},
      {"system-upgrade", "apply-agent-plan-on-node1-with-0123-x", true},
      {"default", "hvst-upgrade-of-mine", false},
      {"cattle-system", "apply-nothing", false}};
  for (const Case& c : cases) {
    seen.pods.front().name_space = c.name_space;
    seen.pods.front().name = c.name;
    EXPECT_EQ(guard("settled", hard(1_GiB)).ok, !c.upgrade) << c.name;
  }
}

TEST_F(GuardsTest, WithoutPsiStalledAllocationsTell) {
  seen.pressure.reset();
  EXPECT_EQ(guard("calm", hard(1_GiB)).ok, std::nullopt);
  circumstances.stalls = 0;
  EXPECT_EQ(guard("calm", hard(1_GiB)).ok, true);
  circumstances.stalls = 1;
  EXPECT_EQ(guard("calm", hard(1_GiB)).ok, false);
}

TEST_F(GuardsTest, TheLowOfTheLastHourCounts) {
  const Bytes now = *memory.kubelet_available;
  circumstances.available_low = 2_GiB;
  EXPECT_EQ(guard("headroom-now", hard(2_GiB)).ok, false) << "the slack is missing";
  EXPECT_EQ(guard("headroom-now", hard(1_GiB)).ok, true);
  EXPECT_EQ(bounds(seen, memory, Need{}, circumstances).headroom, 2_GiB);
  circumstances.available_low = now + 1_GiB;
  EXPECT_EQ(bounds(seen, memory, Need{}, circumstances).headroom, now) << "now is lower";
}

TEST_F(GuardsTest, TheRestartBudgetIsThatOfTheConfiguration) {
  EXPECT_EQ(guard("restart-budget", hard(1_GiB)).ok, true);
  circumstances.restarts_today = 2;
  EXPECT_EQ(guard("restart-budget", hard(1_GiB)).ok, false);
  config.restarts_per_day = 3;
  EXPECT_EQ(guard("restart-budget", hard(1_GiB)).ok, true);
  circumstances.restart_refused = "quarantined";
  EXPECT_EQ(guard("restart-budget", hard(1_GiB)).ok, false);
}

TEST_F(GuardsTest, Versions) {
  struct Case {
    std::optional<config::KubeletVersion> version;
    std::optional<bool> ok;
  };

  const std::vector<Case> cases = {
      {config::KubeletVersion{1, 24, 17, ""}, true},
      {config::KubeletVersion{1, 36, 99, ""}, true},
      {config::KubeletVersion{1, 24, 9, "+rke2r1"}, false},  // rke2#3723
      {config::KubeletVersion{1, 25, 5, "+rke2r1"}, false},
      {config::KubeletVersion{1, 26, 0, "+rke2r1"}, false},
      {config::KubeletVersion{1, 37, 0, ""}, std::nullopt},
      {config::KubeletVersion{1, 20, 2, ""}, std::nullopt},
      {std::nullopt, std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.version ? config::to_text(*c.version) : "unknown");
    seen.kubelet->version = c.version;
    EXPECT_EQ(guard("version", hard(1_GiB)).ok, c.ok);
  }
  config.allow_unknown_version = true;
  seen.kubelet->version = config::KubeletVersion{1, 37, 0, ""};
  EXPECT_EQ(guard("version", hard(1_GiB)).ok, true);
}

TEST_F(GuardsTest, AnAdministratorsValueIsLeftAlone) {
  auto& map = seen.kubelet->without_file.eviction_hard.emplace();
  map["memory.available"] = {"1Gi", std::string{kFolder} + "/50-admin.conf"};
  const Guard foreign = guard("foreign-value", hard(1_GiB));
  EXPECT_EQ(foreign.ok, false);
  EXPECT_THAT(foreign.reason, HasSubstr("50-admin.conf"));
  config.override_foreign = true;
  EXPECT_EQ(guard("foreign-value", hard(1_GiB)).ok, true);
}

TEST_F(GuardsTest, TheKubeletsDefaultIsNotForeign) {
  auto& map = seen.kubelet->without_file.eviction_hard.emplace();
  map["memory.available"] = {"100Mi", config::kKubeletDefault};
  EXPECT_EQ(guard("foreign-value", hard(1_GiB)).ok, true);
}

TEST_F(GuardsTest, AFileOfOurNameWithoutOurMarkIsNeverTouched) {
  seen.kubelet->file_content = "kind: KubeletConfiguration\n";
  config.override_foreign = true;
  EXPECT_EQ(guard("foreign-value", hard(1_GiB)).ok, false);
}

TEST_F(GuardsTest, SomebodysSoftThresholdRefusesOursOnly) {
  seen.kubelet->without_file.eviction_soft =
      config::SettingMap{{"nodefs.available", {"10%", "/etc/kubelet.conf"}}};
  EXPECT_EQ(guard("foreign-value", soft(1_GiB)).ok, false);
  EXPECT_EQ(guard("foreign-value", hard(1_GiB)).ok, true);
  EXPECT_TRUE(bounds(seen, memory, Need{}, circumstances).no_soft);
}

// Our file hides in the settings in force what others set beside it.
TEST_F(GuardsTest, WhatOthersSetIsSeenBesideOurFile) {
  Kubelet& kubelet = *seen.kubelet;
  kubelet.file_content = config::render_drop_in({.hard = 1_GiB});
  kubelet.loaded.settings.eviction_hard = {{"memory.available", {"1Gi", kubelet.file}}};
  kubelet.without_file.eviction_hard = {{"memory.available", {"2Gi", "/etc/kubelet.conf"}}};
  const Guard foreign = guard("foreign-value", hard(1_GiB));
  EXPECT_EQ(foreign.ok, false);
  EXPECT_THAT(foreign.reason, HasSubstr("2Gi by /etc/kubelet.conf"));
}

TEST_F(GuardsTest, WithoutAKubeletNothingIsSureAndNothingCrashes) {
  seen = Observation{};
  for (const Guard& each : guards(seen, MemoryAccount{}, Sizing{}, config, circumstances)) {
    EXPECT_FALSE(each.reason.empty()) << each.name;
  }
}

TEST_F(GuardsTest, BoundsAreTheLeastOfTheirGuards) {
  Need need;
  need.step = 16_MiB;
  const Bounds half_full = bounds(seen, memory, need, circumstances);
  EXPECT_EQ(half_full.hard, 16_GiB - 8_GiB - 16_MiB);
  EXPECT_EQ(half_full.hard_holder, "memory requests");
  EXPECT_EQ(half_full.headroom, 9_GiB - 16_MiB);
  seen.kubepods->current = 12_GiB;
  EXPECT_EQ(bounds(seen, memory, need, circumstances).hard, 4_GiB - 16_MiB);
}

}  // namespace
}  // namespace eviction::agent
