// SPDX-License-Identifier: Apache-2.0
#include "agent/api_view.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/api_server.h"
#include "agent/own_json.h"

namespace eviction::agent {
namespace {

using nlohmann::json;

/// Absent: the Node does not say, or could not be had; the version then stays unknown.
std::optional<config::KubeletVersion> read_kubelet_version(const cgroup::Directory& root,
                                                           const Kubelet& kubelet,
                                                           cgroup::Buffer& buffer) {
  const Result<std::string> text = read_own_node(root, kubelet.arguments, buffer);
  const json node = text ? json::parse(*text, nullptr, false) : json{};
  const json::json_pointer where{"/status/nodeInfo/kubeletVersion"};
  if (!node.is_object() || !node.contains(where) || !node[where].is_string()) {
    return std::nullopt;
  }
  const auto version = config::parse_kubelet_version(node[where].get<std::string>());
  return version ? std::optional{*version} : std::nullopt;
}

json to_json(const std::optional<Resize>& resize) {
  if (!resize) {
    return nullptr;
  }
  return {{"since", resize->since ? json(resize->since->time_since_epoch().count()) : json()}};
}

std::optional<Resize> resize_of(const json& value) {
  if (value.is_null()) {
    return std::nullopt;
  }
  Resize resize;
  if (const json& since = value.at("since"); !since.is_null()) {
    resize.since = std::chrono::sys_seconds{std::chrono::seconds{whole_seconds(since)}};
  }
  return resize;
}

json to_json(const ApiPod& pod) {
  return {{"uid", pod.uid},
          {"namespace", pod.name_space},
          {"name", pod.name},
          {"priority", pod.priority ? json(*pod.priority) : json(nullptr)},
          {"static", pod.is_static},
          {"phase", pod.phase},
          {"request_bytes", pod.request.value()},
          {"resize", to_json(pod.resize)}};
}

ApiPod pod_of(const json& value) {
  ApiPod pod;
  pod.uid = value.at("uid").get<std::string>();
  pod.name_space = value.at("namespace").get<std::string>();
  pod.name = value.at("name").get<std::string>();
  if (const json& priority = value.at("priority"); !priority.is_null()) {
    pod.priority = static_cast<int>(
        number_within(priority, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
  }
  pod.is_static = value.at("static").get<bool>();
  pod.phase = value.at("phase").get<std::string>();
  pod.request =
      Bytes{number_within(value.at("request_bytes"), 0, std::numeric_limits<std::int64_t>::max())};
  pod.resize = resize_of(value.at("resize"));
  return pod;
}

json to_json(const EvictedPod& pod) {
  return {{"uid", pod.uid},
          {"namespace", pod.name_space},
          {"name", pod.name},
          {"at", pod.at ? json(pod.at->time_since_epoch().count()) : json(nullptr)},
          {"message", pod.message},
          {"request_bytes", pod.request.value()}};
}

EvictedPod evicted_of(const json& value) {
  EvictedPod pod;
  pod.uid = value.at("uid").get<std::string>();
  pod.name_space = value.at("namespace").get<std::string>();
  pod.name = value.at("name").get<std::string>();
  if (const json& at = value.at("at"); !at.is_null()) {
    pod.at = std::chrono::sys_seconds{std::chrono::seconds{whole_seconds(at)}};
  }
  pod.message = value.at("message").get<std::string>();
  pod.request =
      Bytes{number_within(value.at("request_bytes"), 0, std::numeric_limits<std::int64_t>::max())};
  return pod;
}

Result<ApiView> view_of(const json& document) {
  if (const auto error = document.find("error"); error != document.end()) {
    return tl::unexpected{
        Error{.kind = static_cast<ErrorKind>(
                  number_within(error->at("kind"), 0, static_cast<std::int64_t>(ErrorKind::kIo))),
              .path = error->at("path").get<std::string>(),
              .what = error->at("what").get<std::string>(),
              .remedy = error->at("remedy").get<std::string>()}};
  }
  ApiView view;
  for (const json& pod : document.at("pods")) {
    view.pods.live.push_back(pod_of(pod));
  }
  view.pods.ended = document.at("ended").get<std::vector<std::string>>();
  for (const json& pod : document.at("evicted")) {
    view.pods.evicted.push_back(evicted_of(pod));
  }
  if (const json& version = document.at("kubelet_version"); !version.is_null()) {
    const auto known = config::parse_kubelet_version(version.get<std::string>());
    if (!known) {
      return tl::unexpected{known.error()};
    }
    view.kubelet_version = *known;
  }
  return view;
}

}  // namespace

Result<ApiView> ask_api_server(const cgroup::Directory& root, const Kubelet& kubelet) {
  cgroup::Buffer buffer;
  Result<PodList> pods = read_own_pods(root, kubelet.arguments, buffer);
  if (!pods) {
    return tl::unexpected{std::move(pods.error())};
  }
  ApiView view{.pods = std::move(*pods), .kubelet_version = {}};
  if (!kubelet.version) {
    view.kubelet_version = read_kubelet_version(root, kubelet, buffer);
  }
  return view;
}

std::string render_api_view(const Result<ApiView>& view) {
  json document{{"version", kOwnVersion}};
  if (!view) {
    const Error& error = view.error();
    document["error"] = {{"kind", static_cast<int>(error.kind)},
                         {"path", error.path},
                         {"what", error.what},
                         {"remedy", error.remedy}};
  } else {
    json pods = json::array();
    for (const ApiPod& pod : view->pods.live) {
      pods.push_back(to_json(pod));
    }
    document["pods"] = std::move(pods);
    document["ended"] = view->pods.ended;
    document["evicted"] = json::array();
    for (const EvictedPod& pod : view->pods.evicted) {
      document["evicted"].push_back(to_json(pod));
    }
    document["kubelet_version"] =
        view->kubelet_version ? json(config::to_text(*view->kubelet_version)) : json(nullptr);
  }
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ApiView> parse_api_view(std::string_view text) {
  return parse_own_json(
             text,
             view_of,
             Error{.kind = ErrorKind::kMalformed, .path = {}, .what = "no view of the API server"})
      .and_then([](Result<ApiView> view) { return view; });
}

}  // namespace eviction::agent
