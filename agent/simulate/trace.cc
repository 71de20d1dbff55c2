// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "agent/csv_lines.h"
#include "agent/simulate/course.h"
#include "agent/simulate/scenario.h"
#include "cgroup/key_value.h"

namespace eviction::agent::simulate {

namespace {

constexpr double kHighestUse = 0.92;
constexpr double kLeastCapacity = 1024;
constexpr double kMostMib = 1e9;

struct Columns {
  std::size_t time = 0;
  std::size_t pod = 0;
  std::size_t mib = 0;
};

Error malformed(std::size_t line, std::string what) {
  return {ErrorKind::kMalformed, {}, line, std::move(what), "see eviction-agent(8), TRACES"};
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && std::isfinite(value) ? std::optional{value} : std::nullopt;
}

std::optional<double> time_of(std::string_view text) {
  if (const auto at = parse_csv_time(text)) {
    return static_cast<double>(at->time_since_epoch().count());
  }
  return number(text);
}

std::optional<Columns> find_columns(const std::vector<std::string_view>& header) {
  const auto find = [&header](std::string_view one, std::string_view other) {
    const auto found = std::ranges::find_if(
        header, [&](std::string_view name) { return name == one || name == other; });
    return static_cast<std::size_t>(found - header.begin());
  };
  const Columns columns{find("t_s", "time"), find("pod", "pod"), find("pod_mem_mib", "mib")};
  const bool all = std::max({columns.time, columns.pod, columns.mib}) < header.size();
  return all ? std::optional{columns} : std::nullopt;
}

struct Trace {
  std::size_t most_samples = 0;
  std::vector<PodSample> samples;
  std::vector<PodSpec> pods;
};

PodSpec pod_named(std::string_view name) {
  const bool vm = name.starts_with("virt-launcher-");
  return {.name = std::string{name},
          .workload = vm ? WorkloadClass::kVm : WorkloadClass::kContainer};
}

std::optional<Error> add_line(Trace& all,
                              std::map<std::string, std::size_t, std::less<>>& index,
                              const Columns& columns,
                              const CsvLines& lines) {
  const std::vector<std::string_view>& fields = lines.cells();
  if (fields.size() <= std::max({columns.time, columns.pod, columns.mib})) {
    return malformed(lines.number(), "a column is missing");
  }
  const std::string_view time = fields[columns.time];
  const std::optional<double> at = time_of(time);
  const std::optional<double> mib = number(fields[columns.mib]);
  if (!at || std::abs(*at) > 1e12) {
    return malformed(lines.number(), cgroup::quote(time) + " is no time");
  }
  if (!mib || *mib < 0 || *mib > kMostMib) {
    return malformed(lines.number(), cgroup::quote(fields[columns.mib]) + " is no amount of MiB");
  }
  if (all.samples.size() >= all.most_samples) {
    return Error{ErrorKind::kTooLarge,
                 {},
                 lines.number(),
                 fmt::format("there are more than {} samples", all.most_samples),
                 "give a shorter part of it, or fewer samples of each pod"};
  }
  const std::string_view pod = fields[columns.pod];
  auto found = index.find(pod);
  if (found == index.end()) {
    found = index.emplace(std::string{pod}, all.pods.size()).first;
    all.pods.push_back(pod_named(pod));
  }
  all.samples.push_back({*at, found->second, *mib});
  return std::nullopt;
}

Result<Trace> parse(std::string_view text, std::size_t most_samples) {
  Trace all;
  all.most_samples = most_samples;
  std::map<std::string, std::size_t, std::less<>> index;
  std::optional<Columns> columns;
  for (CsvLines lines{text}; lines.next();) {
    if (!columns) {
      columns = find_columns(lines.cells());
      if (!columns) {
        return tl::unexpected{malformed(
            lines.number(), "it does not name the columns t_s or time, pod, pod_mem_mib or mib")};
      }
    } else if (auto error = add_line(all, index, *columns, lines)) {
      return tl::unexpected{std::move(*error)};
    }
  }
  if (all.samples.empty()) {
    return tl::unexpected{malformed(0, "the trace has no samples")};
  }
  return all;
}

/// The most that all pods hold at one time. At each time what falls is taken first, so that no sum
/// is of two times.
double highest_sum(const std::vector<PodSpec>& pods) {
  std::vector<std::pair<double, double>> rises;
  for (const PodSpec& pod : pods) {
    double before = 0;
    for (const Point& point : *pod.points) {
      rises.emplace_back(point.at, point.mib - before);
      before = point.mib;
    }
  }
  std::ranges::sort(rises);
  double sum = 0;
  double highest = 0;
  for (const auto& [at, rise] : rises) {
    sum += rise;
    highest = std::max(highest, sum);
  }
  return highest;
}

/// Of which these pods, the system and the kernel take 92 %.
double fitting_capacity(double pods) {
  double capacity = kLeastCapacity;
  for (int i = 0; i < 8; ++i) {
    const NodeSpec node = node_of(capacity);
    const double used = pods + node.system + node.kernel + node.reserve;
    capacity = std::max(used / kHighestUse, kLeastCapacity);
  }
  return capacity;
}

}  // namespace

Result<Scenario> from_trace(std::string_view text,
                            const std::string& name,
                            double capacity_mib,
                            std::uint64_t seed,
                            std::size_t most_samples) {
  Result<Trace> all = parse(text, most_samples);
  if (!all) {
    return tl::unexpected{all.error()};
  }
  join_times(all->samples);
  Scenario scenario;
  scenario.name = name;
  scenario.seed = seed;
  scenario.seconds = std::max(all->samples.back().at, 60.0);
  scenario.pods = std::move(all->pods);
  follow(scenario.pods, all->samples);
  scenario.node =
      node_of(capacity_mib > 0 ? capacity_mib : fitting_capacity(highest_sum(scenario.pods)));
  for (PodSpec& pod : scenario.pods) {
    std::vector<double> held;
    for (const Point& point : *pod.points) {
      if (!point.away) {
        held.push_back(point.mib);
      }
    }
    pod.request = middle(std::move(held));
  }
  return scenario;
}

}  // namespace eviction::agent::simulate
