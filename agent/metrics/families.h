// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include "cgroup/bytes.h"

namespace eviction::agent::metrics {

struct Label {
  std::string_view name;
  std::string_view value;
};

using Labels = std::initializer_list<Label>;

/// Metric families in the order in which they are begun. Values of labels are cut to printable
/// ASCII of at most 253 characters, the length of a Kubernetes name: a byte that is no UTF-8 would
/// make Prometheus refuse the whole scrape.
class Families {
 public:
  /// What is added from here on belongs to this family. name: without the prefix.
  void gauge(std::string_view name, std::string_view help);
  void counter(std::string_view name, std::string_view help);
  void summary(std::string_view name, std::string_view help);

  void add(double value, Labels labels = {});
  void add(std::uint64_t value, Labels labels = {});
  void add(bool value, Labels labels = {});
  void add(Bytes value, Labels labels = {});

  /// Nothing, when the value is absent.
  template <class T>
  void add(const std::optional<T>& value, Labels labels = {}) {
    if (value) {
      add(*value, labels);
    }
  }

  void add_summary(std::uint64_t count, double sum, Labels labels);

  /// Without the families that have no sample.
  [[nodiscard]] std::vector<prometheus::MetricFamily> take() &&;

 private:
  void begin(prometheus::MetricType type, std::string_view name, std::string_view help);
  prometheus::ClientMetric& sample(Labels labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace eviction::agent::metrics
