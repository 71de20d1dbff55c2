// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cgroup/memory.h"

namespace {

using eviction::Bytes;

std::string line(const char* key, const std::optional<Bytes>& amount) {
  if (amount && *amount < Bytes{}) {
    std::abort();
  }
  return amount ? std::string{key} + ' ' + std::to_string(amount->value()) + '\n' : std::string{};
}

void check_stat(std::string_view text) {
  const auto stat = eviction::cgroup::parse_memory_stat(text);
  if (!stat) {
    return;
  }
  const auto again = eviction::cgroup::parse_memory_stat(
      "other 0\n" + line("anon", stat->anon) + line("file", stat->file) +
      line("inactive_file", stat->inactive_file) + line("shmem", stat->shmem));
  if (!again || again->anon != stat->anon || again->file != stat->file ||
      again->inactive_file != stat->inactive_file || again->shmem != stat->shmem) {
    std::abort();
  }
}

void check_events(std::string_view text) {
  const auto events = eviction::cgroup::parse_memory_events(text);
  if (!events || !events->oom) {
    return;
  }
  const auto again =
      eviction::cgroup::parse_memory_events("oom " + std::to_string(*events->oom) + '\n');
  if (!again || again->oom != events->oom) {
    std::abort();
  }
}

void check_limit(std::string_view text) {
  const auto limit = eviction::cgroup::parse_memory_limit(text);
  if (!limit) {
    return;
  }
  const auto again = eviction::cgroup::parse_memory_limit(
      limit->bytes ? std::to_string(limit->bytes->value()) : "max");
  if (!again || again->bytes != limit->bytes || limit->bytes.value_or(Bytes{}) < Bytes{}) {
    std::abort();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check_stat(text);
  check_events(text);
  check_limit(text);
  return 0;
}
