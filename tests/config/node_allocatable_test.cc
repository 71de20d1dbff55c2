// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/thresholds.h"

namespace eviction::config {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

KubeletSettings reserved(const std::string& kube,
                         const std::string& system,
                         const std::string& hard) {
  KubeletSettings settings;
  settings.kube_reserved = SettingMap{{"memory", {kube, "a.yaml"}}};
  settings.system_reserved = SettingMap{{"memory", {system, "a.yaml"}}};
  settings.eviction_hard = SettingMap{{"memory.available", {hard, "a.yaml"}}};
  return settings;
}

std::vector<std::string> check(const KubeletSettings& settings, Bytes capacity = 4_GiB) {
  const KubeletVersion version{.major = 1, .minor = 36, .patch = {}, .suffix = {}};
  return check_node_allocatable(settings, parse_thresholds(settings, version), capacity);
}

TEST(NodeAllocatable, MayBeReservedToTheLastByte) {
  EXPECT_THAT(check(reserved("1Gi", "2Gi", "1Gi")), IsEmpty());
  EXPECT_THAT(check(reserved("1Gi", "2Gi", "25%")), IsEmpty());
  EXPECT_THAT(check(KubeletSettings{}), IsEmpty());
}

TEST(NodeAllocatable, RefusesOneByteMore) {
  EXPECT_THAT(check(reserved("1Gi", "2Gi", "1073741825")),
              ElementsAre(HasSubstr("more than the node has")));
  EXPECT_THAT(check(reserved("0", "0", "9Ei")), SizeIs(1));
}

TEST(NodeAllocatable, DoesNotCountSoftThresholds) {
  KubeletSettings settings = reserved("1Gi", "2Gi", "1Gi");
  settings.eviction_soft = SettingMap{{"memory.available", {"2Gi", "a.yaml"}}};
  settings.eviction_soft_grace_period = SettingMap{{"memory.available", {"0s", "a.yaml"}}};
  EXPECT_THAT(check(settings), IsEmpty());
}

TEST(NodeAllocatable, LeavesTheThresholdOutWhenTold) {
  KubeletSettings settings = reserved("2Gi", "2Gi", "1Gi");
  EXPECT_THAT(check(settings), SizeIs(1));
  settings.allocatable_ignores_eviction = true;
  EXPECT_THAT(check(settings), IsEmpty());
}

TEST(NodeAllocatable, RefusesReservationsTheKubeletCannotRead) {
  EXPECT_THAT(check(reserved("-150G", "15Ki", "1Mi")), ElementsAre(HasSubstr("kubeReserved")));
  EXPECT_THAT(check(reserved("1Gi", "15Ky", "1Mi")), ElementsAre(HasSubstr("systemReserved")));
  KubeletSettings unknown;
  unknown.kube_reserved = SettingMap{{"hugepages-2Mi", {"1Gi", "a.yaml"}}};
  EXPECT_THAT(check(unknown), ElementsAre(HasSubstr("hugepages-2Mi")));
  KubeletSettings known;
  known.system_reserved = SettingMap{{"cpu", {"200m", "a"}},
                                     {"memory", {"1Gi", "a"}},
                                     {"ephemeral-storage", {"1Gi", "a"}},
                                     {"pid", {"100", "a"}}};
  EXPECT_THAT(check(known), IsEmpty());
}

TEST(NodeAllocatable, WantsAnExactSumFromTheStaticPolicy) {
  KubeletSettings settings = reserved("512Mi", "412Mi", "100Mi");
  settings.memory_manager_policy = Setting{"Static", "a.yaml"};
  settings.reserved_memory = SettingMap{{"0", {"768Mi", "a.yaml"}}, {"1", {"256Mi", "a.yaml"}}};
  EXPECT_THAT(check(settings), IsEmpty());
  settings.eviction_hard->at("memory.available").value = "101Mi";
  EXPECT_THAT(check(settings), ElementsAre(HasSubstr("reservedMemory (1Gi)")));
}

TEST(NodeAllocatable, WantsSomethingReservedFromTheStaticPolicy) {
  KubeletSettings settings;
  settings.memory_manager_policy = Setting{"Static", "a.yaml"};
  EXPECT_THAT(check(settings), SizeIs(1));
}

TEST(NodeAllocatable, KnowsTwoPolicies) {
  KubeletSettings settings;
  settings.memory_manager_policy = Setting{"None", "a.yaml"};
  EXPECT_THAT(check(settings), IsEmpty());
  settings.memory_manager_policy = Setting{"static", "a.yaml"};
  EXPECT_THAT(check(settings), ElementsAre(HasSubstr("static")));
}

}  // namespace
}  // namespace eviction::config
