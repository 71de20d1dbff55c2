// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cgroup/meminfo.h"

namespace {

using eviction::Bytes;

std::string line(const char* key, Bytes amount) {
  return std::string{key} + ": " + std::to_string(amount.value() / 1024) + " kB\n";
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = eviction::cgroup::parse_meminfo({reinterpret_cast<const char*>(data), size});
  if (!info) {
    return 0;
  }
  if (info->mem_total <= Bytes{} || info->mem_free < Bytes{} || info->mem_free > info->mem_total) {
    std::abort();
  }
  std::string text = line("MemTotal", info->mem_total) + line("MemFree", info->mem_free);
  if (info->active_file) {
    text += line("Active(file)", *info->active_file);
  }
  if (info->kreclaimable) {
    text += line("KReclaimable", *info->kreclaimable);
  }
  const auto again = eviction::cgroup::parse_meminfo(text);
  if (!again || again->mem_total != info->mem_total || again->mem_free != info->mem_free ||
      again->active_file != info->active_file || again->kreclaimable != info->kreclaimable) {
    std::abort();
  }
  return 0;
}
