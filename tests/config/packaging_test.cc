// SPDX-License-Identifier: Apache-2.0
// The files that are made from the tables, and those that are written by hand beside them.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/agent_config.h"
#include "config/command_table.h"
#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::HasSubstr;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string sample() {
  return content_of(std::filesystem::path{PACKAGING_BUILD} / "eviction-agent.ini");
}

void expect_defaults(const std::string& text) {
  tests::TemporaryTree tree;
  tree.file(kConfigPath.substr(1), text);
  const Result<cgroup::Directory> root = cgroup::Directory::open(tree.path());
  const LoadedConfig loaded = load_agent_config(root.value(), std::string{kConfigPath}, true);
  for (const Error& error : loaded.errors) {
    ADD_FAILURE() << to_text(error);
  }
  const AgentConfig defaults;
  EXPECT_EQ(loaded.config.risk_permyriad, defaults.risk_permyriad);
  EXPECT_EQ(loaded.config.growth_ceiling_permyriad, defaults.growth_ceiling_permyriad);
  EXPECT_FALSE(loaded.config.kubelet_version);
  EXPECT_EQ(loaded.config.target, defaults.target);
  EXPECT_EQ(loaded.config.override_foreign, defaults.override_foreign);
  EXPECT_EQ(loaded.config.allow_unknown_version, defaults.allow_unknown_version);
  EXPECT_EQ(loaded.config.metrics_listen, defaults.metrics_listen);
  EXPECT_EQ(loaded.config.metrics_tls_certificate, defaults.metrics_tls_certificate);
  EXPECT_EQ(loaded.config.metrics_basic_auth_file, defaults.metrics_basic_auth_file);
  EXPECT_EQ(loaded.config.metrics_top_pods, defaults.metrics_top_pods);
}

TEST(SampleConfiguration, LoadsToTheDefaults) {
  expect_defaults(sample());
}

TEST(SampleConfiguration, LoadsToTheDefaultsWithEveryKeyUncommented) {
  std::string text = sample();
  for (const KeyInfo& info : agent_config_keys()) {
    const std::size_t commented = text.find("\n#" + std::string{info.key} + " =");
    ASSERT_NE(commented, std::string::npos) << info.key;
    text.erase(commented + 1, 1);
  }
  expect_defaults(text);
}

TEST(Manual, HasEveryKey) {
  const std::string text =
      content_of(std::filesystem::path{PACKAGING_BUILD} / "eviction-agent.ini.5.scd");
  for (const KeyInfo& info : agent_config_keys()) {
    EXPECT_THAT(text, HasSubstr("\n*" + std::string{info.key} + "* ="));
    EXPECT_THAT(text, HasSubstr("\n## [" + std::string{info.section} + "]\n"));
  }
  EXPECT_EQ(text.find("@KEYS@"), std::string::npos);
}

TEST(Manual, HasEveryCommandAndOption) {
  const std::string text =
      content_of(std::filesystem::path{PACKAGING_SOURCE} / "eviction-agent.8.scd");
  for (const CommandInfo& command : kCommands) {
    EXPECT_THAT(text, HasSubstr("\n*" + std::string{command.name} + '*'));
  }
  for (const OptionInfo& option : kOptions) {
    EXPECT_THAT(text, HasSubstr("*--" + std::string{option.name} + '*'));
  }
}

TEST(Manual, HasNoOptionThatIsNotThere) {
  const std::string text =
      content_of(std::filesystem::path{PACKAGING_SOURCE} / "eviction-agent.8.scd");
  std::size_t at = text.find("*--");
  for (; at != std::string::npos; at = text.find("*--", at + 1)) {
    const std::string name = text.substr(at + 3, text.find('*', at + 1) - at - 3);
    const bool known = std::ranges::find(kOptions, name, &OptionInfo::name) != kOptions.end();
    EXPECT_TRUE(known || name == "version") << name;
  }
}

/// The names between asterisks in "Not of *run* and *help*.", if the entry has such a sentence.
std::set<std::string> refusing(const std::string& entry) {
  std::set<std::string> names;
  const std::string lead = "Not of ";
  const std::size_t begin = entry.find(lead);
  if (begin == std::string::npos) {
    return names;
  }
  std::stringstream words{entry.substr(begin, entry.find('.', begin) - begin)};
  std::string word;
  std::getline(words, word, '*');
  while (std::getline(words, word, '*')) {
    names.insert(word);
    std::getline(words, word, '*');
  }
  return names;
}

TEST(Manual, SaysWhichCommandsRefuseACommonOption) {
  const std::string manual =
      content_of(std::filesystem::path{PACKAGING_SOURCE} / "eviction-agent.8.scd");
  const std::size_t begin = manual.find("## Common options");
  const std::string text = manual.substr(begin, manual.find("\n## ", begin) - begin);
  std::size_t entries = 0;
  for (const OptionInfo& option : kOptions) {
    const std::size_t entry = text.find("*--" + std::string{option.name} + '*');
    if (entry == std::string::npos) {
      continue;
    }
    ++entries;
    std::set<std::string> refuse;
    for (const CommandInfo& command : kCommands) {
      if (!takes(command.command, option)) {
        refuse.insert(std::string{command.name});
      }
    }
    EXPECT_EQ(refusing(text.substr(entry, text.find("\n\n", entry) - entry)), refuse)
        << option.name;
  }
  EXPECT_EQ(entries, 6U);
}

TEST(Manual, SaysWhatValidateRequires) {
  const std::string text =
      content_of(std::filesystem::path{PACKAGING_SOURCE} / "eviction-agent.8.scd");
  EXPECT_THAT(text, HasSubstr("*validate* *--kubelet-version* _V_ *--capacity* _BYTES_ ["));
  const std::string options = text.substr(text.find("## Options of validate"));
  for (const char* name : {"*--kubelet-version*", "*--capacity*"}) {
    const std::string entry = options.substr(options.find(name));
    EXPECT_THAT(entry.substr(0, entry.find("\n\n")), HasSubstr("Required.")) << name;
  }
}

/// What the completion offers with the words that were typed, the last of them to be completed.
std::string completed(const std::string& words, std::size_t last) {
  const std::string script = "source '" PACKAGING_SOURCE "/eviction-agent.bash'; COMP_WORDS=(" +
                             words + "); COMP_CWORD=" + std::to_string(last) +
                             "; _eviction_agent; echo \"${COMPREPLY[*]}\"";
  tests::TemporaryTree tree;
  tree.file("run.bash", script);
  const std::string command = "bash " + tree.path("run.bash") + " > " + tree.path("out");
  EXPECT_EQ(std::system(command.c_str()), 0);  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  std::string text = content_of(tree.path("out"));
  text.pop_back();
  return text;
}

TEST(Completion, OffersCommandsOptionsAndValues) {
  EXPECT_EQ(completed("eviction-agent ''", 1),
            "run plan check validate status incidents apply rollback record replay simulate "
            "version help --help --version");
  EXPECT_EQ(completed("eviction-agent simulate --mix ''", 3), "containers mixed vms");
  EXPECT_EQ(completed("eviction-agent simulate --policy per", 3),
            "percent-5 percent-10 percent-7-1Gi");
  EXPECT_EQ(completed("eviction-agent v", 1), "validate version");
  EXPECT_EQ(completed("eviction-agent plan --path.r", 2), "--path.rootfs");
  EXPECT_EQ(completed("eviction-agent plan --eviction", 2), "");
  EXPECT_EQ(completed("eviction-agent plan -o ''", 3), "table json yaml");
  EXPECT_EQ(completed("eviction-agent plan --output = j", 4), "json");
  EXPECT_EQ(completed("eviction-agent plan --output =", 3), "table json yaml");
  EXPECT_EQ(completed("eviction-agent check --log-level w", 3), "warning");
  EXPECT_EQ(completed("eviction-agent plan --config ''", 3), "");
  EXPECT_EQ(completed("eviction-agent help ch", 2), "check");
  EXPECT_EQ(completed("eviction-agent version -", 2), "--output --help");
  EXPECT_EQ(completed("eviction-agent version -o ''", 3), "table json yaml");
  EXPECT_EQ(completed("eviction-agent apply --dry-run --co", 3), "--config");
  EXPECT_EQ(completed("eviction-agent replay --csv --co", 3), "--config");
  EXPECT_EQ(completed("eviction-agent unknown ''", 2), "");
}

TEST(Completion, OffersEveryOptionOfTheCommandAndNoOther) {
  for (const char* command : {"run",
                              "plan",
                              "check",
                              "validate",
                              "status",
                              "incidents",
                              "apply",
                              "rollback",
                              "record",
                              "replay",
                              "simulate",
                              "version"}) {
    std::set<std::string> taken;
    for (const OptionInfo& option : kOptions) {
      if (takes(std::ranges::find(kCommands, command, &CommandInfo::name)->command, option)) {
        taken.insert("--" + std::string{option.name});
      }
    }
    std::istringstream offered{completed("eviction-agent " + std::string{command} + " ''", 2)};
    EXPECT_EQ(taken, (std::set<std::string>{std::istream_iterator<std::string>{offered}, {}}));
  }
}

}  // namespace
}  // namespace eviction::config
