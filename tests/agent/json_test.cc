// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>
#include <yaml-cpp/yaml.h>

#include "agent/render.h"
#include "agent/status_file.h"
#include "tests/agent/sample_plan.h"

namespace eviction::agent {
namespace {

using nlohmann::ordered_json;
using tests::sample_plan;
using namespace literals;  // NOLINT(google-build-using-namespace): 1_GiB

ordered_json at(const ordered_json& document, const std::string& pointer) {
  return document.at(ordered_json::json_pointer{pointer});
}

/// Every null of an object has a sibling that says why.
void expect_reasons(const ordered_json& value, const std::string& path) {
  for (const auto& item : value.items()) {
    const std::string here = path + '/' + item.key();
    if (value.is_object() && item.value().is_null()) {
      const std::string sibling = item.key() + "_absent";
      ASSERT_TRUE(value.contains(sibling)) << here;
      EXPECT_TRUE(value[sibling].is_string() && !value[sibling].get<std::string>().empty()) << here;
    }
    if (item.value().is_structured()) {
      expect_reasons(item.value(), here);
    }
  }
}

/// Every amount is an integer, or absent.
void expect_integers(const ordered_json& value) {
  for (const auto& item : value.items()) {
    const std::string& key = item.key();
    if (value.is_object() && key.ends_with("_bytes") && !item.value().is_object()) {
      EXPECT_TRUE(item.value().is_number_integer() || item.value().is_null()) << key;
    }
    if (item.value().is_structured()) {
      expect_integers(item.value());
    }
  }
}

TEST(PlanJson, HasEveryNameOfTheContract) {
  const ordered_json document = to_json(sample_plan());
  const std::vector<std::string> pointers = {
      "/node/capacity_bytes",
      "/node/cgroup",
      "/node/psi",
      "/node/kernel",
      "/node/kubelet_version",
      "/node/kubelet_formula",
      "/memory/kubelet_available_bytes",
      "/memory/mem_available_bytes",
      "/memory/gap_bytes",
      "/memory/kernel_bytes",
      "/memory/reserve_bytes",
      "/memory/cache_floor_bytes",
      "/memory/active_file_bytes",
      "/memory/hugepages_bytes",
      "/sizing/growth/bytes",
      "/sizing/growth/prior_bytes",
      "/sizing/growth/learned_bytes",
      "/sizing/growth/learned_weight",
      "/workloads/vm/pods",
      "/workloads/vm-auxiliary/working_set_bytes",
      "/workloads/container/request_bytes",
      "/workloads/system/headroom_bytes",
      "/pods/0/uid",
      "/pods/0/namespace",
      "/pods/0/name",
      "/pods/0/class",
      "/pods/0/qos",
      "/pods/0/usage_bytes",
      "/pods/0/working_set_bytes",
      "/pods/0/request_bytes",
      "/pods/0/request_source",
      "/pods/0/limit_bytes",
      "/kubelet/target",
      "/kubelet/file",
      "/kubelet/effective/evictionHard/nodefs.available/value",
      "/kubelet/effective/evictionHard/nodefs.available/bytes",
      "/kubelet/effective/evictionHard/nodefs.available/source",
      "/kubelet/effective/evictionSoft",
      "/kubelet/effective/evictionMinimumReclaim/nodefs.available/value",
      "/kubelet/shadowed_by",
      "/sizing/instrument",
      "/sizing/need_bytes",
      "/sizing/hard_bytes",
      "/sizing/soft_bytes",
      "/sizing/reclaim_bytes",
      "/sizing/shortfall_bytes",
      "/sizing/terms/0/name",
      "/sizing/terms/0/bytes",
      "/sizing/terms/0/reason",
      "/sizing/terms/0/source",
      "/guards/0/name",
      "/guards/0/ok",
      "/guards/0/reason",
      "/next_victims/0/uid",
      "/next_victims/0/name",
      "/next_victims/0/class",
      "/next_victims/0/working_set_bytes",
      "/allocatable_bytes/now",
      "/allocatable_bytes/after",
      "/problems/0/file",
      "/problems/0/remedy",
      "/kubelet/file_content",
      "/kubelet/diff",
      "/outcome"};
  for (const std::string& pointer : pointers) {
    EXPECT_TRUE(document.contains(ordered_json::json_pointer{pointer})) << pointer;
  }
}

TEST(PlanJson, ShowsWhatWasFound) {
  const ordered_json document = to_json(sample_plan());
  EXPECT_EQ(at(document, "/node/capacity_bytes"), 4294967296);
  EXPECT_EQ(at(document, "/node/cgroup"), "v2");
  EXPECT_EQ(at(document, "/node/psi"), true);
  EXPECT_EQ(at(document, "/node/kubelet_version"), "v1.36.2+rke2r1");
  EXPECT_EQ(at(document, "/node/kubelet_formula"), "anon+file");
  EXPECT_EQ(at(document, "/memory/gap_bytes"), 335544320);
  EXPECT_EQ(at(document, "/memory/kernel_bytes"), 262144000);
  EXPECT_EQ(at(document, "/workloads/vm/pods"), 2);
  EXPECT_EQ(at(document, "/workloads/system/pods"), 0);
  EXPECT_EQ(at(document, "/pods/0/class"), "vm");
  EXPECT_EQ(at(document, "/pods/2/class"), "container");
  EXPECT_EQ(at(document, "/pods/0/request_source"), "checkpoint");
  EXPECT_EQ(at(document, "/kubelet/target"), "rke2-dropin");
  EXPECT_EQ(at(document, "/sizing/instrument"), "soft");
  EXPECT_EQ(at(document, "/sizing/soft_bytes"), 771751936);
  EXPECT_EQ(at(document, "/guards/0/ok"), true);
  EXPECT_TRUE(at(document, "/guards/1/ok").is_null());
  EXPECT_EQ(at(document, "/next_victims/0/uid"), "0003");
  EXPECT_EQ(at(document, "/problems/0/file"), "/proc/vmstat");
  EXPECT_EQ(at(document, "/outcome"), "applicable");
}

TEST(PlanJson, GivesAReasonForEveryNull) {
  expect_reasons(to_json(sample_plan()), "");
  Plan unknown;
  unknown.next_victims_absent = "no pods";
  unknown.allocatable_absent = "no node";
  expect_reasons(to_json(unknown), "");
  unknown.observation.kubelet = Kubelet{};
  unknown.observation.kubelet->version_source = "--version could not be run";
  unknown.observation.pods_known = true;
  unknown.observation.pods = {Pod{}};
  expect_reasons(to_json(unknown), "");
}

TEST(StatusJson, GivesAReasonForEveryNull) {
  Status status;
  const ordered_json idle = to_json(status, sample_plan());
  expect_reasons(idle, "");
  EXPECT_EQ(at(idle, "/transaction_absent"), "none is under way");
  EXPECT_TRUE(at(idle, "/in_force_absent").is_string());
  status.transaction.emplace();
  status.in_force.emplace();
  const ordered_json busy = to_json(status, sample_plan());
  EXPECT_TRUE(at(busy, "/transaction").is_object());
  EXPECT_TRUE(at(busy, "/in_force").is_object());
  EXPECT_FALSE(busy.contains("transaction_absent") || busy.contains("in_force_absent"));
}

TEST(PlanJson, AmountsAreIntegers) {
  expect_integers(to_json(sample_plan()));
}

TEST(PlanJson, NeverShowsUnknownPodsAsNone) {
  Plan plan = sample_plan();
  plan.observation.pods_known = false;
  plan.observation.pods.clear();
  const ordered_json document = to_json(plan);
  EXPECT_TRUE(at(document, "/pods").is_null());
  EXPECT_EQ(document["workloads"].size(), 4U);
  EXPECT_TRUE(at(document, "/workloads/vm/pods").is_null());
}

TEST(PlanJson, ShowsBothEndsOfAnEstimate) {
  Plan plan = sample_plan();
  plan.observation.pods[0].request =
      MemoryRequest{.low = 1_GiB, .high = 2_GiB, .source = RequestSource::kEstimate};
  plan.observation.pods[1].request.reset();
  const ordered_json document = to_json(plan);
  EXPECT_EQ(at(document, "/pods/0/request_bytes"), 2147483648);
  EXPECT_EQ(at(document, "/pods/0/request_low_bytes"), 1073741824);
  EXPECT_EQ(at(document, "/pods/0/request_source"), "estimate");
  EXPECT_TRUE(at(document, "/pods/1/request_source").is_null());
  EXPECT_FALSE(document["pods"][2].contains("request_low_bytes"));
}

TEST(PlanJson, SaysWhyThereIsNoPressureInformation) {
  Plan plan = sample_plan();
  plan.observation.pressure.reset();
  plan.observation.pressure_absent = Error{.kind = ErrorKind::kUnsupported,
                                           .path = "/proc/pressure/memory",
                                           .what = "PSI is off",
                                           .remedy = "boot with psi=1"};
  const ordered_json document = to_json(plan);
  EXPECT_EQ(at(document, "/node/psi"), false);
  EXPECT_THAT(at(document, "/node/psi_absent").get<std::string>(), testing::HasSubstr("psi=1"));
}

TEST(PlanJson, ComputesEffectiveBytesAsTheKubeletDoes) {
  Plan plan = sample_plan();
  plan.memory.capacity = 10_GiB;
  config::KubeletSettings& settings = plan.observation.kubelet->loaded.settings;
  settings.eviction_hard = config::SettingMap{{"memory.available", {"5%", "--eviction-hard"}},
                                              {"nodefs.available", {"5%", "--eviction-hard"}},
                                              {"imagefs.available", {"0%", "--eviction-hard"}},
                                              {"bogus", {"1Gi", "--eviction-hard"}}};
  settings.eviction_soft = config::SettingMap{{"memory.available", {"1.5Gi", "x.conf"}}};
  settings.eviction_minimum_reclaim = config::SettingMap{{"memory.available", {"10Mi", "x.conf"}}};
  const ordered_json effective = to_json(plan)["kubelet"]["effective"];
  // int64(10737418240 * float64(float32(0.05))), 8 bytes above 512 MiB.
  EXPECT_EQ(effective["evictionHard"]["memory.available"]["bytes"], 536870920);
  EXPECT_EQ(effective["evictionHard"]["memory.available"]["value"], "5%");
  EXPECT_TRUE(effective["evictionHard"]["nodefs.available"]["bytes"].is_null());
  EXPECT_TRUE(effective["evictionHard"]["imagefs.available"]["bytes"].is_null());
  EXPECT_TRUE(effective["evictionHard"]["bogus"]["bytes"].is_null());
  EXPECT_EQ(effective["evictionSoft"]["memory.available"]["bytes"], 1610612736);
  EXPECT_EQ(effective["evictionMinimumReclaim"]["memory.available"]["bytes"], 10485760);
  expect_reasons(effective, "");
}

TEST(PlanJson, ANilMapIsEmpty) {
  Plan plan = sample_plan();
  plan.observation.kubelet->loaded.settings.eviction_hard.reset();
  EXPECT_EQ(at(to_json(plan), "/kubelet/effective/evictionHard"), ordered_json::object());
}

TEST(PlanJson, BytesThatAreNotUtf8AreReplaced) {
  Plan plan = sample_plan();
  plan.observation.pods[0].name = "a\xff\xc3";
  const ordered_json document = to_json(plan);
  const std::string text = document.dump(2, ' ', false, ordered_json::error_handler_t::replace);
  EXPECT_THAT(text, testing::HasSubstr("a\xef\xbf\xbd"));
  EXPECT_NO_THROW(static_cast<void>(YAML::Load(to_yaml(document))));
}

TEST(FindingsJson, NamesSeverityAndRemedy) {
  const ordered_json document = to_json(std::vector<Finding>{
      {"psi", Severity::kWarning, "off", "boot with psi=1"}, {"swap", Severity::kOk, "none", ""}});
  EXPECT_EQ(at(document, "/fit"), true);
  EXPECT_EQ(at(document, "/findings/0/severity"), "warning");
  EXPECT_EQ(at(document, "/findings/0/remedy"), "boot with psi=1");
  expect_reasons(document, "");
}

TEST(FindingsJson, AnErrorIsNotFit) {
  const ordered_json document =
      to_json(std::vector<Finding>{{"kubelet", Severity::kError, "none", "start it"}});
  EXPECT_EQ(at(document, "/fit"), false);
}

/// What a YAML reader makes of a node, with JSON's types.
ordered_json reread(const YAML::Node& node) {
  ordered_json value;
  if (node.IsMap()) {
    value = ordered_json::object();
    for (const auto& item : node) {
      value[item.first.as<std::string>()] = reread(item.second);
    }
  } else if (node.IsSequence()) {
    value = ordered_json::array();
    for (const auto& item : node) {
      value.push_back(reread(item));
    }
  } else if (node.IsScalar() && node.Tag() == "!") {  // quoted: a string, whatever it looks like
    value = node.as<std::string>();
  } else if (node.IsScalar()) {
    value = ordered_json::parse(node.Scalar());
  }
  return value;
}

TEST(Yaml, IsTheSameDocument) {
  const ordered_json document = to_json(sample_plan());
  EXPECT_EQ(reread(YAML::Load(to_yaml(document))), document);
}

TEST(Yaml, KeepsTypes) {
  const ordered_json document = {{"yes", "no"},
                                 {"memory.available", "5%"},
                                 {"number", "0x10"},
                                 {"null", "null"},
                                 {"~", "~"},
                                 {"", ""},
                                 {"empty", ordered_json::object()},
                                 {"none", ordered_json::array()},
                                 {"nested", {{"fraction", 0.5}, {"tiny", 1e-7}}},
                                 {"multi\nline", "a: b\n- c # d\x01\x7f\t"},
                                 {"negative", -1},
                                 {"large", INT64_MAX},
                                 {"nothing", nullptr},
                                 {"truth", true}};
  const std::string yaml = to_yaml(document);
  EXPECT_EQ(reread(YAML::Load(yaml)), document);
  EXPECT_THAT(yaml, testing::HasSubstr("\"yes\": \"no\""));
  EXPECT_THAT(yaml, testing::HasSubstr("empty: {}"));
}

rc::Gen<ordered_json> any_value(int depth) {
  // Any byte of ASCII: what is not, is replaced in both forms (BytesThatAreNotUtf8AreReplaced).
  const auto text = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  const auto json = [](const auto& value) { return ordered_json(value); };
  auto scalar = rc::gen::oneOf(rc::gen::map(text, json),
                               rc::gen::map(rc::gen::arbitrary<std::int64_t>(), json),
                               rc::gen::map(rc::gen::arbitrary<bool>(), json),
                               rc::gen::just(ordered_json(nullptr)));
  if (depth == 0) {
    return scalar;
  }
  const auto inner = rc::gen::resize(5, any_value(depth - 1));
  return rc::gen::oneOf(
      scalar,
      rc::gen::map(rc::gen::container<std::vector<ordered_json>>(inner),
                   [](const auto& items) {
                     ordered_json list = ordered_json::array();
                     for (const ordered_json& item : items) {
                       list.push_back(item);
                     }
                     return list;
                   }),
      rc::gen::map(rc::gen::container<std::map<std::string, ordered_json>>(text, inner),
                   [](const auto& items) {
                     ordered_json object = ordered_json::object();
                     for (const auto& item : items) {
                       object[item.first] = item.second;
                     }
                     return object;
                   }));
}

RC_GTEST_PROP(YamlProperty, ReadsBackAsTheSameDocument, ()) {
  ordered_json document = ordered_json::object();
  document["value"] = *any_value(3);
  RC_ASSERT(reread(YAML::Load(to_yaml(document))) == document);
}

}  // namespace
}  // namespace eviction::agent
