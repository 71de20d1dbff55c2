// SPDX-License-Identifier: Apache-2.0
#include "config/settings_codec.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_document.h"
#include "config/kubelet_fields.h"

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ConfigValue parse(const std::string& text) {
  return parse_config_document(text, "f")->root;
}

const std::string kAll =
    "evictionHard: {memory.available: 1Gi}\n"
    "evictionSoft: {memory.available: 2Gi}\n"
    "evictionSoftGracePeriod: {memory.available: 1s}\n"
    "evictionMinimumReclaim: {memory.available: 1Mi}\n"
    "kubeReserved: {cpu: 1m}\n"
    "systemReserved: {memory: 1Mi}\n"
    "evictionMaxPodGracePeriod: 5\n"
    "evictionPressureTransitionPeriod: 1m\n"
    "memoryManagerPolicy: Static\n"
    "cgroupDriver: systemd\n"
    "cgroupRoot: /x\n"
    "port: 10251\n"
    "healthzBindAddress: 127.0.0.2\n"
    "healthzPort: 0\n"
    "containerRuntimeEndpoint: unix:///c.sock\n"
    "enforceNodeAllocatable: [pods, kube-reserved]\n"
    "reservedMemory: [{numaNode: 1, limits: {memory: 1048576, hugepages-1Gi: 1Gi}}]\n";

TEST(SettingsCodec, EncodesWhatItDecodes) {
  KubeletSettings settings;
  ASSERT_THAT(decode_settings(parse(kAll), NameMatch::kExact, settings), IsEmpty());
  EXPECT_EQ(settings.reserved_memory->at("1").value, "1048576");
  for (const NameStyle style : {NameStyle::kVersioned, NameStyle::kInternal}) {
    KubeletSettings again;
    EXPECT_THAT(decode_settings(encode_settings(settings, style), NameMatch::kAnyCase, again),
                IsEmpty());
    EXPECT_EQ(again.eviction_hard, settings.eviction_hard);
    EXPECT_EQ(again.eviction_soft, settings.eviction_soft);
    EXPECT_EQ(again.eviction_soft_grace_period, settings.eviction_soft_grace_period);
    EXPECT_EQ(again.eviction_minimum_reclaim, settings.eviction_minimum_reclaim);
    EXPECT_EQ(again.kube_reserved, settings.kube_reserved);
    EXPECT_EQ(again.system_reserved, settings.system_reserved);
    EXPECT_EQ(again.reserved_memory, settings.reserved_memory);
    EXPECT_EQ(again.eviction_max_pod_grace_period, settings.eviction_max_pod_grace_period);
    EXPECT_EQ(again.eviction_pressure_transition_period,
              settings.eviction_pressure_transition_period);
    EXPECT_EQ(again.memory_manager_policy, settings.memory_manager_policy);
    EXPECT_EQ(again.cgroup_driver, settings.cgroup_driver);
    EXPECT_EQ(again.cgroup_root, settings.cgroup_root);
    EXPECT_EQ(again.port->value, "10251");
    EXPECT_EQ(again.healthz_bind_address->value, "127.0.0.2");
    EXPECT_EQ(again.healthz_port->value, "0");
    EXPECT_EQ(again.container_runtime_endpoint->value, "unix:///c.sock");
    EXPECT_EQ(again.enforce_node_allocatable, settings.enforce_node_allocatable);
  }
}

TEST(SettingsCodec, CapitalisesInternalNames) {
  KubeletSettings settings;
  settings.eviction_hard = SettingMap{{"a", {"1", "f"}}};
  EXPECT_NE(encode_settings(settings, NameStyle::kInternal).find("EvictionHard"), nullptr);
  EXPECT_NE(encode_settings(settings, NameStyle::kVersioned).find("evictionHard"), nullptr);
}

TEST(SettingsCodec, LeavesEmptyOnesOut) {
  KubeletSettings settings;
  settings.eviction_hard = SettingMap{};
  settings.cgroup_root = Setting{"", "f"};
  settings.enforce_node_allocatable = {};
  EXPECT_THAT(encode_settings(settings, NameStyle::kVersioned).members, IsEmpty());
}

TEST(SettingsCodec, AddsToMapsAndReplacesTheRest) {
  KubeletSettings settings;
  ASSERT_THAT(decode_settings(parse(kAll), NameMatch::kExact, settings), IsEmpty());
  ASSERT_THAT(decode_settings(parse("evictionHard: {nodefs.available: 5%}\ncgroupRoot: /y\n"
                                    "enforceNodeAllocatable: [none]\nevictionSoft: null\n"),
                              NameMatch::kExact,
                              settings),
              IsEmpty());
  EXPECT_EQ(settings.eviction_hard->size(), 2U);
  EXPECT_EQ(settings.cgroup_root->value, "/y");
  EXPECT_THAT(settings.enforce_node_allocatable, ElementsAre("none"));
  EXPECT_FALSE(settings.eviction_soft);
}

TEST(SettingsCodec, SaysWhatIsWrongWhere) {
  KubeletSettings settings;
  EXPECT_THAT(
      decode_settings(parse("maxPods: 1\nevictionHard:\n  memory.available: 0\nsyncFrequency: 1\n"),
                      NameMatch::kExact,
                      settings),
      ElementsAre("f:3: evictionHard.memory.available is a number (0), but the kubelet takes only "
                  "a string; quote it",
                  HasSubstr("f:4: syncFrequency")));
}

TEST(SettingsCodec, ReadsTheMergeSwitch) {
  EXPECT_TRUE(merges_default_eviction(parse("mergeDefaultEvictionSettings: true")));
  EXPECT_TRUE(merges_default_eviction(parse("mergeDefaultEvictionSettings: on")));
  EXPECT_FALSE(merges_default_eviction(parse("mergeDefaultEvictionSettings: false")));
  EXPECT_FALSE(merges_default_eviction(parse("mergeDefaultEvictionSettings: 'true'")));
  EXPECT_FALSE(merges_default_eviction(parse("a: b")));
}

TEST(KubeletFields, AreFoundExactlyOrInAnyCase) {
  EXPECT_NE(find_kubelet_field("evictionHard", NameMatch::kExact), nullptr);
  EXPECT_EQ(find_kubelet_field("evictionhard", NameMatch::kExact), nullptr);
  EXPECT_NE(find_kubelet_field("EVICTIONHARD", NameMatch::kAnyCase), nullptr);
  EXPECT_EQ(find_kubelet_field("evictonHard", NameMatch::kAnyCase), nullptr);
  EXPECT_EQ(find_kubelet_field("", NameMatch::kAnyCase), nullptr);
}

}  // namespace
}  // namespace eviction::config
