// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/pod_list.h"
#include "config/quantity.h"

namespace {

using eviction::agent::ApiPod;
using nlohmann::json;

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

/// A pod that means the same, with its whole request in one container.
json write(const ApiPod& pod) {
  json item{
      {"metadata", {{"uid", pod.uid}, {"namespace", pod.name_space}, {"name", pod.name}}},
      {"spec",
       {{"containers",
         {{{"name", "c"},
           {"resources",
            {{"requests", {{"memory", eviction::config::render_quantity(pod.request)}}}}}}}}}},
      {"status", {{"phase", pod.phase}}}};
  if (pod.priority) {
    item["spec"]["priority"] = *pod.priority;
  }
  if (pod.is_static) {
    item["metadata"]["annotations"]["kubernetes.io/config.source"] = "file";
  }
  return item;
}

bool is_same(const ApiPod& left, const ApiPod& right) {
  return left.uid == right.uid && left.name_space == right.name_space && left.name == right.name &&
         left.priority == right.priority && left.is_static == right.is_static &&
         left.phase == right.phase && left.request == right.request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = eviction::agent::parse_pod_list({reinterpret_cast<const char*>(data), size});
  if (!first) {
    check(!first.error().what.empty());
    return 0;
  }
  json list{{"kind", "PodList"}, {"items", json::array()}};
  for (const ApiPod& pod : first->live) {
    check(!pod.uid.empty() && pod.phase != "Succeeded" && pod.phase != "Failed");
    check(pod.request >= eviction::Bytes{});
    list["items"].push_back(write(pod));
  }
  const auto again = eviction::agent::parse_pod_list(list.dump());
  check(again.has_value() && again->live.size() == first->live.size());
  for (std::size_t index = 0; index < first->live.size(); ++index) {
    check(is_same(first->live.at(index), again->live.at(index)));
  }
  return 0;
}
