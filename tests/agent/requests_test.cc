// SPDX-License-Identifier: Apache-2.0
#include "agent/requests.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using cgroup::QosClass;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using namespace eviction::literals;  // NOLINT(google-build-using-namespace): 1_GiB

/// A checkpoint from 1.32 on: JSON in a string.
std::string with_data(const std::string& data) {
  std::string escaped;
  for (const char c : data) {
    escaped.append(c == '"' || c == '\\' ? "\\" : "").push_back(c);
  }
  return R"({"data":")" + escaped + R"(","checksum":2096341309})";
}

TEST(Checkpoint, Of127HasTheRequestsBesideTheChecksum) {
  const auto requests = parse_checkpoint(
      R"({"allocationEntries":{"u1":{"a":{"cpu":"1","memory":"1Gi"},"b":{"memory":"512Mi"}},)"
      R"("u2":{"c":{"cpu":"1"}}},"resizeStatusEntries":{"u1":"InProgress"},"checksum":1})",
      "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(*requests, ElementsAre(Pair("u1", 1536_MiB), Pair("u2", 0_B)));
}

TEST(Checkpoint, Of130HasTheSameInAString) {
  const auto requests = parse_checkpoint(
      with_data(R"({"allocationEntries":{"u1":{"a":{"memory":"1Gi"}}}})"), "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(*requests, ElementsAre(Pair("u1", 1_GiB)));
}

TEST(Checkpoint, Of132HasRequirements) {
  const auto requests = parse_checkpoint(
      with_data(R"({"allocationEntries":{"u1":{"a":{"requests":{"memory":"1Gi"},)"
                R"("limits":{"memory":"2Gi"}},"b":{"limits":{"memory":"4Gi"}},"c":{}}}})"),
      "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(*requests, ElementsAre(Pair("u1", 1_GiB)));
}

TEST(Checkpoint, Of133HasContainerResources) {
  const auto requests = parse_checkpoint(
      with_data(R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":{"memory":"1Gi"}},)"
                R"("b":{"requests":{"memory":"1G","cpu":"1"},"claims":[{"name":"x"}]}}},)"
                R"("u2":{"ContainerResources":{}},"u3":{"ContainerResources":null}}})"),
      "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(
      *requests,
      ElementsAre(Pair("u1", 1_GiB + Bytes{1'000'000'000}), Pair("u2", 0_B), Pair("u3", 0_B)));
}

TEST(Checkpoint, Of136HasPodLevelResources) {
  const auto requests = parse_checkpoint(
      with_data(
          R"({"entries":{)"
          R"("none":{"ContainerResources":{"a":{"requests":{"memory":"1Gi"}}},"PodLevelResources":null},)"
          R"("memory":{"ContainerResources":{"a":{"requests":{"memory":"1Gi"}}},)"
          R"("PodLevelResources":{"requests":{"memory":"3Gi"},"limits":{"memory":"4Gi"}}},)"
          R"("only-cpu":{"ContainerResources":{"a":{"requests":{"memory":"1Gi"}}},)"
          R"("PodLevelResources":{"requests":{"cpu":"2"}}},)"
          R"("only-limits":{"ContainerResources":{"a":{"requests":{"memory":"1Gi"}}},)"
          R"("PodLevelResources":{"limits":{"memory":"4Gi"}}}}})"),
      "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(*requests,
              ElementsAre(Pair("memory", 3_GiB),
                          Pair("none", 1_GiB),
                          Pair("only-cpu", 1_GiB),
                          Pair("only-limits", 1_GiB)));
}

TEST(Checkpoint, OfNoPodHasNoEntries) {
  for (const std::string& text :
       {with_data("{}"), with_data(R"({"entries":{}})"), std::string{R"({"checksum":1})"}}) {
    SCOPED_TRACE(text);
    const auto requests = parse_checkpoint(text, "state");
    ASSERT_TRUE(requests);
    EXPECT_THAT(*requests, IsEmpty());
  }
}

/// allocated_pods_state of a kubelet 1.36.2 on a lab node, three of whose pods are gone.
constexpr const char* kRecorded =
    R"({"data":"{\"entries\":{\"233aec5b-c0a0-46ae-93ed-8ed634a61a51\":{\"ContainerResources\":{\"c\":{\"requests\":{\"memory\":\"0\"}}},\"PodLevelResources\":null},\"3b25954ce5a6187bdf7c807e8eb28283\":{\"ContainerResources\":{\"etcd\":{\"requests\":{\"memory\":\"50Mi\"}}},\"PodLevelResources\":null},\"a4ea6a1b-eb67-423a-9da9-d0ff47db9a4f\":{\"ContainerResources\":{\"compute\":{\"limits\":{\"memory\":\"400Mi\"},\"requests\":{\"memory\":\"400Mi\"}}},\"PodLevelResources\":null},\"aacd1bf0-43d9-4ff6-9d13-a98e26d1551e\":{\"ContainerResources\":{\"c\":{\"requests\":{\"memory\":\"0\"}}},\"PodLevelResources\":null},\"b9835e1c-bd33-43be-bcde-036f5c73d64d\":{\"ContainerResources\":{\"c\":{\"requests\":{\"memory\":\"900Mi\"}}},\"PodLevelResources\":null},\"f158345b-e16c-4a46-bdeb-38435e86e110\":{\"ContainerResources\":{\"compute\":{\"limits\":{\"memory\":\"700Mi\"},\"requests\":{\"memory\":\"256Mi\"}}},\"PodLevelResources\":null},\"fac2a6cd-f466-41ae-a2b7-c5cfad28e578\":{\"ContainerResources\":{\"c\":{\"requests\":{\"memory\":\"100Mi\"}}},\"PodLevelResources\":null}}}","checksum":2096341309})";

TEST(Checkpoint, RecordedOneTellsEveryPodThatWasAdmitted) {
  const auto requests = parse_checkpoint(kRecorded, "state");
  ASSERT_TRUE(requests);
  EXPECT_THAT(*requests,
              ElementsAre(Pair("233aec5b-c0a0-46ae-93ed-8ed634a61a51", 0_B),
                          Pair("3b25954ce5a6187bdf7c807e8eb28283", 50_MiB),
                          Pair("a4ea6a1b-eb67-423a-9da9-d0ff47db9a4f", 400_MiB),
                          Pair("aacd1bf0-43d9-4ff6-9d13-a98e26d1551e", 0_B),
                          Pair("b9835e1c-bd33-43be-bcde-036f5c73d64d", 900_MiB),
                          Pair("f158345b-e16c-4a46-bdeb-38435e86e110", 256_MiB),
                          Pair("fac2a6cd-f466-41ae-a2b7-c5cfad28e578", 100_MiB)));
}

TEST(Checkpoint, CutAnywhereIsMalformed) {
  const std::string whole = kRecorded;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto requests = parse_checkpoint(whole.substr(0, size), "state");
    ASSERT_FALSE(requests) << size;
    ASSERT_EQ(requests.error().kind, ErrorKind::kMalformed) << size;
  }
}

TEST(Checkpoint, HostileInputIsMalformed) {
  struct Case {
    const char* name;
    std::string text;
  };

  const std::string deep(100'000, '[');
  for (
      const Case& test : {
          Case{"garbage", "\x01\xff\xfe garbage"},
          Case{"empty object", "{}"},
          Case{"a list", "[]"},
          Case{"null", "null"},
          Case{"another of the kubelet's states",
               R"({"policyName":"None","machineState":{},"checksum":4236770233})"},
          Case{"data that is no string", R"({"data":{"entries":{}},"checksum":1})"},
          Case{"data that is null", R"({"data":null,"checksum":1})"},
          Case{"data that is no JSON", with_data("entries")},
          Case{"data that is a number", with_data("7")},
          Case{"data of an unknown form", with_data(R"({"podEntries":{}})")},
          Case{"entries that are a list", with_data(R"({"entries":[]})")},
          Case{"entries that are a string", with_data(R"({"entries":"u1"})")},
          Case{"a pod that is a string", with_data(R"({"entries":{"u1":"1Gi"}})")},
          Case{"a pod that is null", with_data(R"({"entries":{"u1":null}})")},
          Case{"a pod of an unknown form", with_data(R"({"entries":{"u1":{"Containers":{}}}})")},
          Case{"containers that are a number",
               with_data(R"({"entries":{"u1":{"ContainerResources":7}}})")},
          Case{"containers that are a list",
               with_data(R"({"entries":{"u1":{"ContainerResources":[]}}})")},
          Case{"a container that is a string",
               with_data(R"({"entries":{"u1":{"ContainerResources":{"a":"1Gi"}}}})")},
          Case{"an old container that is a list",
               R"({"allocationEntries":{"u1":{"a":["1Gi"]}},"checksum":1})"},
          Case{"requests that are a string",
               with_data(R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":"1"}}}}})")},
          Case{"memory that is a number",
               with_data(
                   R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":{"memory":1}}}}}})")},
          Case{
              "memory that is no quantity",
              with_data(
                  R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":{"memory":"1GB"}}}}}})")},
          Case{
              "negative memory",
              with_data(
                  R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":{"memory":"-1Gi"}}}}}})")},
          Case{"pod-level resources that are a list",
               with_data(R"({"entries":{"u1":{"ContainerResources":{},"PodLevelResources":[]}}})")},
          Case{
              "pod-level requests that are a string",
              with_data(
                  R"({"entries":{"u1":{"ContainerResources":{},"PodLevelResources":{"requests":"1"}}}})")},
          Case{"deep nesting", deep},
          Case{"deep nesting in data", with_data(deep)},
          Case{"deep and well-formed",
               R"({"checksum":1,"allocationEntries":{"u1":)" + deep +
                   std::string(deep.size(), ']') + "}}"},
      }) {
    SCOPED_TRACE(test.name);
    const auto requests = parse_checkpoint(test.text, "/var/lib/kubelet/allocated_pods_state");
    ASSERT_FALSE(requests);
    EXPECT_EQ(requests.error().kind, ErrorKind::kMalformed);
    EXPECT_THAT(to_text(requests.error()), HasSubstr("/var/lib/kubelet/allocated_pods_state: "));
    EXPECT_THAT(to_text(requests.error()), HasSubstr("; "));
  }
}

TEST(Checkpoint, RequestsBeyondInt64Saturate) {
  const auto requests = parse_checkpoint(
      R"({"allocationEntries":{"u":{"a":{"memory":"7Ei"},"b":{"memory":"7Ei"}}},"checksum":1})",
      "state");
  ASSERT_TRUE(requests);
  EXPECT_EQ(requests->at("u").value(), std::numeric_limits<std::int64_t>::max());
}

class Checkpoints : public testing::Test {
 protected:
  Result<RequestMap> read() {
    const auto root = cgroup::Directory::open(tree_.path());
    cgroup::Buffer buffer;
    return read_checkpoints(*root, "/var/lib/kubelet", buffer);
  }

  void write(const std::string& name, const std::string& memory) {
    tree_.file("var/lib/kubelet/" + name,
               with_data(R"({"entries":{"u1":{"ContainerResources":{"a":{"requests":{"memory":")" +
                         memory + R"("}}}}}})"));
  }

  tests::TemporaryTree tree_;
};

TEST_F(Checkpoints, TheLargerOfAllocatedAndActuatedCounts) {
  write("allocated_pods_state", "1Gi");
  write("actuated_pods_state", "2Gi");
  EXPECT_THAT(*read(), ElementsAre(Pair("u1", 2_GiB)));
  write("allocated_pods_state", "3Gi");
  EXPECT_THAT(*read(), ElementsAre(Pair("u1", 3_GiB)));
}

TEST_F(Checkpoints, OneThatAnUpgradeLeftBehindDoesNotCount) {
  const char* old = R"({"allocationEntries":{"u1":{"a":{"memory":"8Gi"}}},"checksum":1})";
  tree_.file("var/lib/kubelet/pod_status_manager_state", old);
  EXPECT_THAT(*read(), ElementsAre(Pair("u1", 8_GiB)));
  write("allocated_pods_state", "1Gi");
  EXPECT_THAT(*read(), ElementsAre(Pair("u1", 1_GiB)));
}

TEST_F(Checkpoints, NoneIsAbsent) {
  tree_.directory("var/lib/kubelet");
  const auto requests = read();
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().kind, ErrorKind::kAbsent);
}

TEST_F(Checkpoints, OneMalformedOfTwoIsAnError) {
  write("allocated_pods_state", "1Gi");
  tree_.file("var/lib/kubelet/actuated_pods_state", "{");
  const auto requests = read();
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().kind, ErrorKind::kMalformed);
  EXPECT_THAT(requests.error().path, HasSubstr("actuated_pods_state"));
}

TEST_F(Checkpoints, ADirectoryInPlaceOfOneIsAnError) {
  tree_.directory("var/lib/kubelet/allocated_pods_state");
  const auto requests = read();
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().kind, ErrorKind::kMalformed);
}

/// A regular container of a Burstable pod.
/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust().
int kubelet_score(std::int64_t request, std::int64_t capacity) {
  const std::int64_t score = 1000 - (1000 * request) / capacity;
  if (score < 1000 - 997) {
    return 1000 - 997;
  }
  return static_cast<int>(score == 1000 ? 999 : score);
}

constexpr std::int64_t kSmallNode = std::int64_t{128} << 20;
constexpr std::int64_t kLargeNode = std::int64_t{64} << 40;

std::int64_t any_capacity() {
  return *rc::gen::inRange(kSmallNode, kLargeNode);
}

RC_GTEST_PROP(RequestBounds, ContainTheRequestThatMadeTheScore, ()) {
  const std::int64_t capacity = any_capacity();
  const std::int64_t request = *rc::gen::inRange<std::int64_t>(0, capacity + 1);
  const auto bounds = request_bounds(kubelet_score(request, capacity), Bytes{capacity});
  RC_ASSERT(bounds.has_value());
  RC_ASSERT(bounds->low <= Bytes{request});
  RC_ASSERT(Bytes{request} <= bounds->high);
  RC_ASSERT(bounds->high <= Bytes{capacity});
}

TEST(RequestBounds, EdgesOfEachThousandthAreInside) {
  for (const std::int64_t capacity : {std::int64_t{4'133'822'464}, std::int64_t{1'000'000'007}}) {
    for (std::int64_t thousandth = 0; thousandth <= 1000; ++thousandth) {
      const std::int64_t edge = capacity * thousandth / 1000;
      for (const std::int64_t request : {edge - 1, edge, edge + 1}) {
        if (request < 0 || request > capacity) {
          continue;
        }
        const auto bounds = request_bounds(kubelet_score(request, capacity), Bytes{capacity});
        ASSERT_TRUE(bounds) << request;
        EXPECT_LE(bounds->low.value(), request);
        EXPECT_GE(bounds->high.value(), request);
      }
    }
  }
}

TEST(RequestBounds, EdgesOfTheScore) {
  const Bytes capacity{1'000'000};
  EXPECT_EQ(request_bounds(1000, capacity)->high, 0_B) << "BestEffort requests nothing";
  EXPECT_EQ(request_bounds(999, capacity)->low, 0_B) << "also a container without a request";
  EXPECT_EQ(request_bounds(999, capacity)->high, Bytes{2'000});
  EXPECT_EQ(request_bounds(998, capacity)->low, Bytes{2'000});
  EXPECT_EQ(request_bounds(4, capacity)->high, Bytes{997'000});
  EXPECT_EQ(request_bounds(3, capacity)->low, Bytes{997'000});
  EXPECT_EQ(request_bounds(3, capacity)->high, capacity);
  for (const int score : {2, 0, -1, -997, -998, -999, -1000, 1001}) {
    EXPECT_FALSE(request_bounds(score, capacity)) << score;
  }
}

TEST(EstimateRequest, OfAGuaranteedPodIsItsLimit) {
  const auto request = estimate_request(QosClass::kGuaranteed, 2_GiB, {-997}, 4_GiB);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, 2_GiB);
  EXPECT_EQ(request->high, 2_GiB);
  EXPECT_EQ(request->source, RequestSource::kEstimate);
  EXPECT_FALSE(estimate_request(QosClass::kGuaranteed, std::nullopt, {-997}, 4_GiB));
}

TEST(EstimateRequest, OfABestEffortPodIsNothing) {
  const auto request = estimate_request(QosClass::kBestEffort, std::nullopt, {1000}, 4_GiB);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->high, 0_B);
}

TEST(EstimateRequest, OfABurstablePodIsTheSumOfItsContainers) {
  const auto request =
      estimate_request(QosClass::kBurstable, std::nullopt, {900, 800}, Bytes{1'000'000});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, Bytes{300'000});
  EXPECT_EQ(request->high, Bytes{302'000});
}

TEST(EstimateRequest, ALimitCapsTheUpperEnd) {
  const auto request =
      estimate_request(QosClass::kBurstable, Bytes{300'500}, {900, 800}, Bytes{1'000'000});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, Bytes{300'000});
  EXPECT_EQ(request->high, Bytes{300'500});
  const auto contradiction =
      estimate_request(QosClass::kBurstable, Bytes{1'000}, {900}, Bytes{1'000'000});
  ASSERT_TRUE(contradiction);
  EXPECT_EQ(contradiction->low, Bytes{1'000});
  EXPECT_EQ(contradiction->high, Bytes{1'000});
}

TEST(EstimateRequest, OfACriticalPodIsBoundByItsLimitOnly) {
  EXPECT_FALSE(estimate_request(QosClass::kBurstable, std::nullopt, {-997}, 4_GiB));
  const auto request = estimate_request(QosClass::kBurstable, 1_GiB, {-997}, 4_GiB);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, 0_B);
  EXPECT_EQ(request->high, 1_GiB);
}

TEST(EstimateRequest, WithoutAProcessOnlyTheLimitTells) {
  EXPECT_FALSE(estimate_request(QosClass::kBurstable, std::nullopt, {}, 4_GiB));
  const auto request = estimate_request(QosClass::kBurstable, 1_GiB, {}, 4_GiB);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, 0_B);
  EXPECT_EQ(request->high, 1_GiB);
}

/// A sidecar's score is held down to that of the smallest regular container.
RC_GTEST_PROP(EstimateRequest, ContainsTheRequestOfAnyBurstablePod, ()) {
  const std::int64_t capacity = any_capacity();
  const auto any_requests = [&](std::size_t least, std::size_t most) {
    const auto count = *rc::gen::inRange(least, most + 1);
    return *rc::gen::container<std::vector<std::int64_t>>(
        count, rc::gen::inRange<std::int64_t>(0, capacity / 8));
  };
  const auto regular = any_requests(1, 4);
  const auto sidecars = any_requests(0, 4);
  const std::int64_t smallest = *std::min_element(regular.begin(), regular.end());
  Bytes sum;
  std::vector<int> scores;
  for (const std::int64_t request : regular) {
    sum += Bytes{request};
    scores.push_back(kubelet_score(request, capacity));
  }
  for (const std::int64_t request : sidecars) {
    sum += Bytes{request};
    scores.push_back(std::min(kubelet_score(request, capacity), kubelet_score(smallest, capacity)));
  }
  const auto estimate =
      estimate_request(QosClass::kBurstable, std::nullopt, scores, Bytes{capacity});
  RC_ASSERT(estimate.has_value());
  RC_ASSERT(estimate->low <= sum);
  RC_ASSERT(sum <= estimate->high);
}

TEST(LocalRequest, IsTheCheckpointsWhereTheProcessesDoNotShowMore) {
  const MemoryRequest estimate{700_MiB, 800_MiB, RequestSource::kEstimate};
  const auto fits = local_request(700_MiB, estimate);
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->high, 700_MiB);
  EXPECT_EQ(fits->source, RequestSource::kCheckpoint);
  EXPECT_EQ(local_request(1_GiB, estimate)->high, 1_GiB) << "a container that does not run now";
  EXPECT_EQ(local_request(1_GiB, std::nullopt)->high, 1_GiB);
}

// 1 GiB for the containers and 4 GiB for the pod, or for an init container that runs.
TEST(LocalRequest, IsTheEstimateWhereTheCheckpointLacksAPart) {
  const auto request =
      local_request(1_GiB, MemoryRequest{3900_MiB, 4200_MiB, RequestSource::kEstimate});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->low, 3900_MiB);
  EXPECT_EQ(request->high, 4200_MiB);
  EXPECT_EQ(request->source, RequestSource::kEstimate);
  EXPECT_EQ(local_request(std::nullopt, MemoryRequest{1_GiB, 2_GiB})->high, 2_GiB);
  EXPECT_FALSE(local_request(std::nullopt, std::nullopt));
}

/// Requests and scores of two VM pods on a lab node (kubelet 1.36.2, MemTotal 4007132 kB).
TEST(EstimateRequest, ContainsWhatARealKubeletWasAskedFor) {
  const Bytes capacity = Bytes{std::int64_t{4'007'132} * 1024};
  const auto web = estimate_request(QosClass::kBurstable, 700_MiB, {935}, capacity);
  ASSERT_TRUE(web);
  EXPECT_LE(web->low, 256_MiB);
  EXPECT_GE(web->high, 256_MiB);
  const auto burst = estimate_request(QosClass::kBurstable, std::nullopt, {975}, capacity);
  ASSERT_TRUE(burst);
  EXPECT_LE(burst->low, 100_MiB);
  EXPECT_GE(burst->high, 100_MiB);
}

}  // namespace
}  // namespace eviction::agent
