// SPDX-License-Identifier: Apache-2.0
#include "agent/pod_list.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include <nlohmann/json.hpp>

#include "config/quantity.h"
#include "config/utc_time.h"

namespace eviction::agent {
namespace {

using nlohmann::json;

const json kAbsent;

constexpr const char* kRemedy =
    "requests are learned from the kubelet's checkpoint or estimated until it is right";

tl::unexpected<Error> malformed(std::string what) {
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = {},
                              .line = 0,
                              .what = std::move(what),
                              .remedy = kRemedy}};
}

/// What the names lead to; null when one of them is absent. Throws when a part is no object.
const json& follow(const json& from, std::initializer_list<const char*> names) {
  const json* node = &from;
  for (const char* name : names) {
    if (node->is_null() || (node->is_object() && !node->contains(name))) {
      return kAbsent;
    }
    node = &node->at(name);
  }
  return *node;
}

std::string text_or_empty(const json& value) {
  return value.is_null() ? std::string{} : value.get<std::string>();
}

/// The memory of a ResourceList. Absent when it has none.
Result<std::optional<Bytes>> memory(const json& resources) {
  const json& written = follow(resources, {"memory"});
  if (written.is_null()) {
    return std::nullopt;
  }
  const Result<config::Quantity> quantity = config::parse_quantity(written.get<std::string>());
  if (!quantity) {
    return tl::unexpected{quantity.error()};
  }
  if (quantity->sign < 0 || quantity->bytes < Bytes{}) {
    return malformed("memory is negative: " + written.get<std::string>());
  }
  return quantity->bytes;
}

/// The request of a container, or of a pod as a whole, out of its spec and its status.
Result<Bytes> in_force(const json& spec, const json& status, bool resizing) {
  const auto wanted = memory(follow(spec, {"resources", "requests"}));
  const auto allocated = memory(follow(status, {"allocatedResources"}));
  const auto actual = memory(follow(status, {"resources", "requests"}));
  for (const auto* read : {&wanted, &allocated, &actual}) {
    if (!*read) {
      return tl::unexpected{read->error()};
    }
  }
  const std::optional<Bytes> granted = std::max(*allocated, *actual);
  return (granted && !resizing ? granted : std::max(granted, *wanted)).value_or(Bytes{});
}

/// Kubelets up to 1.32 say so in status.resize, later ones in conditions. A wish that the node can
/// never grant is no resize under way.
std::optional<Resize> resize_of(const json& status) {
  for (const json& condition : follow(status, {"conditions"})) {
    const std::string type = text_or_empty(follow(condition, {"type"}));
    if ((type == "PodResizePending" || type == "PodResizeInProgress") &&
        text_or_empty(follow(condition, {"status"})) == "True" &&
        text_or_empty(follow(condition, {"reason"})) != "Infeasible") {
      return Resize{config::parse_utc(text_or_empty(follow(condition, {"lastTransitionTime"})))};
    }
  }
  const std::string resize = text_or_empty(follow(status, {"resize"}));
  return resize.empty() || resize == "Infeasible" ? std::nullopt : std::optional{Resize{}};
}

/// The status of a container by its name; null when there is none yet.
const json& status_of(const json& statuses, const json& container) {
  const auto found = std::find_if(statuses.begin(), statuses.end(), [&](const json& status) {
    return status.at("name") == container.at("name");
  });
  return found == statuses.end() ? kAbsent : *found;
}

/// Containers run side by side; before them init containers run one after another, each beside the
/// sidecars (restartable init containers) that stand before it in the list.
Result<Bytes> sum_of_containers(const json& spec, const json& status, bool resizing) {
  Bytes running;
  Bytes sidecars;
  Bytes starting;
  for (const json& container : spec.at("containers")) {
    Result<Bytes> request =
        in_force(container, status_of(follow(status, {"containerStatuses"}), container), resizing);
    if (!request) {
      return request;
    }
    running += *request;
  }
  for (const json& container : follow(spec, {"initContainers"})) {
    const bool is_sidecar = text_or_empty(follow(container, {"restartPolicy"})) == "Always";
    Result<Bytes> request = in_force(
        container,
        is_sidecar ? status_of(follow(status, {"initContainerStatuses"}), container) : kAbsent,
        resizing);
    if (!request) {
      return request;
    }
    starting = std::max(starting, sidecars + *request);
    sidecars += is_sidecar ? *request : Bytes{};
  }
  return std::max(running + sidecars, starting);
}

Result<Bytes> pod_request(const json& spec, const json& status, bool resizing) {
  // A status carries the sum of the containers in the same place when there is no such spec.
  const bool as_a_whole = !follow(spec, {"resources", "requests", "memory"}).is_null();
  Result<Bytes> request =
      as_a_whole ? in_force(spec, status, resizing) : sum_of_containers(spec, status, resizing);
  const Result<std::optional<Bytes>> overhead = memory(follow(spec, {"overhead"}));
  if (!request || !overhead) {
    return tl::unexpected{request ? overhead.error() : request.error()};
  }
  return *request + overhead->value_or(Bytes{});
}

/// Absent when nobody set one.
Result<std::optional<int>> priority_of(const json& spec) {
  const json& written = follow(spec, {"priority"});
  if (written.is_null()) {
    return std::nullopt;
  }
  const std::string text = written.is_number_integer() ? written.dump() : std::string{};
  int priority = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), priority);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
    return malformed("spec.priority is no whole number of 32 bits");
  }
  return priority;
}

/// Throws json::exception when a member is missing or of another type.
Result<ApiPod> read_pod(const json& item) {
  const json& metadata = item.at("metadata");
  const json& annotations = follow(metadata, {"annotations"});
  const std::string source = text_or_empty(follow(annotations, {"kubernetes.io/config.source"}));
  const std::string hash = text_or_empty(follow(annotations, {"kubernetes.io/config.hash"}));
  ApiPod pod;
  pod.uid = metadata.at("uid").get<std::string>();
  pod.name_space = metadata.at("namespace").get<std::string>();
  pod.name = metadata.at("name").get<std::string>();
  pod.is_static = (!source.empty() && source != "api") ||
                  !follow(annotations, {"kubernetes.io/config.mirror"}).is_null();
  if (pod.is_static && !hash.empty()) {
    pod.uid = hash;
  }
  if (pod.uid.empty()) {
    return malformed("metadata.uid is empty");
  }
  const json& spec = item.at("spec");
  const json& status = item.at("status");
  pod.phase = text_or_empty(follow(status, {"phase"}));
  const Result<std::optional<int>> priority = priority_of(spec);
  pod.resize = resize_of(status);
  const Result<Bytes> request = pod_request(spec, status, pod.resize.has_value());
  if (!priority || !request) {
    return tl::unexpected{priority ? request.error() : priority.error()};
  }
  pod.priority = *priority;
  pod.request = *request;
  return pod;
}

bool has_ended(const ApiPod& pod) {
  return pod.phase == "Succeeded" || pod.phase == "Failed";
}

/// Throws json::exception when a part is of another type.
bool ended_by_itself(const ApiPod& pod, const json& item) {
  const std::string reason = text_or_empty(follow(item, {"status", "reason"}));
  if (!reason.empty() && reason != "DeadlineExceeded") {
    return false;
  }
  return has_ended(pod) || !follow(item, {"metadata", "deletionTimestamp"}).is_null();
}

/// When a pod's eviction began, or else when the last of its containers had ended.
/// Source: kubelet v1.36 pkg/kubelet/eviction/eviction_manager.go: DisruptionTarget (from 1.26).
std::optional<std::chrono::sys_seconds> evicted_at(const json& status) {
  for (const json& condition : follow(status, {"conditions"})) {
    if (text_or_empty(follow(condition, {"type"})) == "DisruptionTarget") {
      return config::parse_utc(text_or_empty(follow(condition, {"lastTransitionTime"})));
    }
  }
  std::optional<std::chrono::sys_seconds> last;
  for (const json& container : follow(status, {"containerStatuses"})) {
    const json& finished = follow(container, {"state", "terminated", "finishedAt"});
    last = std::max(last, config::parse_utc(text_or_empty(finished)));
  }
  return last;
}

/// Absent: it was not evicted for memory. Throws json::exception when a part is of another type.
std::optional<EvictedPod> evicted_for_memory(const ApiPod& pod, const json& status) {
  constexpr std::size_t kLongestMessage = 512;
  const std::string message = text_or_empty(follow(status, {"message"}));
  if (pod.phase != "Failed" || text_or_empty(follow(status, {"reason"})) != "Evicted" ||
      message.find("low on resource: memory") == std::string::npos) {
    return std::nullopt;
  }
  return EvictedPod{.uid = pod.uid,
                    .name_space = pod.name_space,
                    .name = pod.name,
                    .at = evicted_at(status),
                    .message = message.substr(0, kLongestMessage),
                    .request = pod.request};
}

void keep_last_evicted(std::vector<EvictedPod>& evicted) {
  std::ranges::stable_sort(evicted, {}, &EvictedPod::at);
  if (evicted.size() > kMostEvicted) {
    evicted.erase(evicted.begin(), evicted.end() - static_cast<std::ptrdiff_t>(kMostEvicted));
  }
}

/// Adds the pod to the list where it belongs. Errors: it is no pod.
Result<void> add_item(const json& item, std::size_t index, PodList& list) {
  Result<ApiPod> pod;
  try {
    pod = read_pod(item);
    if (pod && ended_by_itself(*pod, item)) {
      list.ended.push_back(pod->uid);
    }
    if (auto evicted = pod ? evicted_for_memory(*pod, item.at("status")) : std::nullopt) {
      list.evicted.push_back(std::move(*evicted));
    }
  } catch (const json::exception& exception) {
    pod = malformed(exception.what());
  }
  if (!pod) {
    pod.error().what = "items[" + std::to_string(index) + "] is no pod: " + pod.error().what;
    pod.error().remedy = kRemedy;
    return tl::unexpected{std::move(pod.error())};
  }
  if (!has_ended(*pod)) {
    list.live.push_back(std::move(*pod));
  }
  return {};
}

/// Takes the items out of a list while it is read, so that no more than one is held: a node's list
/// may be 16 MB of text, which as a whole is fourteen times that in memory.
class Items {
 public:
  explicit Items(bool are_next) : are_next_{are_next} {}

  /// Of nlohmann's parser. False: this value is not kept.
  bool keeps(int depth, json::parse_event_t event, const json& value) {
    constexpr int kMember = 1;
    constexpr int kItem = 2;
    if (depth == kMember && event == json::parse_event_t::key) {
      are_next_ = value == "items";
      if (are_next_) {
        *this = Items{true};  // of two members of one name the later counts
      }
    }
    if (depth != kItem || event != json::parse_event_t::object_end || !are_next_) {
      return true;
    }
    if (added_) {
      added_ = add_item(value, count_++, list_);
    }
    return false;
  }

  /// The rest of the list is what was kept. Throws json::exception when a member is missing.
  Result<PodList> end(const json& rest) {
    if (rest.at("kind") != "PodList") {
      return malformed("no PodList: it is of another kind");
    }
    if (!text_or_empty(follow(rest, {"metadata", "continue"})).empty()) {
      return malformed("the PodList is only a part of one");
    }
    const json& items = rest.at("items");  // Go writes an empty list as null as well
    if (!items.is_array() && !items.is_null()) {
      return malformed("no PodList: its items are no list");
    }
    if (!items.empty()) {
      return malformed("no PodList: an item is no object");
    }
    if (!added_) {
      return tl::unexpected{std::move(added_.error())};
    }
    keep_last_evicted(list_.evicted);
    return std::move(list_);
  }

 private:
  bool are_next_;
  std::size_t count_ = 0;
  PodList list_;
  Result<void> added_;
};

}  // namespace

bool is_never_evicted(const ApiPod& pod) {
  // Source: kubernetes v1.36 pkg/apis/scheduling/types.go SystemCriticalPriority.
  constexpr int kSystemCritical = 2'000'000'000;
  return pod.is_static || pod.priority.value_or(0) >= kSystemCritical;
}

Result<PodList> parse_pod_list(std::string_view text) {
  Items items{false};
  const json rest = json::parse(
      text,
      [&](int depth, json::parse_event_t event, const json& value) {
        return items.keeps(depth, event, value);
      },
      false);
  if (rest.is_discarded()) {
    return malformed("not JSON");
  }
  try {
    return items.end(rest);
  } catch (const json::exception& exception) {
    return malformed(std::string{"no PodList: "} + exception.what());
  }
}

}  // namespace eviction::agent
