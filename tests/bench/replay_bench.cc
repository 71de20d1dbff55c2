// SPDX-License-Identifier: Apache-2.0
// What learning and recording add to a look and to a walk, and how long the replay of a day takes:
// a cheap look a second, a full one every ten.
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "agent/history.h"
#include "agent/recording/recording.h"
#include "agent/replay.h"
#include "tests/support/named_nodes.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

const Observation& observed() {
  static const Observation seen = [] {
    const tests::TemporaryTree tree;
    tests::write(tests::named_node("mixed-128g"), tree.path());
    cgroup::Buffer buffer;
    return observe(
        open_host(tree.path("proc"), tree.path("sys"), tree.path()), config::AgentConfig{}, buffer);
  }();
  return seen;
}

/// Memory that moves as a node's does.
Bytes available_at(int second) {
  return 40_GiB - scale(64_MiB, second * 7919 % 97, 97) - scale(8_GiB, second % 3600, 3600);
}

Moment moment_at(int second, const Observation* seen = nullptr) {
  return {.at = std::chrono::sys_seconds{std::chrono::seconds{1'800'000'000 + second}},
          .since_boot = std::chrono::seconds{90'000 + second},
          .mem_total = observed().meminfo->mem_total,
          .mem_available = available_at(second),
          .seen = seen};
}

/// The observation of a second, in which each pod has moved.
Observation moved(int second) {
  Observation seen = observed();
  seen.meminfo->mem_available = available_at(second);
  for (Pod& pod : seen.pods) {
    pod.usage = pod.usage.value_or(Bytes{}) + Bytes{std::int64_t{second % 1000} << 12};
  }
  return seen;
}

void look(benchmark::State& state) {
  NodeHistory history;
  int second = 0;
  for (auto _ : state) {
    const Moment moment = moment_at(++second);
    history.look(moment.since_boot, moment.mem_total, moment.mem_available);
  }
}

void record_look(benchmark::State& state) {
  RecordingWriter writer;
  static_cast<void>(writer.begin(true));
  int second = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(writer.add(moment_at(++second)));
  }
}

void record_walk(benchmark::State& state) {
  RecordingWriter writer;
  static_cast<void>(writer.begin(true));
  const Observation even = moved(0);
  const Observation odd = moved(1);
  int second = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    ++second;
    bytes += writer.add(moment_at(second, second % 2 == 0 ? &even : &odd)).size();
  }
  state.counters["bytes"] =
      benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kAvgIterations);
}

void replay_day(benchmark::State& state) {
  RecordingWriter writer;
  std::string text = writer.begin(true);
  for (int second = 0; second < 86400; ++second) {
    if (second % 10 == 0) {
      const Observation seen = moved(second);
      text += writer.add(moment_at(second, &seen));
    } else {
      text += writer.add(moment_at(second));
    }
  }
  const config::AgentConfig config;
  for (auto _ : state) {
    ReplayRun run{config};
    const auto read = read_recording(text, [&run](const Moment& moment) { run.take(moment); });
    benchmark::DoNotOptimize(read);
  }
  state.counters["bytes"] = static_cast<double>(text.size());
  state.counters["pods"] = static_cast<double>(observed().pods.size());
}

BENCHMARK(look);
BENCHMARK(record_look);
BENCHMARK(record_walk);
BENCHMARK(replay_day)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace eviction::agent

BENCHMARK_MAIN();
