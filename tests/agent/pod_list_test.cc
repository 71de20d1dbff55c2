// SPDX-License-Identifier: Apache-2.0
#include "agent/pod_list.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/utc_time.h"
#include "tests/support/source_tree.h"

namespace eviction::agent {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace): nothing but literals
using nlohmann::json;

std::string recorded(const std::string& node) {
  std::ifstream file{std::string{tests::kFixtures} + '/' + node + "/truth/pods.json"};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string list_of(const json& pod) {
  return json{{"kind", "PodList"}, {"apiVersion", "v1"}, {"items", json::array({pod})}}.dump();
}

/// A running pod with this spec and this status, both as JSON texts.
json pod(const std::string& spec, const std::string& status = "{}") {
  json value{{"metadata", {{"uid", "u"}, {"namespace", "n"}, {"name", "p"}}},
             {"spec", json::parse(spec)},
             {"status", json::parse(status)}};
  value["status"]["phase"] = "Running";
  return value;
}

ApiPod only(const json& value) {
  const Result<PodList> pods = parse_pod_list(list_of(value));
  EXPECT_TRUE(pods) << to_text(pods.error());
  return pods && pods->live.size() == 1 ? pods->live.front() : ApiPod{};
}

Bytes request_of(const std::string& spec, const std::string& status = "{}") {
  return only(pod(spec, status)).request;
}

// What the recorded kubelet gave its pods; the one that had ended is left out.
TEST(PodList, OfARecordedKubelet) {
  const auto pods = parse_pod_list(recorded("kubelet-1.36-dropin-hugepages"));
  ASSERT_TRUE(pods) << to_text(pods.error());
  ASSERT_EQ(pods->live.size(), 5U);
  const ApiPod& first = pods->live.at(0);
  EXPECT_EQ(first.uid, "b9835e1c-bd33-43be-bcde-036f5c73d64d");
  EXPECT_EQ(first.name_space, "default");
  EXPECT_EQ(first.name, "vmlike");
  EXPECT_EQ(first.priority, 0);
  EXPECT_FALSE(first.is_static);
  EXPECT_EQ(first.phase, "Running");
  EXPECT_EQ(first.request, 900_MiB);
  const ApiPod& etcd = pods->live.at(1);
  EXPECT_EQ(etcd.uid, "3b25954ce5a6187bdf7c807e8eb28283");
  EXPECT_TRUE(etcd.is_static);
  EXPECT_EQ(etcd.priority, std::nullopt);
  EXPECT_EQ(etcd.request, 50_MiB);
  EXPECT_EQ(pods->live.at(2).request, 256_MiB);
  EXPECT_EQ(pods->live.at(3).request, 400_MiB);
  EXPECT_EQ(pods->live.at(3).name.size() > 63, true);
  EXPECT_EQ(pods->live.at(4).request, 100_MiB);
}

TEST(PodList, OfAKubeletWithoutInPlaceResize) {
  const auto pods = parse_pod_list(recorded("kubelet-1.20-flags"));
  ASSERT_TRUE(pods) << to_text(pods.error());
  ASSERT_EQ(pods->live.size(), 1U);
  EXPECT_EQ(pods->live.front().uid, "ecde730f-6348-4830-be8b-50a215f94b95");
  EXPECT_EQ(pods->live.front().request, 256_MiB);
}

// A static pod's cgroup carries the hash of its manifest, its mirror in the API another UID.
TEST(PodList, MirrorPodHasTheUidOfItsCgroup) {
  json mirror = pod(R"({"containers": [{"name": "c"}], "priority": 2000001000})");
  mirror["metadata"]["uid"] = "0a1b2c3d-0000-4000-8000-000000000000";
  mirror["metadata"]["annotations"] = {
      {"kubernetes.io/config.hash", "3b25954ce5a6187bdf7c807e8eb28283"},
      {"kubernetes.io/config.mirror", "3b25954ce5a6187bdf7c807e8eb28283"},
      {"kubernetes.io/config.source", "file"}};
  EXPECT_EQ(only(mirror).uid, "3b25954ce5a6187bdf7c807e8eb28283");
  EXPECT_TRUE(only(mirror).is_static);
}

TEST(PodList, AHashAloneChangesNoUid) {
  json plain = pod(R"({"containers": [{"name": "c"}]})");
  plain["metadata"]["annotations"] = {{"kubernetes.io/config.hash", "of another pod"},
                                      {"kubernetes.io/config.source", "api"}};
  EXPECT_EQ(only(plain).uid, "u");
  EXPECT_FALSE(only(plain).is_static);
}

// Kubelet 1.36 pkg/kubelet/types/pod_update.go: static, mirror, or priority from 2000000000.
TEST(PodList, CriticalPodsAreNeverEvicted) {
  ApiPod api;
  EXPECT_FALSE(is_never_evicted(api));
  api.priority = 1'999'999'999;
  EXPECT_FALSE(is_never_evicted(api));
  api.priority = 2'000'000'000;
  EXPECT_TRUE(is_never_evicted(api));
  api.priority = -5;
  api.is_static = true;
  EXPECT_TRUE(is_never_evicted(api));
}

TEST(PodList, EndedPodsAreLeftOut) {
  for (const char* phase : {"Succeeded", "Failed"}) {
    json ended = pod(R"({"containers": [{"name": "c"}]})");
    ended["status"]["phase"] = phase;
    const auto pods = parse_pod_list(list_of(ended));
    ASSERT_TRUE(pods) << to_text(pods.error());
    EXPECT_TRUE(pods->live.empty()) << phase;
  }
}

TEST(PodList, KnowsWhoEndedWithoutTheKubeletsDoing) {
  const auto ended = [](const char* status, bool deleted = false) {
    json value = pod(R"({"containers": [{"name": "c"}]})", status);
    value["status"] = json::parse(status);
    if (deleted) {
      value["metadata"]["deletionTimestamp"] = "2026-11-20T10:00:00Z";
    }
    const auto pods = parse_pod_list(list_of(value));
    EXPECT_TRUE(pods) << to_text(pods.error());
    return !pods->ended.empty();
  };
  EXPECT_TRUE(ended(R"({"phase": "Succeeded"})"));
  EXPECT_TRUE(ended(R"({"phase": "Failed"})"));  // its process failed
  EXPECT_TRUE(ended(R"({"phase": "Failed", "reason": "DeadlineExceeded"})"));
  EXPECT_TRUE(ended(R"({"phase": "Running"})", true));
  EXPECT_FALSE(ended(R"({"phase": "Running"})"));
  EXPECT_FALSE(ended(R"({"phase": "Pending"})"));
  for (const char* reason : {"OutOfmemory", "UnexpectedAdmissionError", "Evicted", "Terminated"}) {
    const std::string status = R"({"phase": "Failed", "reason": ")" + std::string{reason} + "\"}";
    EXPECT_FALSE(ended(status.c_str())) << reason;
    EXPECT_FALSE(ended(status.c_str(), true)) << reason;
  }
}

TEST(PodList, KnowsWhoWasEvictedForMemory) {
  const auto evicted = [](const char* status) {
    json value = pod(R"({"containers": [{"name": "c", "resources": {"requests":
        {"memory": "64Mi"}}}]})",
                     "{}");
    value["status"] = json::parse(status);
    const auto pods = parse_pod_list(list_of(value));
    EXPECT_TRUE(pods) << to_text(pods.error());
    return pods->evicted;
  };
  // As kubelet 1.36 writes it.
  const auto pods = evicted(R"({"phase": "Failed", "reason": "Evicted", "message":
      "The node was low on resource: memory. Threshold quantity: 500Mi, available: 481112Ki. ",
      "conditions": [{"type": "Ready", "lastTransitionTime": "2026-11-20T09:00:00Z"},
        {"type": "DisruptionTarget", "lastTransitionTime": "2026-11-20T10:00:00Z"}]})");
  ASSERT_EQ(pods.size(), 1U);
  EXPECT_EQ(config::to_utc(*pods[0].at), "2026-11-20T10:00:00Z");
  EXPECT_EQ(pods[0].request, 64_MiB);
  EXPECT_TRUE(pods[0].message.ends_with("481112Ki. "));
  // Before 1.26 there is no such condition.
  const auto old = evicted(R"({"phase": "Failed", "reason": "Evicted",
      "message": "The node was low on resource: memory. ", "containerStatuses": [
        {"name": "c", "state": {"terminated": {"finishedAt": "2026-11-20T10:00:01Z"}}},
        {"name": "d", "state": {"terminated": {"finishedAt": "2026-11-20T10:00:00Z"}}}]})");
  ASSERT_EQ(old.size(), 1U);
  EXPECT_EQ(config::to_utc(*old[0].at), "2026-11-20T10:00:01Z");
  EXPECT_FALSE(evicted(R"({"phase": "Failed", "reason": "Evicted",
      "message": "The node was low on resource: memory. "})")
                   .at(0)
                   .at);
  EXPECT_TRUE(evicted(R"({"phase": "Failed", "reason": "Evicted",
      "message": "The node was low on resource: ephemeral-storage. "})")
                  .empty());
  EXPECT_TRUE(evicted(R"({"phase": "Failed", "reason": "OutOfmemory"})").empty());
  EXPECT_TRUE(evicted(R"({"phase": "Running", "reason": "Evicted",
      "message": "The node was low on resource: memory. "})")
                  .empty());
}

TEST(PodList, KeepsTheLastEvicted) {
  json items = json::array();
  for (int i = 0; i < 150; ++i) {
    json value = pod(R"({"containers": []})", "{}");
    value["metadata"]["uid"] = std::to_string(i);
    value["status"] = {
        {"phase", "Failed"},
        {"reason", "Evicted"},
        {"message", "low on resource: memory" + std::string(1000, 'x')},
        {"conditions",
         {{{"type", "DisruptionTarget"},
           {"lastTransitionTime",
            config::to_utc(std::chrono::sys_seconds{std::chrono::seconds{(i * 7) % 150}})}}}}};
    items.push_back(value);
  }
  const auto pods = parse_pod_list(json{{"kind", "PodList"}, {"items", items}}.dump());
  ASSERT_TRUE(pods) << to_text(pods.error());
  ASSERT_EQ(pods->evicted.size(), kMostEvicted);
  EXPECT_EQ(pods->evicted.front().at->time_since_epoch().count(), 50);
  EXPECT_EQ(pods->evicted.back().at->time_since_epoch().count(), 149);
  EXPECT_LE(pods->evicted.front().message.size(), 512U);
}

TEST(PodList, MayBeEmpty) {
  for (const char* text : {R"({"kind": "PodList", "items": []})",
                           R"({"kind": "PodList", "metadata": {"continue": ""}, "items": null})"}) {
    const auto pods = parse_pod_list(text);
    ASSERT_TRUE(pods) << to_text(pods.error());
    EXPECT_TRUE(pods->live.empty());
  }
}

TEST(PodList, IsReadInAnyOrderOfItsMembers) {
  const std::string one = pod(R"({"containers": []})").dump();
  const auto pods = parse_pod_list(R"({"items": [)" + one + R"(], "metadata": {"remainders": [{}]},
      "others": [)" + one + R"(], "kind": "PodList"})");
  ASSERT_TRUE(pods) << to_text(pods.error());
  EXPECT_EQ(pods->live.size(), 1U);
  EXPECT_FALSE(parse_pod_list(R"({"items": {"a": )" + one + R"(}, "kind": "PodList"})"));
  EXPECT_FALSE(parse_pod_list(R"({"items": [[)" + one + R"(]], "kind": "PodList"})"));
  EXPECT_FALSE(parse_pod_list(R"({"items": [)" + one + R"(], "kind": "NodeList"})"));
}

TEST(PodRequest, IsTheSumOfTheContainersAndTheOverhead) {
  EXPECT_EQ(request_of(R"({"containers": [
      {"name": "a", "resources": {"requests": {"memory": "100Mi", "cpu": "1"}}},
      {"name": "b", "resources": {"limits": {"memory": "1Gi"}}},
      {"name": "c", "resources": {"requests": {"memory": "1k"}}}],
      "overhead": {"memory": "20Mi"}})"),
            120_MiB + 1000_B);
}

// Init containers run one by one, each beside the sidecars before it: 300 alone; 10 + 250; then the
// containers beside all sidecars.
TEST(PodRequest, CountsInitContainersInTheirOrder) {
  const std::string init = R"([
      {"name": "i", "resources": {"requests": {"memory": "300Mi"}}},
      {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"memory": "10Mi"}}},
      {"name": "j", "resources": {"requests": {"memory": "INIT"}}},
      {"name": "t", "restartPolicy": "Always", "resources": {"requests": {"memory": "40Mi"}}}])";
  const auto request = [&init](const std::string& last, const std::string& container) {
    std::string list = init;
    list.replace(list.find("INIT"), 4, last);
    return request_of(R"({"containers": [{"name": "c", "resources": {"requests": {"memory": ")" +
                      container + R"("}}}], "initContainers": )" + list + "}");
  };
  EXPECT_EQ(request("250Mi", "200Mi"), 300_MiB);
  EXPECT_EQ(request("295Mi", "200Mi"), 305_MiB);
  EXPECT_EQ(request("250Mi", "260Mi"), 310_MiB);
}

// 1.34: resources of the pod as a whole. The status shows the containers' sum in the same place.
TEST(PodRequest, OfThePodAsAWholeGoesBeforeTheSum) {
  const std::string container = R"("containers": [
      {"name": "a", "resources": {"requests": {"memory": "100Mi"}}}])";
  EXPECT_EQ(request_of("{" + container + R"(, "resources": {"requests": {"memory": "1Gi"}},
      "overhead": {"memory": "1Mi"}})"),
            1025_MiB);
  EXPECT_EQ(request_of("{" + container + R"(, "resources": {"requests": {"cpu": "1"}}})"), 100_MiB);
  EXPECT_EQ(request_of("{" + container + "}", R"({"allocatedResources": {"memory": "7Gi"}})"),
            100_MiB);
}

TEST(PodList, TellsSinceWhenAPodIsResized) {
  const std::string spec = R"({"containers": [{"name": "c"}]})";
  EXPECT_EQ(only(pod(spec)).resize, std::nullopt);
  EXPECT_EQ(only(pod(spec, R"({"resize": "InProgress"})")).resize, Resize{});
  const ApiPod deferred = only(pod(spec,
                                   R"({"conditions": [{"type": "PodResizePending", "status": "True",
                                       "reason": "Deferred",
                                       "lastTransitionTime": "2026-11-22T09:00:00Z"}]})"));
  ASSERT_TRUE(deferred.resize);
  EXPECT_EQ(deferred.resize->since,
            std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + std::chrono::hours{9});
}

struct ResizeCase {
  const char* name;
  const char* wanted;
  const char* container;  ///< of the container's status
  const char* status;     ///< of the pod's status
  Bytes request;
};

const std::vector<ResizeCase> kResizes = {
    {"NoStatusYet", "100Mi", "", "", 100_MiB},
    {"AllocatedBeatsTheSpec", "300Mi", R"("allocatedResources": {"memory": "100Mi"})", "", 100_MiB},
    {"ActualBeatsTheSpec",
     "50Mi",
     R"("resources": {"requests": {"memory": "100Mi"}})",
     "",
     100_MiB},
    {"LargerOfAllocatedAndActual",
     "50Mi",
     R"("allocatedResources": {"memory": "70Mi"}, "resources": {"requests": {"memory": "90Mi"}})",
     "",
     90_MiB},
    {"StatusWithoutMemory",
     "50Mi",
     R"("allocatedResources": {"cpu": "1"}, "resources": {})",
     "",
     50_MiB},
    {"Deferred",
     "300Mi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("conditions": [{"type": "PodResizePending", "status": "True", "reason": "Deferred"}])",
     300_MiB},
    {"InProgressDownwards",
     "100Mi",
     R"("allocatedResources": {"memory": "100Mi"}, "resources": {"requests": {"memory": "300Mi"}})",
     R"("conditions": [{"type": "PodResizeInProgress", "status": "True"}])",
     300_MiB},
    {"InProgressUpwards",
     "400Mi",
     R"("allocatedResources": {"memory": "100Mi"}, "resources": {"requests": {"memory": "300Mi"}})",
     R"("conditions": [{"type": "Ready", "status": "True"},
                       {"type": "PodResizeInProgress", "status": "True"}])",
     400_MiB},
    {"Over",
     "300Mi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("conditions": [{"type": "PodResizeInProgress", "status": "False"}])",
     100_MiB},
    {"Infeasible",
     "300Gi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}])",
     100_MiB},
    {"ProposedUpTo132",
     "300Mi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("resize": "Proposed")",
     300_MiB},
    {"InfeasibleUpTo132",
     "300Gi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("resize": "Infeasible")",
     100_MiB},
    {"NoResizeUpTo132",
     "300Mi",
     R"("allocatedResources": {"memory": "100Mi"})",
     R"("resize": "")",
     100_MiB},
};

class ResizedPod : public testing::TestWithParam<ResizeCase> {};

/// {"a": b, "name": "c"} or {"name": "c"}
std::string object(const std::string& members, const std::string& last) {
  return '{' + members + (members.empty() ? "" : ", ") + last + '}';
}

TEST_P(ResizedPod, CountsWhatIsInForce) {
  const ResizeCase& test = GetParam();
  const std::string resources =
      R"("resources": {"requests": {"memory": ")" + std::string{test.wanted} + R"("}})";
  const std::string name = R"("name": "c")";
  const std::string statuses = '[' + object(test.container, name) + ']';
  EXPECT_EQ(request_of(R"({"containers": [)" + object(resources, name) + "]}",
                       object(test.status, R"("containerStatuses": )" + statuses)),
            test.request);
  // The same of a sidecar, and of the pod as a whole.
  EXPECT_EQ(request_of(R"({"containers": [], "initContainers": [)" +
                           object(resources, R"("restartPolicy": "Always", )" + name) + "]}",
                       object(test.status, R"("initContainerStatuses": )" + statuses)),
            test.request);
  const std::string whole = object(test.container, R"("message": "")");
  json status = json::parse(object(test.status, R"("message": "")"));
  status.update(json::parse(whole));
  EXPECT_EQ(request_of(object(resources, R"("containers": [{"name": "c"}])"), status.dump()),
            test.request);
}

INSTANTIATE_TEST_SUITE_P(, ResizedPod, testing::ValuesIn(kResizes), [](const auto& test) {
  return std::string{test.param.name};
});

// An init container that has run to its end is no longer resized: its status says nothing.
TEST(PodRequest, OfAnInitContainerIsItsSpec) {
  EXPECT_EQ(request_of(R"({"containers": [{"name": "c"}], "initContainers": [
      {"name": "i", "resources": {"requests": {"memory": "8Mi"}}}]})",
                       R"({"initContainerStatuses": [
      {"name": "i", "allocatedResources": {"memory": "9Gi"}}]})"),
            8_MiB);
}

TEST(PodRequest, SaturatesInsteadOfOverflowing) {
  EXPECT_EQ(request_of(R"({"containers": [
      {"name": "a", "resources": {"requests": {"memory": "8Ei"}}},
      {"name": "b", "resources": {"requests": {"memory": "8Ei"}}}]})")
                .value(),
            9'223'372'036'854'775'807);
}

struct Hostile {
  const char* name;
  std::string text;
  const char* what;  ///< a part of the message
};

std::string with_spec(const char* spec) {
  return list_of(pod(spec));
}

std::string changed(const char* pointer, const json& value) {
  json whole = pod(R"({"containers": [{"name": "c"}]})");
  whole[json::json_pointer{pointer}] = value;
  return list_of(whole);
}

const std::vector<Hostile> kHostile = {
    {"Empty", "", "not JSON"},
    {"Garbage", "<html>", "not JSON"},
    {"CutShort", R"({"kind": "PodList", "items": [)", "not JSON"},
    {"TrailingText", R"({"kind": "PodList", "items": []} x)", "not JSON"},
    {"BadUtf8", "{\"kind\": \"PodList\xff\"}", "not JSON"},
    {"DeepNesting", std::string(1'000'000, '['), "not JSON"},
    {"Number", "1", "no PodList"},
    {"NoKind", R"({"items": []})", "no PodList"},
    {"Status", R"({"kind": "Status", "message": "gone"})", "no PodList"},
    {"NoItems", R"({"kind": "PodList"})", "no PodList"},
    {"ItemsAreAnObject", R"({"kind": "PodList", "items": {}})", "no PodList"},
    {"APageOnly", R"({"kind": "PodList", "metadata": {"continue": "x"}, "items": []})", "part"},
    {"ItemIsNull", R"({"kind": "PodList", "items": [null]})", "an item"},
    {"ItemIsText", R"({"kind": "PodList", "items": ["pod"]})", "an item"},
    {"NoUid", R"({"kind": "PodList", "items": [{"metadata": {}, "spec": {}}]})", "uid"},
    {"EmptyUid", changed("/metadata/uid", ""), "uid"},
    {"NumberAsUid", changed("/metadata/uid", 1), "string"},
    {"NumberAsName", changed("/metadata/name", 1), "string"},
    {"AnnotationsAreAList", changed("/metadata/annotations", json::array()), "items[0]"},
    {"NumberAsPhase", changed("/status/phase", 1), "string"},
    {"NoContainers", with_spec("{}"), "containers"},
    {"ContainersAreText", with_spec(R"({"containers": "c"})"), "items[0]"},
    {"ContainerWithoutName",
     changed("/status/containerStatuses", json::array({json::object()})),
     "name"},
    {"StatusesAreText", changed("/status/containerStatuses", "x"), "items[0]"},
    {"ConditionsAreNumbers", changed("/status/conditions", json::array({1})), "items[0]"},
    {"PriorityIsText", with_spec(R"({"containers": [], "priority": "5"})"), "priority"},
    {"PriorityIsAFraction", with_spec(R"({"containers": [], "priority": 1.5})"), "priority"},
    {"PriorityOf33Bits", with_spec(R"({"containers": [], "priority": 4294967296})"), "priority"},
    {"PriorityOf64Bits",
     with_spec(R"({"containers": [], "priority": 18446744073709551615})"),
     "priority"},
    {"MemoryIsANumber", with_spec(R"({"containers": [], "overhead": {"memory": 5}})"), "string"},
    {"MemoryIsNoQuantity",
     with_spec(R"({"containers": [], "overhead": {"memory": "5GB"}})"),
     "5GB"},
    {"MemoryIsNegative",
     with_spec(R"({"containers": [], "overhead": {"memory": "-5Mi"}})"),
     "-5Mi"},
    {"ResourcesAreText",
     with_spec(R"({"containers": [{"name": "c", "resources": "x"}]})"),
     "items[0]"},
};

class HostilePodList : public testing::TestWithParam<Hostile> {};

TEST_P(HostilePodList, IsRefused) {
  const auto pods = parse_pod_list(GetParam().text);
  ASSERT_FALSE(pods);
  EXPECT_EQ(pods.error().kind, ErrorKind::kMalformed);
  EXPECT_THAT(pods.error().what, testing::HasSubstr(GetParam().what));
  EXPECT_NE(pods.error().remedy, "");
}

INSTANTIATE_TEST_SUITE_P(, HostilePodList, testing::ValuesIn(kHostile), [](const auto& test) {
  return std::string{test.param.name};
});

}  // namespace
}  // namespace eviction::agent
