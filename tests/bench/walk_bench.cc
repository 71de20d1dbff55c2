// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "tests/bench/walk_node.h"

namespace eviction::bench {
namespace {

/// Bytes in the file, or -1.
ssize_t read_once(const std::string& path, char* buffer, std::size_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return -1;
  }
  const ssize_t count = read(fd, buffer, size);
  close(fd);
  return count;
}

// The floor under any walk: open, read and close each file once into one buffer, and look at
// nothing. What a walk takes beyond this is its own.
void minimal_loop(benchmark::State& state) {
  const std::vector<std::string> files = walk_node().files();
  std::array<char, 65'536> buffer{};
  for (auto _ : state) {
    for (const std::string& file : files) {
      if (read_once(file, buffer.data(), buffer.size()) < 0) {
        state.SkipWithError(file.c_str());
        return;
      }
      benchmark::DoNotOptimize(buffer.data());
    }
  }
  state.counters["files"] = static_cast<double>(files.size());
}

BENCHMARK(minimal_loop)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace eviction::bench
