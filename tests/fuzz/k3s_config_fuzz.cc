// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/k3s.h"
#include "agent/service_unit.h"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void merge(const std::vector<std::string>& kubelet_args) {
  const auto merged = eviction::agent::merge_kubelet_args({{"v", "2"}}, kubelet_args);
  require(merged.size() >= kubelet_args.size());
  require(std::all_of(merged.begin(), merged.end(), [](const std::string& argument) {
    return argument.starts_with("--") && argument.find('=') != std::string::npos;
  }));
}

}  // namespace

/// The same bytes as k3s' configuration and as the unit file that starts it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  eviction::agent::K3sOptions options;
  const auto applied = eviction::agent::apply_k3s_config(text, options);
  require(applied || applied.error().kind == eviction::ErrorKind::kMalformed);
  merge(options.kubelet_args);
  if (const auto command = eviction::agent::parse_exec_start(text)) {
    merge(*command);
  }
  return 0;
}
