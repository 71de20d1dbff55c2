// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cgroup/zoneinfo.h"

namespace {

using eviction::cgroup::Zone;
using eviction::cgroup::Zoneinfo;

std::string print(const Zoneinfo& info) {
  std::string text;
  const auto line = [&text](const char* key, std::int64_t pages) {
    text += std::string{"\n        "} + key + ' ' + std::to_string(pages);
  };
  for (const Zone& zone : info.zones) {
    text += "Node " + std::to_string(zone.node) + ", zone " + zone.name;
    line("pages free", zone.free);
    line("boost", zone.boost);
    line("min", zone.min);
    line("low", zone.low);
    line("high", zone.high);
    line("managed", zone.managed);
    const char* separator = "\n        protection: (";
    for (const std::int64_t pages : zone.protection) {
      text += separator + std::to_string(pages);
      separator = ", ";
    }
    text += ")\n";
  }
  return text;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = eviction::cgroup::parse_zoneinfo({reinterpret_cast<const char*>(data), size});
  if (!info) {
    return 0;
  }
  if (info->zones.empty() || info->reserve_pages() < 0 || info->low_watermark_pages() < 0 ||
      info->reserve_pages() > info->managed_pages() || info->numa_nodes() > info->zones.size()) {
    std::abort();
  }
  const auto again = eviction::cgroup::parse_zoneinfo(print(*info));
  if (!again || again->zones.size() != info->zones.size() ||
      again->reserve_pages() != info->reserve_pages() ||
      again->low_watermark_pages() != info->low_watermark_pages() ||
      again->managed_pages() != info->managed_pages() ||
      again->numa_nodes() != info->numa_nodes()) {
    std::abort();
  }
  return 0;
}
