// SPDX-License-Identifier: Apache-2.0
//
// What looking at a node costs. Every figure that is compared with another is measured in the same
// run, in turn, in CPU time of this process.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "agent/metrics.h"
#include "agent/observation.h"
#include "agent/plan.h"
#include "cgroup/hierarchy.h"
#include "cgroup/kubepods.h"
#include "cgroup/meminfo.h"
#include "cgroup/memory.h"
#include "cgroup/pressure.h"
#include "cgroup/vmstat.h"
#include "cgroup/zoneinfo.h"
#include "tests/bench/walk_node.h"
#include "tests/support/source_tree.h"

namespace eviction::bench {
namespace {

constexpr int kPairs = 10;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <class Work>
double cpu_of(const Work& work) {
  const double before = cpu_seconds();
  work();
  return cpu_seconds() - before;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

/// The floor under any walk: open, read and close each file once, and look at nothing.
void minimal_loop(const std::vector<std::string>& files) {
  static std::array<char, 65'536> buffer;
  for (const std::string& file : files) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      benchmark::DoNotOptimize(read(fd, buffer.data(), buffer.size()));
      close(fd);
    }
  }
}

/// The same files, read and understood.
void full_walk(const agent::Host& host, cgroup::Buffer& buffer) {
  benchmark::DoNotOptimize(cgroup::read_meminfo(*host.proc, buffer));
  benchmark::DoNotOptimize(cgroup::read_vmstat(*host.proc, buffer));
  benchmark::DoNotOptimize(cgroup::read_zoneinfo(*host.proc, buffer));
  benchmark::DoNotOptimize(cgroup::read_pressure(*host.proc, "pressure/memory", buffer));
  const auto hierarchy = cgroup::open_hierarchy(*host.sys);
  benchmark::DoNotOptimize(cgroup::read_memory_stat(hierarchy->root, buffer));
  const auto path = cgroup::find_kubepods(*hierarchy);
  benchmark::DoNotOptimize(cgroup::read_kubepods(*hierarchy, *path, buffer));
}

agent::Host host_of(const std::string& root) {
  return agent::open_host(root + "/proc", root + "/sys", root);
}

/// One full walk against the minimal loop: at most 1.3 times its CPU.
void walk_against_minimal_loop(benchmark::State& state) {
  const WalkNode node{static_cast<int>(state.range(0))};
  const std::vector<std::string> files = node.files();
  const agent::Host host = host_of(node.root().string());
  cgroup::Buffer buffer;
  std::vector<double> ratios;
  std::vector<double> walks;
  minimal_loop(files);
  full_walk(host, buffer);
  while (state.KeepRunning()) {
    const double minimal = cpu_of([&] { minimal_loop(files); });
    walks.push_back(cpu_of([&] { full_walk(host, buffer); }));
    ratios.push_back(walks.back() / minimal);
    state.SetIterationTime(walks.back());
  }
  state.counters["files"] = static_cast<double>(files.size());
  state.counters["walk_ms"] = median(walks) * 1e3;
  state.counters["ratio"] = median(ratios);
}

BENCHMARK(walk_against_minimal_loop)->Arg(250)->Arg(1000)->Iterations(kPairs)->UseManualTime();

/// 1,000 pods against 250: at most 4.6 times the CPU.
void walk_by_size(benchmark::State& state) {
  const WalkNode small{250};
  const WalkNode large{1000};
  const agent::Host small_host = host_of(small.root().string());
  const agent::Host large_host = host_of(large.root().string());
  cgroup::Buffer buffer;
  std::vector<double> ratios;
  while (state.KeepRunning()) {
    const double one = cpu_of([&] { full_walk(small_host, buffer); });
    const double four = cpu_of([&] { full_walk(large_host, buffer); });
    ratios.push_back(four / one);
    state.SetIterationTime(four);
  }
  state.counters["ratio"] = median(ratios);
}

BENCHMARK(walk_by_size)->Iterations(kPairs)->UseManualTime();

/// What is read between two walks: under 100 us.
void cheap_tick(benchmark::State& state) {
  const WalkNode node{250};
  const agent::Host host = host_of(node.root().string());
  const auto hierarchy = cgroup::open_hierarchy(*host.sys);
  const auto kubepods = hierarchy->root.open_below(cgroup::find_kubepods(*hierarchy).value());
  cgroup::Buffer buffer;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(cgroup::read_meminfo(*host.proc, buffer));
    benchmark::DoNotOptimize(cgroup::read_number(*kubepods, hierarchy->files().current, buffer));
  }
}

BENCHMARK(cheap_tick)->Unit(benchmark::kMicrosecond);

/// What a scrape costs once a walk, when it has to be rendered: under 1 ms and 64 KiB at 250 pods,
/// under 4 ms at 1,000.
void render(benchmark::State& state) {
  const WalkNode node{static_cast<int>(state.range(0))};
  const agent::Host host = host_of(node.root().string());
  cgroup::Buffer buffer;
  const agent::Plan plan = agent::make_plan(agent::observe(host, {}, buffer), {});
  std::size_t size = 0;
  while (state.KeepRunning()) {
    size = agent::render_metrics(plan, {}, 10).size();
  }
  state.counters["bytes"] = static_cast<double>(size);
}

BENCHMARK(render)->Arg(250)->Arg(1000)->Unit(benchmark::kMicrosecond);

/// A whole observation and plan, 10,000 times: the heap must not grow.
void heap_growth(benchmark::State& state) {
  constexpr int kObservations = 10'000;
  const agent::Host host = host_of(std::string{tests::kFixtures} + "/kubelet-1.36-dropin-pods");
  cgroup::Buffer buffer;
  const auto look = [&] { return agent::make_plan(agent::observe(host, {}, buffer), {}); };
  for (int i = 0; i < 100; ++i) {
    benchmark::DoNotOptimize(look());
  }
  double grown = 0;
  while (state.KeepRunning()) {
    const std::size_t before = mallinfo2().uordblks;
    for (int i = 0; i < kObservations; ++i) {
      benchmark::DoNotOptimize(look());
    }
    grown = static_cast<double>(mallinfo2().uordblks) - static_cast<double>(before);
  }
  state.counters["grown_bytes"] = grown;
}

BENCHMARK(heap_growth)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace eviction::bench

BENCHMARK_MAIN();
