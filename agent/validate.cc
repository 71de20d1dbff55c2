// SPDX-License-Identifier: Apache-2.0
#include "agent/validate.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/json_fields.h"
#include "agent/page.h"

namespace eviction::agent {

namespace {

using nlohmann::ordered_json;

bool is_memory(const std::string& signal) {
  return signal == config::kMemoryAvailable || signal == config::kAllocatableMemoryAvailable;
}

/// The shortest decimal number of percent that the kubelet reads as this very fraction: it divides
/// by 100 in 32 bits, so 100 times the fraction is not always what was written.
double percent(float fraction) {
  double shortest = 0;
  for (int digits = 1; digits <= 9; ++digits) {
    const std::string text = fmt::format("{:.{}g}", static_cast<double>(fraction) * 100.0, digits);
    shortest = std::strtod(text.c_str(), nullptr);
    if (static_cast<float>(shortest) / 100.0F == fraction) {
      break;
    }
  }
  return shortest;
}

void put_percent(ordered_json& object, const std::string& key, float fraction) {
  const double number = percent(fraction);
  if (std::isnan(number)) {
    put_absent(object, key, "the percentage is not a number");
  } else if (number == std::trunc(number) && number < 1e15) {
    object[key] = static_cast<std::int64_t>(number);
  } else {
    object[key] = number;
  }
}

ordered_json seconds(std::chrono::nanoseconds grace) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(grace);
  if (whole == grace) {
    return whole.count();
  }
  return std::chrono::duration<double>(grace).count();
}

ordered_json threshold_json(const config::Threshold& threshold, Bytes capacity) {
  ordered_json object;
  object["signal"] = threshold.signal;
  object["kind"] = threshold.soft ? "soft" : "hard";
  put(object, "bytes", amount(threshold.signal, threshold.value, capacity));
  if (threshold.value.percentage) {
    put_percent(object, "percent", *threshold.value.percentage);
  }
  object["grace_seconds"] = seconds(threshold.grace);
  if (!threshold.min_reclaim) {
    put_absent(object, "min_reclaim_bytes", "no evictionMinimumReclaim for this signal");
  } else {
    put(object, "min_reclaim_bytes", amount(threshold.signal, *threshold.min_reclaim, capacity));
    if (threshold.min_reclaim->percentage) {
      put_percent(object, "min_reclaim_percent", *threshold.min_reclaim->percentage);
    }
  }
  object["source"] = threshold.source;
  return object;
}

/// "512 MiB", "5%", "5% = 512 MiB".
std::string value_text(const std::string& signal,
                       const config::ThresholdValue& value,
                       Bytes capacity) {
  const Result<Bytes> bytes = amount(signal, value, capacity);
  std::string text;
  if (value.percentage) {
    text = fmt::format("{}%{}", percent(*value.percentage), bytes ? " = " : "");
  }
  if (bytes) {
    text += is_memory(signal) ? to_human(*bytes) : std::to_string(bytes->value());
  }
  return text;
}

std::string threshold_line(const config::Threshold& threshold, Bytes capacity) {
  std::string text = "below " + value_text(threshold.signal, threshold.value, capacity);
  if (threshold.soft) {
    text += fmt::format(" for {} s", std::chrono::duration<double>(threshold.grace).count());
  }
  if (threshold.min_reclaim) {
    text += ", reclaim " + value_text(threshold.signal, *threshold.min_reclaim, capacity);
  }
  return paragraph(
      fmt::format("{:<4} {:<28} ", threshold.soft ? "soft" : "hard", cut(threshold.signal, 28)),
      text + " (" + threshold.source + ')');
}

}  // namespace

Verdict validate(const config::KubeletInvocation& invocation,
                 const cgroup::Directory& root,
                 Bytes capacity) {
  return judge(config::load_kubelet_settings(invocation, root), invocation.version, capacity);
}

Verdict judge(const config::LoadedSettings& loaded,
              const config::KubeletVersion& version,
              std::optional<Bytes> capacity) {
  const config::ParsedThresholds parsed = config::parse_thresholds(loaded.settings, version);
  Verdict verdict;
  verdict.capacity = capacity.value_or(Bytes{});
  verdict.warnings = loaded.warnings;
  verdict.errors = loaded.errors;
  verdict.errors.insert(verdict.errors.end(), parsed.errors.begin(), parsed.errors.end());
  if (verdict.accepted() && capacity) {
    verdict.errors = config::check_node_allocatable(loaded.settings, parsed, *capacity);
  }
  if (verdict.accepted()) {
    verdict.thresholds = parsed.thresholds;
  }
  return verdict;
}

Result<Bytes> amount(const std::string& signal,
                     const config::ThresholdValue& value,
                     std::optional<Bytes> capacity) {
  const auto absent = [](const char* reason) {
    return tl::unexpected{Error{.kind = ErrorKind::kAbsent, .path = {}, .line = 0, .what = reason}};
  };
  if (!value.percentage) {
    return config::threshold_bytes(value, Bytes{});
  }
  if (std::isnan(*value.percentage)) {
    return absent("the percentage is not a number: what the kubelet makes of it is undefined");
  }
  if (!is_memory(signal)) {
    return absent("a percentage of a size that is not known here");
  }
  if (!capacity) {
    return absent("a percentage, and the node's memory is not known");
  }
  return config::threshold_bytes(value, *capacity);
}

ordered_json to_json(const Verdict& verdict) {
  ordered_json document;
  document["accepted"] = verdict.accepted();
  document["capacity_bytes"] = verdict.capacity.value();
  document["errors"] = verdict.errors;
  document["warnings"] = verdict.warnings;
  ordered_json thresholds = ordered_json::array();
  for (const config::Threshold& threshold : verdict.thresholds) {
    thresholds.push_back(threshold_json(threshold, verdict.capacity));
  }
  document["thresholds"] = std::move(thresholds);
  return document;
}

std::string to_table(const Verdict& verdict, bool colour) {
  std::string page = verdict.accepted() ? styled("accepted", Style::kGood, colour) +
                                              " on a node of " + to_human(verdict.capacity) + '\n'
                                        : styled("refused", Style::kBad, colour) +
                                              ": this kubelet would not start\n";
  for (const std::string& error : verdict.errors) {
    page += paragraph(styled("error   ", Style::kBad, colour), error);
  }
  for (const std::string& warning : verdict.warnings) {
    page += paragraph(styled("warning ", Style::kDoubtful, colour), warning);
  }
  for (const config::Threshold& threshold : verdict.thresholds) {
    page += threshold_line(threshold, verdict.capacity);
  }
  if (verdict.accepted() && verdict.thresholds.empty()) {
    page += "no threshold is in force: this kubelet evicts nothing\n";
  }
  return page;
}

}  // namespace eviction::agent
