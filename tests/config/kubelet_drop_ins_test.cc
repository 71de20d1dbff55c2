// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/kubelet_config.h"
#include "tests/config/loaded_settings.h"
#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(KubeletDropIns, TakesADirectoryWhereTheVersionDoes) {
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

TEST(KubeletDropIns, MergesDropInsKeyByKey) {
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

TEST(KubeletDropIns, PutsDefaultsBackIn128) {
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

TEST(KubeletDropIns, DeletesWithNullSince132) {
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

TEST(KubeletDropIns, ChecksTypeOfDropInsByVersion) {
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

TEST(KubeletDropIns, LetsALaterDropInRepairAType) {
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

TEST(KubeletDropIns, RefusesDuplicatesInDropIns) {
  const std::string twice = hard_yaml("1Gi") + "evictionHard: {memory.available: 2Gi}\n";
  check({{"twice", 28, 28, kDirectory, {{"d/1.conf", twice}}, "ma<2Gi /d/1.conf;"},
         {"twice", 29, 36, kDirectory, {{"d/1.conf", twice}}, "refused"}});
}

TEST(KubeletDropIns, WarnsOfUnknownFieldsInDropIns) {
  const LoadedSettings loaded =
      load(36, kDirectory, {{"d/1.conf", kHeader + "evictonHard: {memory.available: 1Gi}\n"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings,
              ElementsAre(AllOf(HasSubstr("/d/1.conf:3"), HasSubstr("evictonHard"))));
}

TEST(KubeletDropIns, MatchesNamesOfDropInsInAnyCase) {
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

TEST(KubeletDropIns, WalksDirectoriesInOrder) {
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

TEST(KubeletDropIns, DoesNotLookBehindALinkForADirectory) {
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

}  // namespace
}  // namespace eviction::config
