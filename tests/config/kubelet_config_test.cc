// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_config.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/loaded_settings.h"
#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(KubeletConfig, HasDefaultsWhereTheVersionHasThem) {
  const std::string other = kHeader + "maxPods: 10\n";
  check({
      {"flags only", 24, 25, {}, {}, kOldDefaults},
      {"flags only", 26, 36, {}, {}, "nil"},
      {"other flags", 26, 36, {"--max-pods=10"}, {}, "nil"},
      {"file without the map", 24, 29, kConfig, {{"c.yaml", other}}, kOldDefaults},
      {"file without the map", 30, 36, kConfig, {{"c.yaml", other}}, kNewDefaults},
      {"null", 24, 29, kConfig, {{"c.yaml", other + "evictionHard:\n"}}, kOldDefaults},
      {"null", 30, 36, kConfig, {{"c.yaml", other + "evictionHard: ~\n"}}, kNewDefaults},
      {"empty map", 24, 36, kConfig, {{"c.yaml", other + "evictionHard: {}\n"}}, ""},
      {"one key drops the others",
       24,
       36,
       kConfig,
       {{"c.yaml", hard_yaml("1Gi")}},
       "ma<1Gi /c.yaml;"},
      {"empty --config", 26, 36, {"--config="}, {}, "nil"},
  });
}

TEST(KubeletConfig, MergesDefaultsSince133InTheMainFileOnly) {
  const std::string merged = "mergeDefaultEvictionSettings: true\n";
  const std::string with_default = "ia<15% *; ii<5% *; ma<1Gi /c.yaml; na<10% *; ni<5% *;";
  check({
      {"main", 33, 36, kConfig, {{"c.yaml", hard_yaml("1Gi") + merged}}, with_default},
      {"main", 24, 32, kConfig, {{"c.yaml", hard_yaml("1Gi") + merged}}, "ma<1Gi /c.yaml;"},
      {"false",
       33,
       36,
       kConfig,
       {{"c.yaml", hard_yaml("1Gi") + "mergeDefaultEvictionSettings: false\n"}},
       "ma<1Gi /c.yaml;"},
      {"empty map",
       33,
       36,
       kConfig,
       {{"c.yaml", kHeader + "evictionHard: {}\n" + merged}},
       kNewDefaults},
      {"drop-in",
       33,
       36,
       kDirectory,
       {{"d/1.conf", hard_yaml("1Gi") + merged}},
       "ma<1Gi /d/1.conf;"},
      {"main, then drop-in",
       33,
       36,
       kBoth,
       {{"c.yaml", hard_yaml("1Gi")}, {"d/1.conf", kHeader + merged}},
       "ma<1Gi /c.yaml;"},
  });
}

TEST(KubeletConfig, FlagsReplaceWholeMaps) {
  const Files files{{"c.yaml", hard_yaml("1Gi")}, {"d/1.conf", hard_yaml("2Gi")}};
  check({
      {"flag only",
       24,
       36,
       {"--eviction-hard=memory.available<3Gi"},
       {},
       "ma<3Gi --eviction-hard;"},
      {"over the file",
       24,
       36,
       {"--config=/c.yaml", "--eviction-hard=nodefs.available<5%"},
       files,
       "na<5% --eviction-hard;"},
      {"over drop-ins",
       28,
       36,
       {"--config-dir=/d", "--config=/c.yaml", "--eviction-hard=nodefs.available<5%"},
       files,
       "na<5% --eviction-hard;"},
      {"empty", 24, 36, {"--config=/c.yaml", "--eviction-hard="}, files, ""},
      {"two add",
       24,
       36,
       {"--config=/c.yaml",
        "--eviction-hard=nodefs.available<5%",
        "--eviction-hard",
        "memory.available<3Gi"},
       files,
       "ma<3Gi --eviction-hard; na<5% --eviction-hard;"},
      {"another map's flag",
       24,
       36,
       {"--config=/c.yaml", "--eviction-soft=memory.available<9Gi"},
       files,
       "ma<1Gi /c.yaml;"},
      {"malformed", 24, 36, {"--eviction-hard=memory.available"}, {}, "refused"},
  });
}

TEST(KubeletConfig, ReadsNullInTheMainFileAsEmpty) {
  const LoadedSettings loaded =
      load(36, kConfig, {{"c.yaml", kHeader + "evictionHard: {memory.available: null}\n"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(show(loaded.settings.eviction_hard), "ma< /c.yaml;");
}

TEST(KubeletConfig, RefusesFilesItCannotRead) {
  check({
      {"no main file", 24, 36, kConfig, {}, "refused"},
      {"empty main file", 24, 36, kConfig, {{"c.yaml", ""}}, "refused"},
      {"main file of comments", 24, 36, kConfig, {{"c.yaml", "# nothing\n"}}, "refused"},
      {"main file is a list", 24, 36, kConfig, {{"c.yaml", "- a\n"}}, "refused"},
      {"main file is text", 24, 36, kConfig, {{"c.yaml", "hello\n"}}, "refused"},
      {"main file with tabs",
       24,
       36,
       kConfig,
       {{"c.yaml", kHeader + "kubeReserved:\n\tmemory: 70Mi\n"}},
       "refused"},
      {"main file is a directory", 24, 36, {"--config=/d"}, {}, "refused"},
      {"no directory", 28, 36, {"--config-dir=/missing"}, {}, "refused"},
      {"empty drop-in", 28, 36, kDirectory, {{"d/1.conf", ""}}, "refused"},
      {"bad drop-in", 28, 36, kDirectory, {{"d/1.conf", "a: [\n"}}, "refused"},
      {"bad drop-in below", 28, 36, kDirectory, {{"d/sub/1.conf", "a: [\n"}}, "refused"},
      {"bad file of another name", 28, 36, kDirectory, {{"d/1.yaml", "a: [\n"}}, "nil"},
      {"staged file", 28, 36, kDirectory, {{"d/60.conf.staged", hard_yaml("1Gi")}}, "nil"},
  });
}

TEST(KubeletConfig, RefusesValuesOfAnotherType) {
  const std::vector<std::string> fields{"evictionHard: {memory.available: 0}",
                                        "evictionHard: {memory.available: 1000}",
                                        "evictionHard: {memory.available: 1e3}",
                                        "evictionHard: {memory.available: 0x10}",
                                        "evictionHard: {memory.available: 1_000}",
                                        "evictionHard: {memory.available: yes}",
                                        "evictionHard: {memory.available: [100Mi]}",
                                        "evictionHard: {memory.available: {a: b}}",
                                        "evictionHard: [memory.available]",
                                        "evictionHard: memory.available<1Gi",
                                        "evictionHard: 5",
                                        "evictionSoft: {memory.available: 1}",
                                        "evictionSoftGracePeriod: {memory.available: 30}",
                                        "evictionMinimumReclaim: {memory.available: 0}",
                                        "kubeReserved: {memory: 1}",
                                        "systemReserved: {cpu: 1}",
                                        "evictionMaxPodGracePeriod: '0'",
                                        "evictionMaxPodGracePeriod: 1.5",
                                        "evictionMaxPodGracePeriod: 2147483648",
                                        "evictionPressureTransitionPeriod: 5",
                                        "evictionPressureTransitionPeriod: '5'",
                                        "evictionPressureTransitionPeriod: 5x",
                                        "enforceNodeAllocatable: pods",
                                        "enforceNodeAllocatable: [1]",
                                        "memoryManagerPolicy: 1",
                                        "cgroupRoot: [a]",
                                        "maxPods: many",
                                        "failSwapOn: 'no'",
                                        "clusterDNS: 10.0.0.10",
                                        "syncFrequency: 60",
                                        "reservedMemory: {}",
                                        "reservedMemory: [{numaNode: x}]",
                                        "reservedMemory: [{numaNode: 0, limits: {memory: 1GB}}]"};
  for (const std::string& field : fields) {
    SCOPED_TRACE(field);
    for (const int minor : {24, 28, 29, 31, 32, 36}) {
      EXPECT_EQ(result(load(minor, kConfig, {{"c.yaml", kHeader + field + "\n"}})), "refused");
      if (minor >= 28) {
        EXPECT_EQ(result(load(minor, kDirectory, {{"d/1.conf", kHeader + field + "\n"}})),
                  "refused");
      }
    }
  }
}

TEST(KubeletConfig, TakesStringsHoweverTheyAreWritten) {
  check({
      {"plain", 24, 36, kConfig, {{"c.yaml", hard_yaml("100Mi")}}, "ma<100Mi /c.yaml;"},
      {"percent", 24, 36, kConfig, {{"c.yaml", hard_yaml("5%")}}, "ma<5% /c.yaml;"},
      {"double quotes", 24, 36, kConfig, {{"c.yaml", hard_yaml("\"1000\"")}}, "ma<1000 /c.yaml;"},
      {"single quotes", 24, 36, kConfig, {{"c.yaml", hard_yaml("'0'")}}, "ma<0 /c.yaml;"},
      {"tag", 24, 36, kConfig, {{"c.yaml", hard_yaml("!!str 1000")}}, "ma<1000 /c.yaml;"},
      {"spaces are kept", 24, 36, kConfig, {{"c.yaml", hard_yaml("' 1Gi '")}}, "ma< 1Gi  /c.yaml;"},
      {"JSON",
       24,
       36,
       kConfig,
       {{"c.yaml",
         "{\"apiVersion\": \"kubelet.config.k8s.io/v1beta1\", \"kind\": \"KubeletConfiguration\","
         " \"evictionHard\": {\"memory.available\": \"1Gi\"}}"}},
       "ma<1Gi /c.yaml;"},
      {"first document",
       24,
       36,
       kConfig,
       {{"c.yaml", hard_yaml("1Gi") + "---\nkind: [\n"}},
       "ma<1Gi /c.yaml;"},
  });
}

TEST(KubeletConfig, OnlyWarnsOfDuplicatesAndUnknownFieldsInTheMainFile) {
  const LoadedSettings loaded =
      load(36,
           kConfig,
           {{"c.yaml",
             hard_yaml("1Gi") + "evictonHard: {}\nEvictionSoft: {a: b}\n" +
                 "evictionHard: {memory.available: 2Gi}\n"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(show(loaded.settings.eviction_hard), "ma<2Gi /c.yaml;");
  EXPECT_EQ(show(loaded.settings.eviction_soft), "nil");
  EXPECT_THAT(loaded.warnings,
              ElementsAre(AllOf(HasSubstr("/c.yaml"), HasSubstr("evictionHard")),
                          AllOf(HasSubstr("/c.yaml"), HasSubstr("evictonHard")),
                          AllOf(HasSubstr("/c.yaml"), HasSubstr("EvictionSoft"))));
}

TEST(KubeletConfig, MergesDuplicateMapsOfAJsonMainFile) {
  const std::string json =
      "{\"apiVersion\": \"kubelet.config.k8s.io/v1beta1\", \"kind\": \"KubeletConfiguration\","
      " \"evictionHard\": {\"memory.available\": \"1Gi\", \"nodefs.available\": \"1%\"},"
      " \"evictionHard\": {\"nodefs.available\": \"5%\"}}";
  check({{"main", 24, 36, kConfig, {{"c.yaml", json}}, "ma<1Gi /c.yaml; na<5% /c.yaml;"},
         {"drop-in", 29, 36, kDirectory, {{"d/1.conf", json}}, "refused"}});
}

TEST(KubeletConfig, MergesTheOtherSettingsToo) {
  const std::string main = kHeader +
                           "evictionSoft: {memory.available: 1Gi}\n"
                           "evictionSoftGracePeriod: {memory.available: 1m}\n"
                           "evictionMaxPodGracePeriod: 30\n"
                           "kubeReserved: {memory: 70Mi}\n"
                           "enforceNodeAllocatable: [none]\n"
                           "memoryManagerPolicy: Static\n"
                           "reservedMemory: [{numaNode: 0, limits: {memory: 1Gi}}]\n"
                           "cgroupRoot: /main\n";
  const std::string drop_in = kHeader +
                              "evictionSoft: {memory.available: 2Gi}\n"
                              "evictionMaxPodGracePeriod: 0\n"
                              "kubeReserved: {memory: 150Mi, cpu: 200m}\n"
                              "reservedMemory: [{numaNode: 1, limits: {memory: 2Gi}}]\n";
  for (const int minor : {28, 29, 31, 32, 36}) {
    SCOPED_TRACE(minor);
    const LoadedSettings loaded = load(minor, kBoth, {{"c.yaml", main}, {"d/1.conf", drop_in}});
    const KubeletSettings& settings = loaded.settings;
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_EQ(show(settings.eviction_soft), "ma<2Gi /d/1.conf;");
    EXPECT_EQ(show(settings.eviction_soft_grace_period), "ma<1m /c.yaml;");
    EXPECT_EQ(show(settings.kube_reserved), "cpu<200m /d/1.conf; memory<150Mi /d/1.conf;");
    EXPECT_EQ(show(settings.reserved_memory), "1<2Gi /d/1.conf;");
    EXPECT_EQ(settings.cgroup_root->value, "/main");
    EXPECT_EQ(settings.cgroup_root->source, "/c.yaml");
    // 1.28: zero cannot override, and the drop-in's own defaults do.
    EXPECT_EQ(settings.eviction_max_pod_grace_period->value, minor == 28 ? "30" : "0");
    EXPECT_EQ(settings.memory_manager_policy.has_value(), minor != 28);
    EXPECT_THAT(settings.enforce_node_allocatable, ElementsAre(minor == 28 ? "pods" : "none"));
  }
}

// 1.28: the drop-in's own defaults override.
TEST(KubeletConfig, TellsWhereTheKubeletAnswers) {
  const std::string main = kHeader +
                           "port: 10251\nhealthzBindAddress: ::1\nhealthzPort: 0\n"
                           "containerRuntimeEndpoint: unix:///c.sock\n";
  for (const int minor : {28, 29, 31, 32, 36}) {
    SCOPED_TRACE(minor);
    const LoadedSettings loaded =
        load(minor, kBoth, {{"c.yaml", main}, {"d/1.conf", kHeader + "healthzPort: 1\n"}});
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_EQ(loaded.settings.healthz_port->value, "1");
    EXPECT_EQ(loaded.settings.healthz_port->source, "/d/1.conf");
    EXPECT_EQ(loaded.settings.port.has_value(), minor != 28);
    EXPECT_EQ(loaded.settings.healthz_bind_address.has_value(), minor != 28);
    EXPECT_EQ(loaded.settings.container_runtime_endpoint.has_value(), minor != 28);
  }
}

// Port 0 is the default for the API, and no port at all for the health.
TEST(KubeletConfig, TakesZeroValuesForDefaults) {
  const std::string zeros = kHeader +
                            "port: 0\nhealthzBindAddress: ''\nhealthzPort: 0\n"
                            "containerRuntimeEndpoint: ''\n";
  const KubeletSettings settings = load(36, kConfig, {{"c.yaml", zeros}}).settings;
  EXPECT_FALSE(settings.port);
  EXPECT_FALSE(settings.healthz_bind_address);
  EXPECT_FALSE(settings.container_runtime_endpoint);
  EXPECT_EQ(settings.healthz_port->value, "0");
}

TEST(KubeletConfig, TakesAnEmptyEnforcementListByVersion) {
  const Files files{{"c.yaml", kHeader + "enforceNodeAllocatable: []\n"}};
  EXPECT_THAT(load(36, kConfig, files).settings.enforce_node_allocatable, IsEmpty());
  EXPECT_THAT(load(31, kBoth, files).settings.enforce_node_allocatable, IsEmpty());
  // Since 1.32 an empty list is lost on the way through JSON and gets its default again.
  EXPECT_THAT(load(32, kBoth, files).settings.enforce_node_allocatable, ElementsAre("pods"));
  const Files in_drop_in{{"d/1.conf", kHeader + "enforceNodeAllocatable: []\n"}};
  EXPECT_THAT(load(36, kDirectory, in_drop_in).settings.enforce_node_allocatable, IsEmpty());
}

TEST(KubeletConfig, ChecksEnforcements) {
  const auto enforce = [](const std::string& list, int minor) {
    return load(minor, kConfig, {{"c.yaml", kHeader + "enforceNodeAllocatable: " + list + "\n"}})
        .errors.size();
  };
  for (const int minor : {24, 31, 32, 36}) {
    SCOPED_TRACE(minor);
    EXPECT_EQ(enforce("[pods, kube-reserved, system-reserved]", minor), 0U);
    EXPECT_EQ(enforce("[none]", minor), 0U);
    EXPECT_EQ(enforce("[none, pods]", minor), 1U);
    EXPECT_EQ(enforce("[pod]", minor), 1U);
    EXPECT_EQ(enforce("['']", minor), 1U);
    EXPECT_EQ(enforce("[kube-reserved-compressible]", minor), minor < 32 ? 1U : 0U);
  }
  EXPECT_EQ(enforce("[kube-reserved, kube-reserved-compressible]", 36), 1U);
  EXPECT_EQ(enforce("[pods, pods]", 36), 2U);
}

TEST(KubeletConfig, PutsTheDefaultForAZeroTransitionPeriod) {
  const Files files{{"c.yaml", kHeader + "evictionPressureTransitionPeriod: 0s\n"}};
  EXPECT_FALSE(load(36, kConfig, files).settings.eviction_pressure_transition_period);
  EXPECT_EQ(load(36, {"--eviction-pressure-transition-period=0s"}, {})
                .settings.eviction_pressure_transition_period->value,
            "0s");
}

TEST(KubeletConfig, CollectsTheErrorsOfAllFiles) {
  const LoadedSettings loaded = load(36,
                                     {"--config=/missing", "--config-dir=/d", "--eviction-soft=x"},
                                     {{"d/1.conf", ""}, {"d/2.conf", hard_yaml("0")}});
  EXPECT_THAT(loaded.errors,
              ElementsAre(HasSubstr("/missing"),
                          HasSubstr("/d/1.conf"),
                          AllOf(HasSubstr("/d/2.conf:4"),
                                HasSubstr("evictionHard.memory.available"),
                                HasSubstr("quote it")),
                          HasSubstr("--eviction-soft")));
  EXPECT_THAT(loaded.errors.front(), Not(HasSubstr("eviction-test")));  // the root stays unnamed
}

TEST(KubeletConfig, RefusesAFileOfMegabytes) {
  const Files files{{"c.yaml", kHeader + std::string(std::size_t{2} << 20, '#')}};
  EXPECT_EQ(result(load(36, kConfig, files)), "refused");
}

TEST(KubeletConfig, WarnsOfWhatTheKubeletOverwrites) {
  const LoadedSettings loaded =
      load(36, {"--eviction-hard=containerfs.available<5%,memory.available<1Gi"}, {});
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("containerfs.available")));
}

TEST(KubeletConfig, WarnsOfVersionsItDoesNotKnow) {
  EXPECT_THAT(load(23, {}, {}).warnings, SizeIs(1));
  EXPECT_THAT(load(24, {}, {}).warnings, IsEmpty());
  EXPECT_THAT(load(36, {}, {}).warnings, IsEmpty());
  EXPECT_THAT(load(37, {}, {}).warnings, SizeIs(1));
}

}  // namespace
}  // namespace eviction::config
