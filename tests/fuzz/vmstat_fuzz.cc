// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cgroup/vmstat.h"

namespace {

std::string line(const char* key, const std::optional<std::uint64_t>& count) {
  return count ? std::string{key} + ' ' + std::to_string(*count) + '\n' : std::string{};
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto stat = eviction::cgroup::parse_vmstat({reinterpret_cast<const char*>(data), size});
  if (!stat) {
    return 0;
  }
  const std::string text = "other 0\n" + line("oom_kill", stat->oom_kill) +
                           line("allocstall_normal", stat->allocstall) +
                           line("workingset_refault_file", stat->workingset_refault_file) +
                           line("pgscan_direct", stat->pgscan_direct);
  const auto again = eviction::cgroup::parse_vmstat(text);
  if (!again || again->oom_kill != stat->oom_kill || again->allocstall != stat->allocstall ||
      again->workingset_refault_file != stat->workingset_refault_file ||
      again->pgscan_direct != stat->pgscan_direct) {
    std::abort();
  }
  return 0;
}
