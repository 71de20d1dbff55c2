// SPDX-License-Identifier: Apache-2.0
//
// What the program says of the recorded nodes, against what their own kubelet said (truth/).
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/plan.h"
#include "config/quantity.h"
#include "tests/support/source_tree.h"

namespace eviction::agent {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only
using nlohmann::json;

Observation observed(const std::string& node, const AskApi& ask = {}) {
  const std::string root = std::string{tests::kFixtures} + "/" + node;
  cgroup::Buffer buffer;
  return observe(open_host(root + "/proc", root + "/sys", root), {}, buffer, ask);
}

Plan plan_of(const std::string& node) {
  return make_plan(observed(node), {});
}

json truth(const std::string& node, const std::string& file) {
  std::ifstream stream{std::string{tests::kFixtures} + "/" + node + "/truth/" + file};
  return json::parse(stream);
}

class RecordedNode : public testing::TestWithParam<const char*> {};

TEST_P(RecordedNode, TheGapBetweenKubeletAndKernelIsExplained) {
  const MemoryAccount memory = plan_of(GetParam()).memory;
  const Bytes explained =
      *memory.kernel + *memory.reserve + *memory.cache_floor - *memory.active_file;
  EXPECT_LE(std::abs((*memory.gap - explained).value()), (4_MiB).value());
  EXPECT_EQ(*memory.gap, *memory.kubelet_available - *memory.mem_available);
}

TEST_P(RecordedNode, EveryFileIsUnderstood) {
  for (const Error& problem : plan_of(GetParam()).observation.problems) {
    ADD_FAILURE() << to_text(problem);
  }
}

TEST_P(RecordedNode, EveryRunningPodIsSeenWithItsNameClassAndRequest) {
  const Plan plan = plan_of(GetParam());
  std::map<std::string, const Pod*> pods;
  for (const Pod& pod : plan.observation.pods) {
    pods[pod.uid] = &pod;
  }
  std::size_t running = 0;
  const json theirs = truth(GetParam(), "pods.json");
  for (const json& item : theirs["items"]) {
    if (item["status"]["phase"] != "Running") {
      continue;
    }
    const std::string uid = item["metadata"]["uid"];
    SCOPED_TRACE(uid);
    if (pods.count(uid) == 0) {
      // The kubelet's answer is some seconds older than the tree: a pod without a cgroup is gone.
      continue;
    }
    ++running;
    const Pod& pod = *pods[uid];
    EXPECT_EQ(pod.name_space, item["metadata"]["namespace"]);
    EXPECT_EQ(pod.name, item["metadata"]["name"]);
    const bool launcher =
        item["metadata"].value("labels", json::object()).value("kubevirt.io", "") ==
        "virt-launcher";
    const bool from_file = item["metadata"]["annotations"]["kubernetes.io/config.source"] == "file";
    EXPECT_EQ(pod.workload,
              launcher    ? WorkloadClass::kVm
              : from_file ? WorkloadClass::kSystem
                          : WorkloadClass::kContainer);
    const std::string request = item["spec"]["containers"][0]["resources"]["requests"]["memory"];
    const Bytes expected = config::parse_quantity(request)->bytes;
    ASSERT_TRUE(pod.request);
    EXPECT_LE(pod.request->low, expected);
    EXPECT_GE(pod.request->high, expected);
    if (pod.request->source == RequestSource::kCheckpoint) {
      EXPECT_EQ(pod.request->high, expected);
    }
  }
  EXPECT_EQ(running, plan.observation.pods.size()) << "a pod that does not run is counted";
}

INSTANTIATE_TEST_SUITE_P(All,
                         RecordedNode,
                         testing::Values("kubelet-1.36-dropin-pods",
                                         "kubelet-1.36-dropin-hugepages",
                                         "kubelet-1.20-flags"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) {
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           }
                           return name;
                         });

class Kubelet136 : public testing::TestWithParam<const char*> {};

TEST_P(Kubelet136, AvailableMemoryIsTheKubeletsToATenthOfAPercent) {
  const double theirs =
      truth(GetParam(), "summary.json")["node"]["memory"]["availableBytes"].get<double>();
  const auto ours = static_cast<double>(plan_of(GetParam()).memory.kubelet_available->value());
  EXPECT_LT(std::abs(ours - theirs) / theirs, 0.001);
}

TEST_P(Kubelet136, TheSettingsInForceAreThoseOfItsConfigz) {
  const json configz = truth(GetParam(), "configz.json")["kubeletconfig"];
  const Plan plan = plan_of(GetParam());
  const config::KubeletSettings& settings = plan.observation.kubelet->loaded.settings;
  EXPECT_THAT(plan.observation.kubelet->loaded.errors, testing::IsEmpty());
  const auto strings = [](const std::optional<config::SettingMap>& map) {
    json object = json::object();
    for (const auto& [key, setting] : map.value_or(config::SettingMap{})) {
      object[key] = setting.value;
    }
    return object;
  };
  EXPECT_EQ(strings(settings.eviction_hard), configz["evictionHard"]);
  EXPECT_EQ(strings(settings.eviction_minimum_reclaim), configz["evictionMinimumReclaim"]);
}

TEST_P(Kubelet136, RequestsComeFromTheCheckpoint) {
  for (const Pod& pod : plan_of(GetParam()).observation.pods) {
    ASSERT_TRUE(pod.request) << pod.uid;
    EXPECT_EQ(pod.request->source, RequestSource::kCheckpoint) << pod.uid;
  }
}

// A pod was resized upwards after the API server had been asked.
TEST_P(Kubelet136, ALargerRequestInTheCheckpointIsNewerThanTheApiServers) {
  const Pod known = observed(GetParam()).pods.front();
  const auto by_api = [&](Bytes request) {
    ApiView view;
    ApiPod& pod = view.pods.live.emplace_back();
    pod.uid = known.uid;
    pod.name = "p";
    pod.request = request;
    return observed(GetParam(),
                    [&view](const Kubelet&, const auto&) { return Result<ApiView>{view}; })
        .pods.front();
  };
  const Pod resized = by_api(known.request->high - Bytes{1});
  EXPECT_EQ(resized.request->high, known.request->high);
  EXPECT_EQ(resized.name, "p") << "the rest is the API server's";
  const Pod with_overhead = by_api(known.request->high + 1_MiB);
  EXPECT_EQ(with_overhead.request->high, known.request->high + 1_MiB);
  EXPECT_EQ(with_overhead.request->source, RequestSource::kApi);
}

// The tree's drop-in has our file's name, but not our mark: it is somebody else's.
TEST_P(Kubelet136, AForeignFileOfOurNameRefuses) {
  const Plan plan = plan_of(GetParam());
  EXPECT_EQ(outcome(plan), PlanOutcome::kRefused);
}

INSTANTIATE_TEST_SUITE_P(All,
                         Kubelet136,
                         testing::Values("kubelet-1.36-dropin-pods",
                                         "kubelet-1.36-dropin-hugepages"),
                         [](const auto& test) {
                           return std::string{test.param}.find("huge") == std::string::npos
                                      ? "pods"
                                      : "hugepages";
                         });

}  // namespace
}  // namespace eviction::agent
