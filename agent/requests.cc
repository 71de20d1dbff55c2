// SPDX-License-Identifier: Apache-2.0
#include "agent/requests.h"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "config/quantity.h"

namespace eviction::agent {

namespace {

using nlohmann::json;

/// Source: kubelet v1.36 pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust().
constexpr int kBestEffortScore = 1000;
constexpr int kLeastBurstableScore = 3;  ///< 1000 + the Guaranteed score, -997

Error malformed(const std::string& path, std::string what) {
  return Error{ErrorKind::kMalformed,
               path,
               0,
               std::move(what),
               "requests of its pods are estimated until the kubelet writes it again"};
}

const json* member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// The memory in a ResourceList ({"memory": "1Gi"}). Zero when it has none.
Result<Bytes> memory_in(const json* list, const std::string& path) {
  if (list == nullptr || list->is_null()) {
    return Bytes{};
  }
  if (!list->is_object()) {
    return tl::unexpected(malformed(path, "requests that are no object"));
  }
  const json* memory = member(*list, "memory");
  if (memory == nullptr) {
    return Bytes{};
  }
  if (!memory->is_string()) {
    return tl::unexpected(malformed(path, "a memory request that is no string"));
  }
  const auto& text = memory->get_ref<const std::string&>();
  const Result<config::Quantity> quantity = config::parse_quantity(text);
  if (!quantity || quantity->sign < 0) {
    return tl::unexpected(malformed(path, "bad memory request '" + text + "'"));
  }
  return quantity->bytes;
}

/// One container: from 1.32 {"requests": LIST, "limits": LIST}, before that the LIST of its
/// requests.
Result<Bytes> container_request(const json& container, const std::string& path) {
  const bool list = container.is_object() && !container.contains("requests") &&
                    !container.contains("limits") && !container.contains("claims");
  if (list || !container.is_object()) {
    return memory_in(&container, path);
  }
  return memory_in(member(container, "requests"), path);
}

Result<Bytes> sum_of_containers(const json& containers, const std::string& path) {
  if (!containers.is_object() && !containers.is_null()) {
    return tl::unexpected(malformed(path, "a pod whose containers are no object"));
  }
  Bytes sum;
  for (const json& container : containers) {
    Result<Bytes> request = container_request(container, path);
    if (!request) {
      return request;
    }
    sum += *request;
  }
  return sum;
}

/// A pod from 1.33 on: {"ContainerResources": CONTAINERS}, from 1.36 with "PodLevelResources",
/// whose request counts for the whole pod.
Result<Bytes> pod_request(const json& pod, const std::string& path) {
  const json* containers = pod.is_object() ? member(pod, "ContainerResources") : nullptr;
  if (containers == nullptr) {
    return tl::unexpected(malformed(path, "a pod without ContainerResources"));
  }
  const json* pod_level = member(pod, "PodLevelResources");
  if (pod_level == nullptr || pod_level->is_null()) {
    return sum_of_containers(*containers, path);
  }
  if (!pod_level->is_object()) {
    return tl::unexpected(malformed(path, "PodLevelResources that are no object"));
  }
  const json* requests = member(*pod_level, "requests");
  if (requests == nullptr || (requests->is_object() && !requests->contains("memory"))) {
    return sum_of_containers(*containers, path);
  }
  return memory_in(requests, path);
}

/// The kubelet leaves the entries out when there are none.
bool is_empty_checkpoint(const json& body) {
  return std::all_of(body.items().begin(), body.items().end(), [](const auto& item) {
    return item.key() == "checksum" || item.key() == "resizeStatusEntries";
  });
}

Result<RequestMap> parse_body(const json& body, const std::string& path) {
  const json* pods = body.is_object() ? member(body, "entries") : nullptr;
  const json* old_pods = body.is_object() ? member(body, "allocationEntries") : nullptr;
  const json* entries = pods != nullptr ? pods : old_pods;
  if (entries == nullptr && body.is_object() && is_empty_checkpoint(body)) {
    return RequestMap{};
  }
  if (entries == nullptr || !entries->is_object()) {
    return tl::unexpected(malformed(path, "not a checkpoint of the kubelet's allocated resources"));
  }
  RequestMap requests;
  for (const auto& [uid, pod] : entries->items()) {
    Result<Bytes> request = entries == pods ? pod_request(pod, path) : sum_of_containers(pod, path);
    if (!request) {
      return tl::unexpected(std::move(request.error()));
    }
    requests[uid] = *request;
  }
  return requests;
}

/// Adds one checkpoint's requests to all. False when there is no such file.
Result<bool> add_checkpoint(const cgroup::Directory& root,
                            const std::string& file,
                            RequestMap& all,
                            cgroup::Buffer& buffer) {
  // A pod with ten containers takes about 1 KiB, and a node has some hundred pods.
  constexpr std::size_t kCheckpointLimit = std::size_t{4} << 20;
  const Result<std::string_view> text = root.read(file, buffer, kCheckpointLimit);
  if (!text) {
    if (text.error().kind == ErrorKind::kAbsent) {
      return false;
    }
    return tl::unexpected(text.error());
  }
  const Result<RequestMap> requests = parse_checkpoint(*text, root.path_of(file));
  if (!requests) {
    return tl::unexpected(requests.error());
  }
  for (const auto& [uid, request] : *requests) {
    Bytes& kept = all[uid];
    kept = std::max(kept, request);
  }
  return true;
}

/// The sum over the containers of a Burstable pod, before the pod's limit is looked at.
std::optional<RequestBounds> sum_of_bounds(std::optional<Bytes> limit,
                                           const std::vector<int>& oom_score_adj,
                                           Bytes capacity) {
  RequestBounds sum;
  std::set<int> counted;
  for (const int score : oom_score_adj) {
    const std::optional<RequestBounds> bounds = request_bounds(score, capacity);
    if (!bounds && !limit) {
      return std::nullopt;
    }
    // A sidecar has the score of the smallest regular container, if that is lower than its own: of
    // containers with one score only one is sure to request what it tells.
    const bool sure = bounds && counted.insert(score).second;
    sum.low += sure ? bounds->low : Bytes{};
    sum.high += bounds ? bounds->high : *limit;
  }
  return sum;
}

}  // namespace

Result<RequestMap> parse_checkpoint(std::string_view text, const std::string& path) {
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object() || !file.contains("checksum")) {
    return tl::unexpected(malformed(path, "not a checkpoint: no JSON object with a checksum"));
  }
  // From 1.32 on the entries are JSON in a string, before that they stand beside the checksum.
  const json* data = member(file, "data");
  if (data == nullptr) {
    return parse_body(file, path);
  }
  if (!data->is_string()) {
    return tl::unexpected(malformed(path, "data that is no string"));
  }
  return parse_body(json::parse(data->get_ref<const std::string&>(), nullptr, false), path);
}

Result<RequestMap> read_checkpoints(const cgroup::Directory& root,
                                    const std::string& kubelet_root_dir,
                                    cgroup::Buffer& buffer) {
  RequestMap all;
  bool found = false;
  for (const char* name :
       {"/allocated_pods_state", "/actuated_pods_state", "/pod_status_manager_state"}) {
    if (found && std::string_view{name} == "/pod_status_manager_state") {
      break;  // left behind by the kubelet before an upgrade to 1.33
    }
    const Result<bool> added = add_checkpoint(root, kubelet_root_dir + name, all, buffer);
    if (!added) {
      return tl::unexpected(added.error());
    }
    found = found || *added;
  }
  if (!found) {
    return tl::unexpected(Error{ErrorKind::kAbsent,
                                root.path_of(kubelet_root_dir),
                                0,
                                "the kubelet keeps no checkpoint of allocated resources",
                                "requests are estimated; kubelet 1.33 and later keep one"});
  }
  return all;
}

std::optional<RequestBounds> request_bounds(int oom_score_adj, Bytes capacity) {
  if (oom_score_adj == kBestEffortScore) {
    return RequestBounds{};
  }
  if (oom_score_adj < kLeastBurstableScore || oom_score_adj > kBestEffortScore) {
    return std::nullopt;
  }
  // 1000 - 1000 * request / capacity in whole numbers, held between 3 and 999.
  const int thousandths = kBestEffortScore - oom_score_adj;
  const Bytes low = thousandths == 1 ? Bytes{} : scale(capacity, thousandths, kBestEffortScore);
  const Bytes high = oom_score_adj == kLeastBurstableScore
                         ? capacity
                         : scale(capacity, thousandths + 1, kBestEffortScore);
  return RequestBounds{low, high};
}

std::optional<MemoryRequest> estimate_request(cgroup::QosClass qos,
                                              std::optional<Bytes> limit,
                                              const std::vector<int>& oom_score_adj,
                                              Bytes capacity) {
  switch (qos) {
    case cgroup::QosClass::kBestEffort:
      return MemoryRequest{};
    case cgroup::QosClass::kGuaranteed:
      return limit ? std::optional{MemoryRequest{*limit, *limit}} : std::nullopt;
    case cgroup::QosClass::kBurstable:
      break;
  }
  if (oom_score_adj.empty()) {
    return limit ? std::optional{MemoryRequest{Bytes{}, *limit}} : std::nullopt;
  }
  const std::optional<RequestBounds> sum = sum_of_bounds(limit, oom_score_adj, capacity);
  if (!sum) {
    return std::nullopt;
  }
  // A container's request never exceeds its limit, nor does their sum.
  const Bytes high = limit ? std::min(sum->high, *limit) : sum->high;
  return MemoryRequest{std::min(sum->low, high), high};
}

std::optional<MemoryRequest> local_request(std::optional<Bytes> checkpoint,
                                           const std::optional<MemoryRequest>& estimate) {
  if (!checkpoint || (estimate && estimate->low > *checkpoint)) {
    return estimate;
  }
  return MemoryRequest{*checkpoint, *checkpoint, RequestSource::kCheckpoint};
}

}  // namespace eviction::agent
