// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cgroup/oom_kill.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line{reinterpret_cast<const char*>(data), size};
  if (const auto usage = eviction::cgroup::parse_memcg_usage(line)) {
    const bool negative = usage->usage.value() < 0 || (usage->limit && usage->limit->value() < 0);
    if (negative) {
      std::abort();
    }
  }
  const auto kill = eviction::cgroup::parse_oom_kill(line);
  if (!kill) {
    return 0;
  }
  const bool limited = kill->constraint == eviction::cgroup::OomConstraint::kMemcg;
  if (kill->pid < 0 || kill->task.size() > 15 || (limited && kill->oom_memcg.empty()) ||
      (!kill->oom_memcg.empty() && kill->oom_memcg.front() != '/') ||
      (!kill->task_memcg.empty() && kill->task_memcg.front() != '/')) {
    std::abort();
  }
  return 0;
}
