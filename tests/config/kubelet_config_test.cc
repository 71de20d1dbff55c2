// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_config.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Arguments = std::vector<std::string>;
using Files = std::vector<std::pair<std::string, std::string>>;

const std::string kHeader =
    "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const Arguments kConfig{"--config=/c.yaml"};
const Arguments kDirectory{"--config-dir=/d"};
const Arguments kBoth{"--config=/c.yaml", "--config-dir=/d"};

LoadedSettings load(int minor, const Arguments& arguments, const Files& files, bool alpha = true) {
  tests::TemporaryTree tree;
  tree.directory("d");
  for (const auto& [path, content] : files) {
    tree.file(path, content);
  }
  const KubeletInvocation invocation{
      .version = {.major = 1, .minor = minor, .patch = {}, .suffix = {}},
      .arguments = arguments,
      .config_dropin_dir_alpha = alpha};
  return load_kubelet_settings(invocation, *cgroup::Directory::open(tree.path()));
}

std::string hard_yaml(const std::string& value) {
  return kHeader + "evictionHard:\n  memory.available: " + value + "\n";
}

/// Signals by their first letters (ia: imagefs.available), sources by their file.
std::string show(const std::optional<SettingMap>& map) {
  if (!map) {
    return "nil";
  }
  std::string text;
  for (const auto& [key, setting] : *map) {
    const std::size_t dot = key.find('.');
    const std::string name =
        dot == std::string::npos ? key : key.substr(0, 1) + key.substr(dot + 1, 1);
    text += (text.empty() ? "" : " ") + name + "<" + setting.value + " " +
            (setting.source == "kubelet default" ? "*" : setting.source) + ";";
  }
  return text;
}

const std::string kOldDefaults = "ia<15% *; ma<100Mi *; na<10% *; ni<5% *;";
const std::string kNewDefaults = "ia<15% *; ii<5% *; ma<100Mi *; na<10% *; ni<5% *;";

struct Row {
  std::string name;
  int from;
  int to;
  Arguments arguments;
  Files files;
  std::string hard;  ///< "refused" or what evictionHard comes to
};

std::string result(const LoadedSettings& loaded) {
  return loaded.errors.empty() ? show(loaded.settings.eviction_hard) : "refused";
}

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (int minor = row.from; minor <= row.to; ++minor) {
      const LoadedSettings loaded = load(minor, row.arguments, row.files);
      EXPECT_EQ(result(loaded), row.hard)
          << row.name << " in 1." << minor << ": "
          << (loaded.errors.empty() ? std::string{} : loaded.errors.front());
    }
  }
}

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

TEST(KubeletConfig, TakesADirectoryWhereTheVersionDoes) {
  const Files files{{"d/1.conf", hard_yaml("1Gi")}};
  check({
      {"unknown flag", 24, 27, kDirectory, files, "refused"},
      {"unknown flag, empty", 24, 27, {"--config-dir="}, files, "refused"},
      {"known flag, empty", 28, 36, {"--config-dir="}, files, "nil"},
      {"known flag", 28, 36, kDirectory, files, "ma<1Gi /d/1.conf;"},
  });
  for (int minor = 28; minor <= 36; ++minor) {
    EXPECT_EQ(result(load(minor, kDirectory, files, false)),
              minor < 30 ? "refused" : "ma<1Gi /d/1.conf;");
  }
}

TEST(KubeletConfig, MergesDropInsKeyByKey) {
  const std::string disk =
      kHeader + "evictionHard: {nodefs.available: 5%, memory.available: 1Gi}\n";
  const Files files{{"d/00.conf", disk}, {"d/90.conf", hard_yaml("2Gi")}};
  Files with_main = files;
  with_main.emplace_back("c.yaml", kHeader + "evictionHard: {imagefs.available: 7%}\n");
  check({
      {"drop-ins", 28, 36, kDirectory, files, "ma<2Gi /d/90.conf; na<5% /d/00.conf;"},
      {"over the main file",
       28,
       36,
       kBoth,
       with_main,
       "ia<7% /c.yaml; ma<2Gi /d/90.conf; na<5% /d/00.conf;"},
      {"over defaults",
       28,
       29,
       kBoth,
       {{"c.yaml", kHeader}, {"d/1.conf", hard_yaml("2Gi")}},
       "ia<15% *; ma<2Gi /d/1.conf; na<10% *; ni<5% *;"},
      {"over defaults",
       30,
       36,
       kBoth,
       {{"c.yaml", kHeader}, {"d/1.conf", hard_yaml("2Gi")}},
       "ia<15% *; ii<5% *; ma<2Gi /d/1.conf; na<10% *; ni<5% *;"},
      {"an empty map changes nothing",
       28,
       36,
       kDirectory,
       {{"d/1.conf", hard_yaml("1Gi")}, {"d/2.conf", kHeader + "evictionHard: {}\n"}},
       "ma<1Gi /d/1.conf;"},
      {"no files", 28, 36, kDirectory, {}, "nil"},
  });
}

TEST(KubeletConfig, PutsDefaultsBackIn128) {
  const Files files{{"d/1.conf", hard_yaml("1Gi")}, {"d/2.conf", kHeader}};
  Files with_main = files;
  with_main.emplace_back("c.yaml", hard_yaml("3Gi"));
  Files with_bare_main = files;
  with_bare_main.emplace_back("c.yaml", kHeader);
  check({
      {"last drop-in without the map", 28, 28, kDirectory, files, kOldDefaults},
      {"last drop-in without the map", 29, 36, kDirectory, files, "ma<1Gi /d/1.conf;"},
      {"over the main file", 28, 28, kBoth, with_main, kOldDefaults},
      {"over the main file", 29, 36, kBoth, with_main, "ma<1Gi /d/1.conf;"},
      // Main file and defaults are one map there, which the first drop-in changed.
      {"over a main file without the map",
       28,
       28,
       kBoth,
       with_bare_main,
       "ia<15% *; ma<1Gi /d/1.conf; na<10% *; ni<5% *;"},
  });
}

TEST(KubeletConfig, DeletesWithNullSince132) {
  const std::string null_key = kHeader + "evictionHard: {memory.available: null}\n";
  const std::string main =
      kHeader + "evictionHard: {memory.available: 1Gi, nodefs.available: 5%}\n";
  const Files files{{"c.yaml", main}, {"d/1.conf", null_key}};
  const Files map_files{{"c.yaml", main}, {"d/1.conf", kHeader + "evictionHard:\n"}};
  const Files two_files{{"d/1.conf", hard_yaml("1Gi")}, {"d/2.conf", null_key}};
  check({
      {"key of the main file", 29, 31, kBoth, files, "ma<1Gi /c.yaml; na<5% /c.yaml;"},
      {"key of the main file", 32, 36, kBoth, files, "na<5% /c.yaml;"},
      {"map of the main file", 29, 31, kBoth, map_files, "ma<1Gi /c.yaml; na<5% /c.yaml;"},
      {"map of the main file", 32, 36, kBoth, map_files, "nil"},
      {"key of a drop-in", 29, 36, kDirectory, two_files, ""},
  });
}

TEST(KubeletConfig, ReadsNullInTheMainFileAsEmpty) {
  const LoadedSettings loaded =
      load(36, kConfig, {{"c.yaml", kHeader + "evictionHard: {memory.available: null}\n"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(show(loaded.settings.eviction_hard), "ma< /c.yaml;");
}

TEST(KubeletConfig, ChecksTypeOfDropInsByVersion) {
  const std::string map = "evictionHard: {memory.available: 1Gi}\n";
  const std::string version = "apiVersion: kubelet.config.k8s.io/v1beta1\n";
  const std::string accepted = "ma<1Gi /d/1.conf;";
  const std::string old_version = "apiVersion: kubelet.config.k8s.io/v1alpha1\n";
  const std::string kind = "kind: KubeletConfiguration\n";
  check({
      {"neither", 28, 36, kDirectory, {{"d/1.conf", map}}, "refused"},
      {"no kind", 28, 36, kDirectory, {{"d/1.conf", version + map}}, "refused"},
      {"no version", 28, 28, kDirectory, {{"d/1.conf", kind + map}}, "refused"},
      {"no version", 29, 31, kDirectory, {{"d/1.conf", kind + map}}, accepted},
      {"no version", 32, 36, kDirectory, {{"d/1.conf", kind + map}}, "refused"},
      {"other version", 29, 31, kDirectory, {{"d/1.conf", old_version + kind + map}}, accepted},
      {"other version", 32, 36, kDirectory, {{"d/1.conf", old_version + kind + map}}, "refused"},
      {"other kind", 29, 31, kDirectory, {{"d/1.conf", version + "kind: Pod\n" + map}}, accepted},
      {"other kind", 32, 36, kDirectory, {{"d/1.conf", version + "kind: Pod\n" + map}}, "refused"},
      {"kind as number",
       29,
       36,
       kDirectory,
       {{"d/1.conf", version + "kind: 1\n" + map}},
       "refused"},
      {"main without kind", 24, 36, kConfig, {{"c.yaml", version + map}}, "refused"},
      {"main without version", 24, 36, kConfig, {{"c.yaml", kind + map}}, "refused"},
      {"main of other version", 24, 36, kConfig, {{"c.yaml", old_version + kind + map}}, "refused"},
  });
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

TEST(KubeletConfig, LetsALaterDropInRepairAType) {
  check({
      {"repaired",
       29,
       36,
       kDirectory,
       {{"d/1.conf", hard_yaml("0")}, {"d/2.conf", hard_yaml("1Gi")}},
       "ma<1Gi /d/2.conf;"},
      {"not repaired",
       29,
       36,
       kDirectory,
       {{"d/1.conf", hard_yaml("1Gi")}, {"d/2.conf", hard_yaml("0")}},
       "refused"},
      {"each file for itself",
       28,
       28,
       kDirectory,
       {{"d/1.conf", hard_yaml("0")}, {"d/2.conf", hard_yaml("1Gi")}},
       "refused"},
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

TEST(KubeletConfig, RefusesDuplicatesInDropIns) {
  const std::string twice = hard_yaml("1Gi") + "evictionHard: {memory.available: 2Gi}\n";
  check({{"twice", 28, 28, kDirectory, {{"d/1.conf", twice}}, "ma<2Gi /d/1.conf;"},
         {"twice", 29, 36, kDirectory, {{"d/1.conf", twice}}, "refused"}});
}

TEST(KubeletConfig, WarnsOfUnknownFieldsInDropIns) {
  const LoadedSettings loaded =
      load(36, kDirectory, {{"d/1.conf", kHeader + "evictonHard: {memory.available: 1Gi}\n"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings,
              ElementsAre(AllOf(HasSubstr("/d/1.conf:3"), HasSubstr("evictonHard"))));
}

TEST(KubeletConfig, MatchesNamesOfDropInsInAnyCase) {
  const std::string upper = kHeader + "EvictionHard: {memory.available: 2Gi}\n";
  check({
      {"alone", 29, 36, kDirectory, {{"d/1.conf", upper}}, "ma<2Gi /d/1.conf;"},
      // Capitals sort first, so that the right spelling is decoded last and wins.
      {"beside the right one",
       29,
       36,
       kDirectory,
       {{"d/1.conf", hard_yaml("1Gi")}, {"d/2.conf", upper}},
       "ma<1Gi /d/1.conf;"},
  });
}

TEST(KubeletConfig, WalksDirectoriesInOrder) {
  check({
      {"subdirectories",
       29,
       36,
       kDirectory,
       {{"d/10-a.conf", hard_yaml("1Gi")}, {"d/10-b/1.conf", hard_yaml("2Gi")}},
       "ma<2Gi /d/10-b/1.conf;"},
      {"at their own place",
       29,
       36,
       kDirectory,
       {{"d/10/9.conf", hard_yaml("1Gi")}, {"d/20.conf", hard_yaml("2Gi")}},
       "ma<2Gi /d/20.conf;"},
      {"bytewise",
       29,
       36,
       kDirectory,
       {{"d/9.conf", hard_yaml("9Gi")}, {"d/10.conf", hard_yaml("10Gi")}},
       "ma<9Gi /d/9.conf;"},
      {"hidden", 29, 36, kDirectory, {{"d/.a.conf", hard_yaml("1Gi")}}, "ma<1Gi /d/.a.conf;"},
      {"upper case", 29, 36, kDirectory, {{"d/a.CONF", hard_yaml("1Gi")}}, "nil"},
      {"trailing slash",
       29,
       36,
       {"--config-dir=/d/"},
       {{"d/1.conf", hard_yaml("1Gi")}},
       "ma<1Gi /d/1.conf;"},
      {"a file for a directory",
       29,
       36,
       {"--config-dir=/x.conf"},
       {{"x.conf", hard_yaml("1Gi")}},
       "ma<1Gi /x.conf;"},
  });
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

TEST(KubeletConfig, DoesNotLookBehindALinkForADirectory) {
  tests::TemporaryTree tree;
  tree.file("real/1.conf", hard_yaml("1Gi"));
  std::filesystem::create_directory_symlink("real", tree.path("d"));
  const KubeletInvocation invocation{
      .version = {.major = 1, .minor = 36, .patch = {}, .suffix = {}},
      .arguments = kDirectory,
      .config_dropin_dir_alpha = false};
  const LoadedSettings loaded =
      load_kubelet_settings(invocation, *cgroup::Directory::open(tree.path()));
  EXPECT_EQ(result(loaded), "nil");
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("symbolic link")));
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
