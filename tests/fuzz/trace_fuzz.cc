// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/simulate/node.h"
#include "agent/simulate/scenario.h"

// A trace that is taken makes a node that can be stepped, and pods that hold no less than nothing.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent::simulate;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto scenario = from_trace(text, "trace", 0, 1);
  if (!scenario) {
    return 0;
  }
  ModelNode node{scenario->node, scenario->pods, scenario->seed};
  for (int second = 1; second <= 60; ++second) {
    node.step(second, 1);
  }
  for (const ModelPod& pod : node.pods()) {
    if (!(pod.mib() >= 0)) {
      std::abort();
    }
  }
  if (!(scenario->seconds > 0) || !(node.memory().mem_available >= 0)) {
    std::abort();
  }
  return 0;
}
