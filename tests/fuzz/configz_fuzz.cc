// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/configz.h"

namespace {

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

nlohmann::json map_of(const std::optional<std::string>& value) {
  return value ? nlohmann::json{{"memory.available", *value}} : nlohmann::json::object();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = eviction::agent::parse_configz({reinterpret_cast<const char*>(data), size});
  if (!first) {
    check(!first.error().what.empty());
    return 0;
  }
  const nlohmann::json written{{"kubeletconfig",
                                {{"evictionHard", map_of(first->hard)},
                                 {"evictionSoft", map_of(first->soft)},
                                 {"evictionMinimumReclaim", map_of(first->reclaim)}}}};
  const auto again = eviction::agent::parse_configz(written.dump());
  check(again && again->hard == first->hard && again->soft == first->soft &&
        again->reclaim == first->reclaim);
  return 0;
}
