// SPDX-License-Identifier: Apache-2.0
#include "config/thresholds.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "config/go_parse.h"

namespace eviction::config {
namespace {

/// The first kubelet that knows containerfs. Source: kubelet v1.29 eviction/api/types.go.
constexpr int kContainerfsMinor = 29;

struct Signal {
  std::string_view name;
  int since_minor;
};

constexpr std::array<Signal, 9> kSignals{{{"allocatableMemory.available", 0},
                                          {"containerfs.available", kContainerfsMinor},
                                          {"containerfs.inodesFree", kContainerfsMinor},
                                          {"imagefs.available", 0},
                                          {"imagefs.inodesFree", 0},
                                          {"memory.available", 0},
                                          {"nodefs.available", 0},
                                          {"nodefs.inodesFree", 0},
                                          {"pid.available", 0}}};

using Errors = std::vector<std::string>;

/// Where a value stands, for messages and checks.
struct Entry {
  std::string_view map;
  const std::string& signal;
  const Setting& setting;
};

std::string refuse(const Entry& entry, std::string_view why) {
  return fmt::format("{}: {} \"{}\" of {}: {}",
                     entry.setting.source,
                     entry.map,
                     entry.setting.value,
                     entry.signal.empty() ? "an empty signal" : entry.signal,
                     why);
}

bool check_signal(const Entry& entry, const KubeletVersion& version, Errors& errors) {
  const auto* const signal =
      std::find_if(kSignals.begin(), kSignals.end(), [&entry](const Signal& known) {
        return known.name == entry.signal;
      });
  if (signal == kSignals.end()) {
    errors.push_back(refuse(entry, "no kubelet has this signal (names are case-sensitive)"));
    return false;
  }
  if (!version.at_least(signal->since_minor)) {
    errors.push_back(
        refuse(entry, fmt::format("only kubelets since 1.{} have it", signal->since_minor)));
    return false;
  }
  return true;
}

/// The fraction of "5%"; any number of trailing '%' counts as one.
std::optional<float> parse_percentage(std::string_view text) {
  while (!text.empty() && text.back() == '%') {
    text.remove_suffix(1);
  }
  const std::optional<float> percent = parse_go_float32(text);
  if (!percent) {
    return std::nullopt;
  }
  return *percent / 100.0F;
}

/// The value, or why not. Bounds are the caller's.
tl::expected<ThresholdValue, std::string> parse_value(const std::string& text) {
  ThresholdValue value;
  if (!text.empty() && text.back() == '%') {
    value.percentage = parse_percentage(text);
    if (!value.percentage) {
      return tl::unexpected{std::string{"the percentage is no number; write it like 5%"}};
    }
    return value;
  }
  const Result<Quantity> quantity = parse_quantity(text);
  if (!quantity) {
    return tl::unexpected{to_text(quantity.error())};
  }
  value.quantity = *quantity;
  return value;
}

/// Comparisons are the kubelet's own: "NaN%" passes all of them.
std::string_view threshold_fault(const ThresholdValue& value) {
  if (value.quantity) {
    return value.quantity->sign > 0 ? "" : "it has to be above 0; write 0% for no threshold";
  }
  if (*value.percentage < 0) {
    return "it has to be 0% or more";
  }
  return *value.percentage > 1 ? "it has to be 100% or less" : "";
}

std::string_view reclaim_fault(const ThresholdValue& value) {
  if (value.quantity) {
    return value.quantity->sign >= 0 ? "" : "it has to be 0 or more";
  }
  return *value.percentage <= 0 ? "a percentage has to be above 0%; write 0 for none" : "";
}

class Parser {
 public:
  Parser(const KubeletSettings& settings, const KubeletVersion& version)
      : settings_{settings}, version_{version} {}

  ParsedThresholds parse() {
    std::vector<Threshold> hard = statements("evictionHard", settings_.eviction_hard);
    std::vector<Threshold> soft = statements("evictionSoft", settings_.eviction_soft);
    apply_grace(soft);
    for (Threshold& threshold : soft) {
      threshold.soft = true;
      hard.push_back(std::move(threshold));
    }
    apply_reclaim(hard);
    copy_for_allocatable(hard);
    if (!errors_.empty()) {
      return ParsedThresholds{.thresholds = {}, .errors = std::move(errors_)};
    }
    std::stable_sort(hard.begin(), hard.end(), [](const Threshold& left, const Threshold& right) {
      return std::tie(left.signal, left.soft) < std::tie(right.signal, right.soft);
    });
    return ParsedThresholds{.thresholds = std::move(hard), .errors = {}};
  }

 private:
  std::vector<Threshold> statements(std::string_view map,
                                    const std::optional<SettingMap>& settings) {
    std::vector<Threshold> thresholds;
    for (const auto& [signal, setting] : settings.value_or(SettingMap{})) {
      const Entry entry{map, signal, setting};
      if (!check_signal(entry, version_, errors_) || setting.value == "0%" ||
          setting.value == "100%") {
        continue;
      }
      if (std::optional<ThresholdValue> value = checked(entry, threshold_fault)) {
        thresholds.push_back(Threshold{.signal = signal,
                                       .soft = false,
                                       .value = *value,
                                       .grace = {},
                                       .min_reclaim = {},
                                       .source = setting.source});
      }
    }
    return thresholds;
  }

  std::optional<ThresholdValue> checked(const Entry& entry,
                                        std::string_view (*fault)(const ThresholdValue&)) {
    const tl::expected<ThresholdValue, std::string> value = parse_value(entry.setting.value);
    const std::string why = value ? std::string{fault(*value)} : value.error();
    if (!why.empty()) {
      errors_.push_back(refuse(entry, why));
      return std::nullopt;
    }
    return *value;
  }

  void apply_grace(std::vector<Threshold>& soft) {
    std::map<std::string, std::chrono::nanoseconds> periods;
    const SettingMap settings = settings_.eviction_soft_grace_period.value_or(SettingMap{});
    for (const auto& [signal, setting] : settings) {
      const Entry entry{"evictionSoftGracePeriod", signal, setting};
      if (!check_signal(entry, version_, errors_)) {
        continue;
      }
      const std::optional<std::chrono::nanoseconds> period = parse_go_duration(setting.value);
      if (!period) {
        errors_.push_back(refuse(entry, "it is no duration; write it like 90s or 1m30s"));
      } else if (period->count() < 0) {
        errors_.push_back(refuse(entry, "it has to be 0 or more"));
      } else {
        periods[signal] = *period;
      }
    }
    for (Threshold& threshold : soft) {
      const auto period = periods.find(threshold.signal);
      if (period != periods.end()) {
        threshold.grace = period->second;
      } else if (settings.count(threshold.signal) == 0) {
        errors_.push_back(fmt::format(
            "{}: evictionSoft of {} has no grace period; set it in evictionSoftGracePeriod",
            threshold.source,
            threshold.signal));
      }
    }
  }

  void apply_reclaim(std::vector<Threshold>& thresholds) {
    for (const auto& [signal, setting] :
         settings_.eviction_minimum_reclaim.value_or(SettingMap{})) {
      const Entry entry{"evictionMinimumReclaim", signal, setting};
      if (!check_signal(entry, version_, errors_)) {
        continue;
      }
      const std::optional<ThresholdValue> value = checked(entry, reclaim_fault);
      for (Threshold& threshold : thresholds) {
        if (threshold.signal == entry.signal) {
          threshold.min_reclaim = value;
        }
      }
    }
  }

  /// A soft threshold without grace counts as hard here.
  void copy_for_allocatable(std::vector<Threshold>& thresholds) const {
    const std::vector<std::string>& enforced = settings_.enforce_node_allocatable;
    if (settings_.allocatable_ignores_eviction ||
        std::find(enforced.begin(), enforced.end(), "pods") == enforced.end()) {
      return;
    }
    std::vector<Threshold> copies;
    std::copy_if(thresholds.begin(),
                 thresholds.end(),
                 std::back_inserter(copies),
                 [](const Threshold& threshold) {
                   return threshold.signal == kMemoryAvailable && threshold.grace.count() == 0;
                 });
    for (Threshold& copy : copies) {
      copy.signal = kAllocatableMemoryAvailable;
      thresholds.push_back(std::move(copy));
    }
  }

  const KubeletSettings& settings_;
  const KubeletVersion& version_;
  Errors errors_;
};

}  // namespace

Bytes threshold_bytes(const ThresholdValue& value, Bytes capacity) {
  if (value.quantity) {
    return value.quantity->bytes;
  }
  const double bytes =
      static_cast<double>(capacity.value()) * static_cast<double>(value.percentage.value_or(0));
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  // 2^63, the first double above an int64. What Go makes of it, of NaN and of infinity is its
  // machine's affair; amd64 gives the lowest number.
  constexpr double kLimit = 9223372036854775808.0;
  return bytes >= -kLimit && bytes < kLimit ? Bytes{static_cast<std::int64_t>(bytes)}
                                            : Bytes{kLowest};
}

ParsedThresholds parse_thresholds(const KubeletSettings& settings, const KubeletVersion& version) {
  return Parser{settings, version}.parse();
}

}  // namespace eviction::config
