// SPDX-License-Identifier: Apache-2.0
#include "config/agent_config.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kMain = "etc/eviction-agent/eviction-agent.ini";
constexpr const char* kDropIns = "etc/eviction-agent/conf.d/";

LoadedConfig load(const tests::TemporaryTree& tree, bool required = false) {
  const Result<cgroup::Directory> root = cgroup::Directory::open(tree.path());
  return load_agent_config(root.value(), std::string{kConfigPath}, required);
}

LoadedConfig load_text(std::string_view text) {
  tests::TemporaryTree tree;
  tree.file(kMain, text);
  return load(tree);
}

std::vector<std::string> texts_of(const std::vector<Error>& errors) {
  std::vector<std::string> texts;
  texts.reserve(errors.size());
  for (const Error& error : errors) {
    texts.push_back(to_text(error));
  }
  return texts;
}

std::string metrics_of(const AgentConfig& config) {
  std::string text;
  for (const ListenAddress& address : config.metrics_listen) {
    text += to_text(address) + ' ';
  }
  for (const std::string* path : {&config.metrics_tls_certificate,
                                  &config.metrics_tls_key,
                                  &config.metrics_tls_client_ca,
                                  &config.metrics_basic_auth_file}) {
    text += (path->empty() ? "-" : *path) + ' ';
  }
  return text + std::to_string(config.metrics_top_pods);
}

/// Every field, so that a test sees what it did not expect to change.
std::string all_of(const AgentConfig& config) {
  return std::to_string(config.risk_permyriad) + ' ' +
         std::to_string(config.growth_ceiling_permyriad) + ' ' +
         (config.kubelet_version ? to_text(*config.kubelet_version) : "-") + ' ' +
         std::to_string(static_cast<int>(config.target)) + ' ' +
         std::to_string(static_cast<int>(config.override_foreign)) + ' ' +
         std::to_string(static_cast<int>(config.allow_unknown_version)) + ' ' + metrics_of(config);
}

TEST(AgentConfig, HasItsDefaultsWithoutAnyFile) {
  const LoadedConfig loaded = load(tests::TemporaryTree{});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.files, IsEmpty());
  EXPECT_EQ(loaded.config.risk_permyriad, 1000);
  EXPECT_EQ(loaded.config.growth_ceiling_permyriad, 1000);
  EXPECT_EQ(loaded.config.kubelet_version, std::nullopt);
  EXPECT_EQ(loaded.config.target, TargetChoice::kAuto);
  EXPECT_FALSE(loaded.config.override_foreign);
  EXPECT_FALSE(loaded.config.allow_unknown_version);
}

TEST(AgentConfig, ReadsEveryKey) {
  const LoadedConfig loaded = load_text(
      "[sizing]\nrisk = 0.25%\ngrowth-ceiling = 12.5%\n"
      "[kubelet]\nversion = v1.32.3+rke2r1\ntarget = rke2-args\noverride = yes\n"
      "allow-version = yes\n"
      "[metrics]\nlisten = 10.0.0.7:9847 [::]:443\ntls-certificate = /c\ntls-key = /k\n"
      "tls-client-ca = /a\nbasic-auth-file = /b\ntop-pods = 3\n");
  EXPECT_THAT(texts_of(loaded.errors), IsEmpty());
  EXPECT_EQ(all_of(loaded.config),
            "25 1250 v1.32.3+rke2r1 4 1 1 10.0.0.7:9847 [::]:443 /c /k /a /b 3");
  EXPECT_EQ(loaded.config.target, TargetChoice::kRke2Args);
}

TEST(AgentConfig, LaterFilesOverrideInBytewiseOrder) {
  tests::TemporaryTree tree;
  tree.file(kMain, "[sizing]\nrisk = 1%\n[kubelet]\ntarget = none\nversion = 1.32\n")
      .file(std::string{kDropIns} + "10-a.ini", "[sizing]\nrisk = 2%\n[kubelet]\nversion =\n")
      .file(std::string{kDropIns} + "9-b.ini", "[sizing]\nrisk = 3%\n")
      .file(std::string{kDropIns} + "Z.ini", "[kubelet]\noverride = yes\n");
  const LoadedConfig loaded = load(tree);
  EXPECT_THAT(texts_of(loaded.errors), IsEmpty());
  EXPECT_EQ(loaded.config.risk_permyriad, 300);
  EXPECT_EQ(loaded.config.target, TargetChoice::kNone);
  EXPECT_TRUE(loaded.config.override_foreign);
  EXPECT_EQ(loaded.config.kubelet_version, std::nullopt);
  EXPECT_THAT(loaded.files,
              ElementsAre(tree.path(kMain),
                          tree.path(std::string{kDropIns} + "10-a.ini"),
                          tree.path(std::string{kDropIns} + "9-b.ini"),
                          tree.path(std::string{kDropIns} + "Z.ini")));
}

TEST(AgentConfig, PassesOverHiddenFilesAndOtherNames) {
  tests::TemporaryTree tree;
  for (const char* name : {".a.ini", "a.conf", "a.ini~", "a.ini.bak", "a.INI", "ini", ".ini"}) {
    tree.file(std::string{kDropIns} + name, "rubbish");
  }
  const LoadedConfig loaded = load(tree);
  EXPECT_THAT(texts_of(loaded.errors), IsEmpty());
  EXPECT_THAT(loaded.files, IsEmpty());
}

TEST(AgentConfig, LooksForDropInsBesideTheMainFile) {
  tests::TemporaryTree tree;
  tree.file("srv/x.ini", "[sizing]\nrisk = 1%\n").file("srv/conf.d/y.ini", "[sizing]\nrisk = 2%\n");
  tree.file(kMain, "rubbish");
  const Result<cgroup::Directory> root = cgroup::Directory::open(tree.path());
  const LoadedConfig loaded = load_agent_config(root.value(), "/srv/x.ini", true);
  EXPECT_THAT(texts_of(loaded.errors), IsEmpty());
  EXPECT_EQ(loaded.config.risk_permyriad, 200);
}

TEST(AgentConfig, MissingMainFileIsAnErrorOnlyIfRequired) {
  tests::TemporaryTree tree;
  tree.file(std::string{kDropIns} + "a.ini", "[sizing]\nrisk = 2%\n");
  EXPECT_THAT(load(tree).errors, IsEmpty());
  EXPECT_EQ(load(tree).config.risk_permyriad, 200);

  const LoadedConfig required = load(tree, true);
  ASSERT_THAT(required.errors, SizeIs(1));
  EXPECT_EQ(required.errors[0].kind, ErrorKind::kAbsent);
  EXPECT_EQ(required.errors[0].path, tree.path(kMain));
}

TEST(AgentConfig, WhatCannotBeReadIsAnError) {
  tests::TemporaryTree tree;
  tree.directory(kMain).directory(std::string{kDropIns} + "a.ini");
  std::filesystem::create_symlink("nowhere", tree.path(std::string{kDropIns} + "b.ini"));
  const LoadedConfig loaded = load(tree);
  ASSERT_THAT(loaded.errors, SizeIs(3));
  EXPECT_EQ(loaded.errors[0].path, tree.path(kMain));
  EXPECT_EQ(loaded.errors[1].path, tree.path(std::string{kDropIns} + "a.ini"));
  EXPECT_EQ(loaded.errors[2].path, tree.path(std::string{kDropIns} + "b.ini"));
  EXPECT_EQ(loaded.errors[2].kind, ErrorKind::kAbsent);
}

TEST(AgentConfig, ALinkThatLeadsNowhereIsNoAbsentFile) {
  tests::TemporaryTree tree;
  tree.directory("etc/eviction-agent");
  std::filesystem::create_symlink("/srv/agent.ini", tree.path(kMain));
  std::filesystem::create_symlink("/srv/conf.d", tree.path("etc/eviction-agent/conf.d"));
  EXPECT_THAT(texts_of(load(tree).errors),
              ElementsAre(AllOf(HasSubstr(tree.path(kMain) + ": a symbolic link to "),
                                HasSubstr("/srv/agent.ini"),
                                HasSubstr("is not there")),
                          AllOf(HasSubstr("/srv/conf.d"), HasSubstr("is not there"))));
  tree.file("srv/agent.ini", "[agent]\nmode = observe\n").directory("srv/conf.d");
  EXPECT_THAT(texts_of(load(tree).errors), IsEmpty());
  EXPECT_EQ(load(tree).config.mode, Mode::kObserve);
}

TEST(AgentConfig, DropInsThatAreNoDirectoryAreAnError) {
  tests::TemporaryTree tree;
  tree.file("etc/eviction-agent/conf.d", "");
  EXPECT_THAT(load(tree).errors, SizeIs(1));
}

TEST(AgentConfig, RefusesMoreThanAMebibyte) {
  const std::string line = "# " + std::string(1021, 'x') + '\n';  // 1 KiB
  std::string text;
  for (int i = 0; i < 1024; ++i) {
    text += line;
  }
  EXPECT_THAT(load_text(text).errors, IsEmpty());
  const LoadedConfig loaded = load_text(text + '\n');
  ASSERT_THAT(loaded.errors, SizeIs(1));
  EXPECT_EQ(loaded.errors[0].kind, ErrorKind::kTooLarge);
}

struct Refused {
  const char* name;
  const char* text;
  const char* error;  ///< after the path
};

TEST(AgentConfig, ErrorsNameLineSectionKeyValueAndWhatIsAllowed) {
  const std::vector<Refused> cases{
      {"no percent sign",
       "[sizing]\nrisk = 0.1\n",
       ":2: [sizing] risk: \"0.1\" is not allowed; allowed: 0.01% to 99% with at most two "
       "decimals"},
      {"below the least", "[sizing]\nrisk = 0%\n", "\"0%\" is not allowed"},
      {"above the most", "[sizing]\nrisk = 99.01%\n", "\"99.01%\" is not allowed"},
      {"three decimals", "[sizing]\nrisk = 0.100%\n", "\"0.100%\" is not allowed"},
      {"no decimals", "[sizing]\nrisk = 1.%\n", "\"1.%\" is not allowed"},
      {"nothing before the point", "[sizing]\nrisk = .5%\n", "\".5%\" is not allowed"},
      {"negative", "[sizing]\nrisk = -1%\n", "\"-1%\" is not allowed"},
      {"negative decimals", "[sizing]\nrisk = 1.-1%\n", "\"1.-1%\" is not allowed"},
      {"plus", "[sizing]\nrisk = +1%\n", "\"+1%\" is not allowed"},
      {"blank", "[sizing]\nrisk = 1 %\n", "\"1 %\" is not allowed"},
      {"exponent", "[sizing]\nrisk = 1e0%\n", "\"1e0%\" is not allowed"},
      {"comma", "[sizing]\nrisk = 0,1%\n", "\"0,1%\" is not allowed"},
      {"2^32 + 1", "[sizing]\nrisk = 4294967297%\n", "\"4294967297%\" is not allowed"},
      {"empty", "[sizing]\nrisk =\n", "\"\" is not allowed"},
      {"percent sign alone", "[sizing]\nrisk = %\n", "\"%\" is not allowed"},
      {"hash is no comment here", "[sizing]\nrisk = 1% # x\n", "\"1% # x\" is not allowed"},
      {"ceiling",
       "[sizing]\ngrowth-ceiling = 50.01%\n",
       ":2: [sizing] growth-ceiling: \"50.01%\" is not allowed; allowed: 1% to 50%"},
      {"true",
       "[kubelet]\noverride = true\n",
       ":2: [kubelet] override: \"true\" is not allowed; allowed: yes, no"},
      {"Yes", "[kubelet]\nallow-version = Yes\n", "\"Yes\" is not allowed; allowed: yes, no"},
      {"target",
       "[kubelet]\ntarget = rke2\n",
       "\"rke2\" is not allowed; allowed: auto, rke2-dropin, k3s-dropin, kubelet-dropin, "
       "rke2-args, "
       "k3s-args, none"},
      {"version",
       "[kubelet]\nversion = new\n",
       "\"new\" is not allowed; allowed: a version such as 1.32, 1.32.3 or v1.32.3+rke2r1"},
      {"mode", "[agent]\nmode = force\n", "allowed: observe, stage, enforce"},
      {"number above its limit", "[agent]\nrestarts-per-day = 25\n", "allowed: 0 to 24"},
      {"negative number", "[agent]\nrestarts-per-day = -1\n", "allowed: 0 to 24"},
      {"number with a unit", "[agent]\nrestarts-per-day = 2/day\n", "allowed: 0 to 24"},
      {"host name",
       "[metrics]\nlisten = localhost:9847\n",
       "allowed: ADDRESS:PORT, 8 at most, separated by spaces or commas, or off"},
      {"path of nowhere",
       "[metrics]\nbasic-auth-file = users\n",
       "allowed: a path that begins with /, or empty"},
      {"certificate without key",
       "[metrics]\ntls-certificate = /c\n",
       ": [metrics] tls-certificate and tls-key: one is set without the other"},
      {"key without certificate",
       "[metrics]\ntls-key = /k\n",
       ": [metrics] tls-certificate and tls-key: one is set without the other"},
      {"clients' authority without TLS",
       "[metrics]\ntls-client-ca = /a\n",
       ": [metrics] tls-client-ca: there is no TLS without tls-certificate"},
      {"key mistyped",
       "[sizing]\nrsik = 1%\n",
       ":2: [sizing] rsik: no such key; did you mean risk?"},
      {"case of a key", "[sizing]\nRisk = 1%\n", "did you mean risk?"},
      {"key of another section",
       "[sizing]\ntarget = none\n",
       ":2: [sizing] target: no such key; it belongs in [kubelet]"},
      {"key of nobody",
       "[sizing]\nswappiness = 1\n",
       "no such key; the keys of [sizing] are: risk, growth-ceiling"},
      {"section mistyped",
       "\n[sizng]\nrisk = 1%\n",
       ":2: [sizng] is no section of this file; did you mean [sizing]?"},
      {"section of nobody",
       "[memory]\n",
       ":1: [memory] is no section of this file; the sections are: agent, sizing, kubelet, "
       "metrics"},
      {"twice",
       "[sizing]\nrisk = 1%\n\nrisk = 1%\n",
       ":4: [sizing] risk: given twice, first on line 2; keep one of the two"},
      {"twice, in two places",
       "[sizing]\nrisk = 1%\n[kubelet]\n[sizing]\nrisk = 2%\n",
       ":5: [sizing] risk: given twice, first on line 2"},
      {"no INI", "[sizing]\nrisk\n", ":2: \"risk\" is neither"},
  };
  for (const Refused& test : cases) {
    SCOPED_TRACE(test.name);
    const LoadedConfig loaded = load_text(test.text);
    ASSERT_THAT(texts_of(loaded.errors), SizeIs(1));
    EXPECT_THAT(to_text(loaded.errors[0]), AllOf(HasSubstr(kMain), HasSubstr(test.error)));
    EXPECT_EQ(loaded.errors[0].kind, ErrorKind::kMalformed);
  }
}

TEST(AgentConfig, CollectsEveryErrorOfEveryFileInOrder) {
  tests::TemporaryTree tree;
  tree.file(kMain, "[sizing]\nrisk = x\n indented\nrsik = 1%\n[kubelet]\noverride = no\n")
      .file(std::string{kDropIns} + "a.ini", "[sizing]\nrisk = 1%\n")
      .file(std::string{kDropIns} + "b.ini", "[kubelet]\noverride = maybe\n");
  const LoadedConfig loaded = load(tree);
  EXPECT_THAT(texts_of(loaded.errors),
              ElementsAre(HasSubstr("agent.ini:2: "),
                          HasSubstr("agent.ini:3: "),
                          HasSubstr("agent.ini:4: "),
                          HasSubstr("b.ini:2: ")));
}

TEST(AgentConfig, TheSameKeyInTwoFilesIsNoError) {
  tests::TemporaryTree tree;
  tree.file(kMain, "[sizing]\nrisk = 1%\n")
      .file(std::string{kDropIns} + "a.ini", "[sizing]\nrisk = 2%\n");
  EXPECT_THAT(load(tree).errors, IsEmpty());
}

TEST(AgentConfigKeys, DefaultsOfTheTableAreThoseOfTheStructure) {
  for (const KeyInfo& info : agent_config_keys()) {
    SCOPED_TRACE(info.key);
    const LoadedConfig loaded =
        load_text('[' + std::string{info.section} + "]\n" + std::string{info.key} + " = " +
                  std::string{info.default_value} + '\n');
    EXPECT_THAT(texts_of(loaded.errors), IsEmpty());
    EXPECT_EQ(all_of(loaded.config), all_of(AgentConfig{}));
  }
}

TEST(AgentConfigKeys, AreDocumented) {
  for (const KeyInfo& info : agent_config_keys()) {
    SCOPED_TRACE(info.key);
    EXPECT_TRUE(info.doc.ends_with('.'));
    EXPECT_FALSE(allowed_values(info).empty());
  }
}

/// A field with a value of it: how the value is written, and whether a configuration has it.
struct Written {
  std::string text;
  std::function<bool(const AgentConfig&)> is_in;
};

struct AnyValue {
  rc::Gen<Written> operator()(const PercentField& percent) const {
    return rc::gen::map(
        rc::gen::inRange(percent.least, percent.most + 1), [percent](int permyriad) {
          const int hundredths = permyriad % 100;
          const std::string text = std::to_string(permyriad / 100) + '.' +
                                   (hundredths < 10 ? "0" : "") + std::to_string(hundredths) + '%';
          return Written{text, [percent, permyriad](const AgentConfig& config) {
                           return config.*percent.field == permyriad;
                         }};
        });
  }

  rc::Gen<Written> operator()(bool AgentConfig::*field) const {
    return rc::gen::map(rc::gen::arbitrary<bool>(), [field](bool value) {
      return Written{value ? "yes" : "no",
                     [field, value](const AgentConfig& config) { return config.*field == value; }};
    });
  }

  rc::Gen<Written> operator()(const NumberField& number) const {
    int AgentConfig::*const field = number.field;
    return rc::gen::map(rc::gen::inRange(number.least, number.most + 1), [field](int value) {
      return Written{std::to_string(value),
                     [field, value](const AgentConfig& config) { return config.*field == value; }};
    });
  }

  rc::Gen<Written> operator()(std::vector<ListenAddress> AgentConfig::*field) const {
    return rc::gen::map(rc::gen::inRange(0, 65536), [field](int port) {
      std::vector<ListenAddress> addresses;
      if (port != 0) {
        addresses.push_back({false, "10.0.0.1", static_cast<std::uint16_t>(port)});
      }
      return Written{
          addresses.empty() ? "off" : to_text(addresses.front()),
          [field, addresses](const AgentConfig& config) { return config.*field == addresses; }};
    });
  }

  rc::Gen<Written> operator()(std::string AgentConfig::*field) const {
    return rc::gen::map(rc::gen::inRange(0, 1000), [field](int number) {
      const std::string path = "/etc/file " + std::to_string(number);
      return Written{path,
                     [field, path](const AgentConfig& config) { return config.*field == path; }};
    });
  }

  rc::Gen<Written> operator()(Mode AgentConfig::*field) const {
    const std::map<std::string, Mode> modes{
        {"observe", Mode::kObserve}, {"stage", Mode::kStage}, {"enforce", Mode::kEnforce}};
    return rc::gen::map(rc::gen::elementOf(modes),
                        [field](const std::pair<std::string, Mode>& mode) {
                          const Mode value = mode.second;
                          return Written{mode.first, [field, value](const AgentConfig& config) {
                                           return config.*field == value;
                                         }};
                        });
  }

  rc::Gen<Written> operator()(TargetChoice AgentConfig::*field) const {
    using enum TargetChoice;
    const std::map<std::string, TargetChoice> targets{{"auto", kAuto},
                                                      {"rke2-dropin", kRke2Dropin},
                                                      {"k3s-dropin", kK3sDropin},
                                                      {"kubelet-dropin", kKubeletDropin},
                                                      {"rke2-args", kRke2Args},
                                                      {"k3s-args", kK3sArgs},
                                                      {"none", kNone}};
    return rc::gen::map(rc::gen::elementOf(targets),
                        [field](const std::pair<std::string, TargetChoice>& target) {
                          const TargetChoice value = target.second;
                          return Written{target.first, [field, value](const AgentConfig& config) {
                                           return config.*field == value;
                                         }};
                        });
  }

  rc::Gen<Written> operator()(std::optional<KubeletVersion> AgentConfig::*field) const {
    const auto number = rc::gen::inRange(0, 100);
    const auto suffix = rc::gen::element<std::string>("", "+rke2r1", "+k3s1", "-rc.0");
    return rc::gen::map(rc::gen::tuple(number, number, suffix),
                        [field](const std::tuple<int, int, std::string>& parts) {
                          const std::string text = "v1." + std::to_string(std::get<0>(parts)) +
                                                   '.' + std::to_string(std::get<1>(parts)) +
                                                   std::get<2>(parts);
                          return Written{text, [field, text](const AgentConfig& config) {
                                           const auto& version = config.*field;
                                           return version && to_text(*version) == text;
                                         }};
                        });
  }
};

RC_GTEST_PROP(AgentConfigProperty, AnyAllowedValuesAreReadBack, ()) {
  std::string text;
  std::vector<Written> values;
  for (const KeyInfo& info : agent_config_keys()) {
    values.push_back(*std::visit(AnyValue{}, info.field));
    text += '[' + std::string{info.section} + "]\n" + std::string{info.key} + " = " +
            values.back().text + '\n';
  }
  const LoadedConfig loaded = load_text(text);
  RC_LOG() << text;
  RC_ASSERT(texts_of(loaded.errors).empty());
  for (const Written& value : values) {
    RC_ASSERT(value.is_in(loaded.config));
  }
}

}  // namespace
}  // namespace eviction::config
