// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/kubelet_flags.h"
#include "config/thresholds.h"

// Flags, one a line, to thresholds. A minor version that knows fewer signals accepts nothing more,
// and bytes stay within what was given.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction;  // NOLINT(google-build-using-namespace): a program of one function
  std::vector<std::string> arguments;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    arguments.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  config::KubeletSettings settings;
  const config::KubeletFlags flags = config::parse_kubelet_flags(arguments);
  const std::vector<std::string> errors = config::apply_kubelet_flags(flags, settings);
  const auto parse = [&settings](int minor) {
    return config::parse_thresholds(settings,
                                    {.major = 1, .minor = minor, .patch = {}, .suffix = {}});
  };
  const config::ParsedThresholds old = parse(28);
  const config::ParsedThresholds current = parse(36);
  if (old.errors.size() < current.errors.size() ||
      (old.errors.empty() && old.thresholds.size() != current.thresholds.size())) {
    std::abort();
  }
  for (const config::Threshold& threshold : current.thresholds) {
    if (threshold.grace.count() < 0 ||
        threshold.value.quantity.has_value() == threshold.value.percentage.has_value()) {
      std::abort();
    }
    static_cast<void>(config::threshold_bytes(threshold.value, Bytes{INT64_MAX}));
    if (threshold.min_reclaim) {
      static_cast<void>(config::threshold_bytes(*threshold.min_reclaim, Bytes{INT64_MAX}));
    }
  }
  return 0;
}
