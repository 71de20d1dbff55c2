// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "agent/incident_json.h"
#include "config/utc_time.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line{reinterpret_cast<const char*>(data), size};
  const auto incident = eviction::agent::parse_incident(line);
  if (!incident) {
    return 0;
  }
  if (!eviction::config::parse_utc(incident->at("time").get<std::string>())) {
    std::abort();
  }
  const std::string table = eviction::agent::incidents_table({*incident});
  if (table.empty() || table.find('\x1b') != std::string::npos) {
    std::abort();
  }
  return 0;
}
