// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_flags.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/kubelet_config.h"

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using Arguments = std::vector<std::string>;

struct Applied {
  KubeletSettings settings;
  std::vector<std::string> errors;
};

Applied apply(const Arguments& arguments) {
  Applied applied;
  const KubeletFlags flags = parse_kubelet_flags(arguments);
  applied.errors = flags.errors;
  for (const std::string& error : apply_kubelet_flags(flags, applied.settings)) {
    applied.errors.push_back(error);
  }
  return applied;
}

std::string show(const std::optional<SettingMap>& map) {
  if (!map) {
    return "nil";
  }
  std::string text;
  for (const auto& [key, setting] : *map) {
    text += '[' + key + '|' + setting.value + ']';
  }
  return text;
}

struct MapRow {
  std::string name;
  Arguments arguments;
  std::string hard;
};

TEST(KubeletFlags, ReadMapsOfThresholds) {
  const std::vector<MapRow> rows{
      {"none", {}, "nil"},
      {"empty", {"--eviction-hard="}, ""},
      {"empty argument", {"--eviction-hard", ""}, ""},
      {"only commas", {"--eviction-hard=,,"}, ""},
      {"one", {"--eviction-hard=memory.available<1Gi"}, "[memory.available|1Gi]"},
      {"next argument", {"--eviction-hard", "memory.available<1Gi"}, "[memory.available|1Gi]"},
      {"two", {"--eviction-hard=a<1,b<2"}, "[a|1][b|2]"},
      {"spaces", {"--eviction-hard= a < 1 , b<2 "}, "[a|1][b|2]"},
      {"last of two", {"--eviction-hard=a<1,a<2"}, "[a|2]"},
      {"empty pairs", {"--eviction-hard=,a<1,,b<2,"}, "[a|1][b|2]"},
      {"empty key", {"--eviction-hard=<foo"}, "[|foo]"},
      {"empty value", {"--eviction-hard=a<"}, "[a|]"},
      {"first separator", {"--eviction-hard=a<b<c"}, "[a|b<c]"},
      {"equals inside", {"--eviction-hard=a<b=c"}, "[a|b=c]"},
      {"flag twice adds", {"--eviction-hard=a<1", "--eviction-hard=b<2,a<3"}, "[a|3][b|2]"},
      {"flag twice, then empty", {"--eviction-hard=a<1", "--eviction-hard="}, "[a|1]"},
      {"underscores", {"--eviction_hard=a<1"}, "[a|1]"},
      {"after an unknown flag", {"--x", "y", "--eviction-hard=a<1", "-v", "2"}, "[a|1]"},
      {"after an unknown pair", {"--x=--eviction-hard=b<2", "--eviction-hard", "a<1"}, "[a|1]"},
      {"a value that looks like a flag", {"--config", "--eviction-hard=a<1"}, "nil"},
      {"after the end of flags", {"--", "--eviction-hard=a<1"}, "nil"},
      {"quotes are kept", {"--eviction-hard=\"a<1\""}, "[\"a|1\"]"}};
  for (const MapRow& row : rows) {
    SCOPED_TRACE(row.name);
    const Applied applied = apply(row.arguments);
    EXPECT_THAT(applied.errors, IsEmpty());
    EXPECT_EQ(show(applied.settings.eviction_hard), row.hard);
  }
}

TEST(KubeletFlags, SeparateTheOtherMapsWithEquals) {
  const Applied applied = apply({"--eviction-soft=a<1",
                                 "--eviction-soft-grace-period=a=1s",
                                 "--eviction-minimum-reclaim=a=1Gi,b=10%",
                                 "--kube-reserved=cpu=1,memory=1Gi",
                                 "--system-reserved=memory=2Gi"});
  EXPECT_THAT(applied.errors, IsEmpty());
  EXPECT_EQ(show(applied.settings.eviction_soft), "[a|1]");
  EXPECT_EQ(show(applied.settings.eviction_soft_grace_period), "[a|1s]");
  EXPECT_EQ(show(applied.settings.eviction_minimum_reclaim), "[a|1Gi][b|10%]");
  EXPECT_EQ(show(applied.settings.kube_reserved), "[cpu|1][memory|1Gi]");
  EXPECT_EQ(show(applied.settings.system_reserved), "[memory|2Gi]");
  EXPECT_EQ(applied.settings.eviction_soft->at("a").source, "--eviction-soft");
}

TEST(KubeletFlags, RefuseWhatTheKubeletRefuses) {
  const std::vector<Arguments> rows{{"--eviction-hard=one"},
                                    {"--eviction-hard=a=1"},
                                    {"--eviction-hard=a>1"},
                                    {"--eviction-hard=a<1, "},
                                    {"--eviction-soft=a:1"},
                                    {"--eviction-minimum-reclaim=a<1"},
                                    {"--eviction-soft-grace-period=30s"},
                                    {"--kube-reserved=memory"},
                                    {"--eviction-hard"},
                                    {"--config"},
                                    {"---eviction-hard=a<1"},
                                    {"--=x"},
                                    {"--eviction-max-pod-grace-period=1s"},
                                    {"--eviction-max-pod-grace-period="},
                                    {"--eviction-max-pod-grace-period=2147483648"},
                                    {"--eviction-pressure-transition-period=5"},
                                    {"--eviction-pressure-transition-period=x"},
                                    {"--experimental-allocatable-ignore-eviction=maybe"},
                                    {"--reserved-memory=0"},
                                    {"--reserved-memory=0:memory"},
                                    {"--reserved-memory=0:cpu=1"},
                                    {"--reserved-memory=x:memory=1Gi"},
                                    {"--reserved-memory=0:memory=1GB"}};
  for (const Arguments& row : rows) {
    SCOPED_TRACE(row.front());
    EXPECT_THAT(apply(row).errors, SizeIs(1));
  }
}

TEST(KubeletFlags, ReadScalarsAndLists) {
  const Applied applied = apply({"--eviction-max-pod-grace-period=-1",
                                 "--eviction-pressure-transition-period=0s",
                                 "--memory-manager-policy=Static",
                                 "--cgroup-root=/a",
                                 "--cgroup-root=/b",
                                 "--cgroup-driver",
                                 "systemd",
                                 "--port=10251",
                                 "--healthz-bind-address",
                                 "::1",
                                 "--healthz_port=0",
                                 "--container-runtime-endpoint",
                                 "unix:///c.sock",
                                 "--enforce-node-allocatable=pods,kube-reserved",
                                 "--enforce-node-allocatable=system-reserved"});
  EXPECT_THAT(applied.errors, IsEmpty());
  EXPECT_EQ(applied.settings.eviction_max_pod_grace_period->value, "-1");
  EXPECT_EQ(applied.settings.eviction_pressure_transition_period->value, "0s");
  EXPECT_EQ(applied.settings.memory_manager_policy->value, "Static");
  EXPECT_EQ(applied.settings.cgroup_root->value, "/b");
  EXPECT_EQ(applied.settings.cgroup_driver->value, "systemd");
  EXPECT_EQ(applied.settings.port->value, "10251");
  EXPECT_EQ(applied.settings.healthz_bind_address->value, "::1");
  EXPECT_EQ(applied.settings.healthz_port->value, "0");
  EXPECT_EQ(applied.settings.container_runtime_endpoint->value, "unix:///c.sock");
  EXPECT_THAT(applied.settings.enforce_node_allocatable,
              ElementsAre("pods", "kube-reserved", "system-reserved"));
  EXPECT_THAT(apply({"--enforce-node-allocatable="}).settings.enforce_node_allocatable, IsEmpty());
}

TEST(KubeletFlags, ReadReservedMemory) {
  const Applied applied = apply({"--reserved-memory=0:memory=1Gi,hugepages-1Gi=2Gi;1:memory=2Gi",
                                 "--reserved-memory=2:memory=3Gi"});
  EXPECT_THAT(applied.errors, IsEmpty());
  EXPECT_EQ(show(applied.settings.reserved_memory), "[0|1Gi][1|2Gi][2|3Gi]");
}

TEST(KubeletFlags, ReadTheBooleanWithAndWithoutAValue) {
  const std::string flag = "--experimental-allocatable-ignore-eviction";
  EXPECT_TRUE(apply({flag, "false"}).settings.allocatable_ignores_eviction);
  EXPECT_TRUE(apply({flag + "=true"}).settings.allocatable_ignores_eviction);
  EXPECT_FALSE(apply({flag + "=0"}).settings.allocatable_ignores_eviction);
}

TEST(FlagValue, IsTheLastOne) {
  const Arguments arguments{"--config=/a", "--root-dir", "/r", "--config", "/b", "--last"};
  EXPECT_EQ(flag_value(arguments, "--config"), "/b");
  EXPECT_EQ(flag_value(arguments, "config"), "/b");
  EXPECT_EQ(flag_value(arguments, "--root-dir"), "/r");
  EXPECT_EQ(flag_value(arguments, "--root_dir"), "/r");
  EXPECT_EQ(flag_value(arguments, "--config-dir"), std::nullopt);
  EXPECT_EQ(flag_value(arguments, "--last"), std::nullopt);
  EXPECT_EQ(flag_value({"--config="}, "--config"), "");
}

}  // namespace
}  // namespace eviction::config
