// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics/families.h"

#include <algorithm>
#include <string>
#include <utility>

#include "agent/metrics.h"

namespace eviction::agent::metrics {

namespace {

std::string clean(std::string_view value) {
  constexpr std::size_t kLongest = 253;
  std::string text{value.substr(0, kLongest)};
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

void Families::begin(prometheus::MetricType type, std::string_view name, std::string_view help) {
  families_.push_back({.name = kMetricPrefix + std::string{name},
                       .help = std::string{help},
                       .type = type,
                       .metric = {}});
}

void Families::gauge(std::string_view name, std::string_view help) {
  begin(prometheus::MetricType::Gauge, name, help);
}

void Families::counter(std::string_view name, std::string_view help) {
  begin(prometheus::MetricType::Counter, name, help);
}

void Families::summary(std::string_view name, std::string_view help) {
  begin(prometheus::MetricType::Summary, name, help);
}

prometheus::ClientMetric& Families::sample(Labels labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  metric.label.reserve(labels.size());
  for (const Label& label : labels) {
    metric.label.push_back({std::string{label.name}, clean(label.value)});
  }
  return metric;
}

void Families::add(double value, Labels labels) {
  prometheus::ClientMetric& metric = sample(labels);
  metric.gauge.value = value;
  metric.counter.value = value;
}

void Families::add(std::uint64_t value, Labels labels) {
  add(static_cast<double>(value), labels);
}

void Families::add(bool value, Labels labels) {
  add(value ? 1.0 : 0.0, labels);
}

void Families::add(Bytes value, Labels labels) {
  add(static_cast<double>(value.value()), labels);
}

void Families::add_summary(std::uint64_t count, double sum, Labels labels) {
  prometheus::ClientMetric& metric = sample(labels);
  metric.summary.sample_count = count;
  metric.summary.sample_sum = sum;
}

std::vector<prometheus::MetricFamily> Families::take() && {
  std::erase_if(families_,
                [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return std::move(families_);
}

}  // namespace eviction::agent::metrics
