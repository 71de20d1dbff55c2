// SPDX-License-Identifier: Apache-2.0
// What packaging/ has for Prometheus and Grafana, besides what Prometheus' own tools check.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "agent/metrics.h"
#include "tests/agent/sample_plan.h"
#include "tests/support/source_tree.h"

namespace eviction::agent {
namespace {

using Names = std::set<std::string>;

const std::filesystem::path kSource{PACKAGING_SOURCE};
const std::filesystem::path kBuild{PACKAGING_BUILD};

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>{file}, {}};
}

Names alert_names(const YAML::Node& groups) {
  Names names;
  for (const auto& group : groups) {
    for (const auto& rule : group["rules"]) {
      EXPECT_TRUE(names.insert(rule["alert"].as<std::string>()).second);
    }
  }
  return names;
}

/// Names of metrics, those of a summary with its suffix.
Names metrics_in(const std::string& text) {
  const std::regex name{"eviction_agent_[a-z_]+"};
  Names names;
  for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at) {
    names.insert(at->str());
  }
  return names;
}

/// Of a node where everything is known, and of the golden nodes.
Names metrics_served() {
  Plan plan = tests::sample_plan();
  plan.next_victims = plan.observation.pods;
  Status status;
  status.in_force = Proof{};
  for (HorizonForecast& horizon : status.forecast.horizons) {
    horizon.probability = 0.1;
    horizon.brier = 0.01;
    horizon.base_rate_brier = 0.09;
  }
  status.record.last_failure = std::chrono::sys_seconds{};
  Names names = metrics_in(render_metrics(plan, status, 1));
  for (const auto& entry : std::filesystem::directory_iterator{tests::kGolden}) {
    if (entry.path().string().ends_with(".metrics.txt")) {
      names.merge(metrics_in(content_of(entry.path())));
    }
  }
  return names;
}

TEST(Alerts, SayHowBadItIsWhatItIsAndWhatToDo) {
  const YAML::Node alerts = YAML::LoadFile(kSource / "alerts.yaml");
  EXPECT_GE(alert_names(alerts["groups"]).size(), 12U);
  for (const auto& group : alerts["groups"]) {
    for (const auto& rule : group["rules"]) {
      const auto name = rule["alert"].as<std::string>();
      EXPECT_THAT(name, testing::StartsWith("EvictionAgent"));
      EXPECT_THAT(rule["labels"]["severity"].as<std::string>(""),
                  testing::AnyOf("critical", "warning", "info"))
          << name;
      for (const char* annotation : {"summary", "description", "runbook"}) {
        EXPECT_FALSE(rule["annotations"][annotation].as<std::string>("").empty()) << name;
      }
    }
  }
}

TEST(Alerts, HaveACaseThatFiresAndOneThatDoesNot) {
  Names firing;
  Names silent;
  for (const auto& test : YAML::LoadFile(ALERT_CASES)["tests"]) {
    for (const auto& alert : test["alert_rule_test"]) {
      const auto name = alert["alertname"].as<std::string>();
      (alert["exp_alerts"].size() == 0 ? silent : firing).insert(name);
    }
  }
  const Names names = alert_names(YAML::LoadFile(kSource / "alerts.yaml")["groups"]);
  EXPECT_EQ(firing, names);
  EXPECT_EQ(silent, names);
}

TEST(Alerts, AreTheSameInTheObjectOfTheOperator) {
  const YAML::Node object = YAML::LoadFile(kBuild / "prometheus-rule.yaml");
  EXPECT_EQ(object["kind"].as<std::string>(), "PrometheusRule");
  EXPECT_EQ(YAML::Dump(object["spec"]), YAML::Dump(YAML::LoadFile(kSource / "alerts.yaml")));
}

TEST(Dashboard, IsTheSameInTheConfigMapOfRancherMonitoring) {
  const YAML::Node object = YAML::LoadFile(kBuild / "dashboard-configmap.yaml");
  EXPECT_EQ(object["metadata"]["namespace"].as<std::string>(), "cattle-dashboards");
  EXPECT_EQ(object["metadata"]["labels"]["grafana_dashboard"].as<std::string>(), "1");
  EXPECT_EQ(object["data"]["eviction-agent.json"].as<std::string>(),
            content_of(kSource / "dashboard.json"));
}

TEST(Dashboard, AsksTheChosenSourceInPanelsThatDoNotOverlap) {
  const auto dashboard = nlohmann::json::parse(content_of(kSource / "dashboard.json"));
  Names taken;
  std::set<int> ids;
  for (const auto& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second) << panel["title"];
    if (panel["type"] != "row") {
      EXPECT_EQ(panel["datasource"]["uid"], "${datasource}") << panel["title"];
    }
    const auto& place = panel["gridPos"];
    EXPECT_LE(place["x"].get<int>() + place["w"].get<int>(), 24) << panel["title"];
    for (int x = place["x"]; x < place["x"].get<int>() + place["w"].get<int>(); ++x) {
      for (int y = place["y"]; y < place["y"].get<int>() + place["h"].get<int>(); ++y) {
        EXPECT_TRUE(taken.insert(std::to_string(x) + "," + std::to_string(y)).second)
            << panel["title"];
      }
    }
  }
}

TEST(AlertsAndDashboard, NameOnlyMetricsThatAreServed) {
  Names named = metrics_in(content_of(kSource / "alerts.yaml"));
  named.merge(metrics_in(content_of(kSource / "dashboard.json")));
  named.merge(metrics_in(content_of(ALERT_CASES)));
  const Names served = metrics_served();
  for (const std::string& name : named) {
    EXPECT_TRUE(served.contains(name)) << name;
  }
}

}  // namespace
}  // namespace eviction::agent
