// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/growth_file.h"

// What is read reads back from its own text, and a history begun from it answers.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto checkpoint = parse_growth(text, "growth.json");
  if (!checkpoint) {
    return 0;
  }
  const auto again = parse_growth(render_growth(*checkpoint), "growth.json");
  if (!again || *again != *checkpoint) {
    std::abort();
  }
  GrowthHistory history;
  history.restore(*checkpoint);
  for (int second = 0; second < 60; second += 10) {
    const eviction::Bytes left = eviction::scale(checkpoint->capacity, 60 - second, 60);
    history.see_node(std::chrono::seconds{second}, checkpoint->capacity, left);
    history.see_left(std::chrono::seconds{second}, left, checkpoint->capacity);
  }
  const auto learned = history.learned(checkpoint->capacity, 0.5, 10, checkpoint->capacity);
  if (learned && !(learned->weight >= 0 && learned->weight <= 1)) {
    std::abort();
  }
  return 0;
}
