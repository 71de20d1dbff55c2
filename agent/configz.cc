// SPDX-License-Identifier: Apache-2.0
#include "agent/configz.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "config/thresholds.h"

namespace eviction::agent {
namespace {

using nlohmann::json;

tl::unexpected<Error> malformed(std::string what) {
  return tl::unexpected{
      Error{.kind = ErrorKind::kMalformed, .path = "/configz", .line = 0, .what = std::move(what)}};
}

/// Throws json::exception when the map or its value is of another type.
std::optional<std::string> memory_available(const json& configuration, const char* map) {
  const auto values = configuration.find(map);
  if (values == configuration.end() || values->is_null()) {
    return std::nullopt;
  }
  const auto& members = values->get_ref<const json::object_t&>();
  const auto found = members.find(config::kMemoryAvailable);
  return found == members.end() ? std::nullopt : std::optional{found->second.get<std::string>()};
}

}  // namespace

Result<MemorySignals> parse_configz(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    return malformed("the kubelet's answer is not JSON");
  }
  try {
    const json& configuration = document.at("kubeletconfig");
    if (!configuration.is_object()) {
      return malformed("kubeletconfig is no object");
    }
    return MemorySignals{.hard = memory_available(configuration, "evictionHard"),
                         .soft = memory_available(configuration, "evictionSoft"),
                         .reclaim = memory_available(configuration, "evictionMinimumReclaim")};
  } catch (const json::exception& exception) {
    return malformed(std::string{"no kubelet's configuration: "} + exception.what());
  }
}

}  // namespace eviction::agent
