// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>
#include <malloc.h>

#include "agent/pod_list.h"

namespace {

std::size_t held = 0;       // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::size_t most_held = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc{};
  }
  held += ::malloc_usable_size(memory);
  most_held = std::max(most_held, held);
  return memory;
}

void operator delete(void* memory) noexcept {
  held -= ::malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
  operator delete(memory);
}

namespace eviction::agent {
namespace {

/// As the API server shows a pod of many volumes.
std::string pod(int number) {
  std::string text = R"({"metadata": {"uid": "u)" + std::to_string(number) +
                     R"(", "namespace": "n", "name": "p", "managedFields": [)";
  for (int i = 0; i < 100; ++i) {
    text += std::string{i == 0 ? "" : ", "} +
            R"({"f:spec": {"f:containers": {"k:{}": {"f:env": {}}}}})";
  }
  return text + R"(]}, "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running"}})";
}

// The question for it is asked in a child process that has 100 MiB of its container left.
TEST(PodListMemory, IsNotTheTextManyTimesOver) {
  std::string text = R"({"kind": "PodList", "items": [)";
  constexpr int kPods = 1000;
  for (int i = 0; i < kPods; ++i) {
    text += (i == 0 ? "" : ", ") + pod(i);
  }
  text += "]}";
  ASSERT_GT(text.size(), std::size_t{4} << 20);
  most_held = held;
  const std::size_t before = held;
  const auto pods = parse_pod_list(text);
  ASSERT_TRUE(pods) << to_text(pods.error());
  EXPECT_EQ(pods->live.size(), kPods);
  EXPECT_LT(most_held - before, std::size_t{1} << 20);
}

}  // namespace
}  // namespace eviction::agent
