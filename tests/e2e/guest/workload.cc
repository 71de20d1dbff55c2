// SPDX-License-Identifier: Apache-2.0
//
// What runs in the test machine's pods: workload [--memory MIB] [--grow MIB --rate MIB_A_SECOND]
// takes the first amount at once, the second at that rate, and keeps both until SIGTERM. It passes
// over other arguments, so that it can stand for virt-launcher-monitor.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Options {
  unsigned long memory = 0;  ///< MiB
  unsigned long grow = 0;    ///< MiB
  unsigned long rate = 1;    ///< MiB a second
};

Options parse(const std::vector<std::string_view>& arguments) {
  Options options;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    const unsigned long value = std::strtoul(arguments[i + 1].data(), nullptr, 10);
    if (arguments[i] == "--memory") {
      options.memory = value;
    } else if (arguments[i] == "--grow") {
      options.grow = value;
    } else if (arguments[i] == "--rate" && value != 0) {
      options.rate = value;
    }
  }
  return options;
}

extern "C" void end(int /*signal*/) {
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t kWordsInMiB = (std::size_t{1} << 20) / sizeof(std::uint64_t);
  if (std::signal(SIGTERM, end) == SIG_ERR) {
    return 1;
  }
  const Options options = parse({argv, argv + argc});
  std::vector<std::vector<std::uint64_t>> blocks{options.memory,
                                                 std::vector<std::uint64_t>(kWordsInMiB, 1)};
  const auto start = std::chrono::steady_clock::now();
  for (unsigned long mib = 1; mib <= options.grow; ++mib) {
    blocks.emplace_back(kWordsInMiB, mib);
    std::this_thread::sleep_until(start + std::chrono::milliseconds{1000 * mib / options.rate});
  }
  for (;;) {
    pause();
  }
}
