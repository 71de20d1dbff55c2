// SPDX-License-Identifier: Apache-2.0
#include "cgroup/hugepages.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "cgroup/key_value.h"
#include "cgroup/memory.h"

namespace eviction::cgroup {
namespace {

/// "hugepages-2048kB" -> 2 MiB.
std::optional<Bytes> page_size_of(std::string_view name) {
  constexpr std::string_view kPrefix = "hugepages-";
  constexpr std::string_view kSuffix = "kB";
  constexpr std::int64_t kKibibyte = 1024;
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  const auto size = parse_digits(name, std::numeric_limits<std::int64_t>::max() / kKibibyte);
  return size ? std::optional{Bytes{static_cast<std::int64_t>(*size) * kKibibyte}} : std::nullopt;
}

struct PoolFile {
  std::string_view name;
  std::int64_t HugepagePool::*pages;
};

constexpr std::array kPoolFiles{PoolFile{"nr_hugepages", &HugepagePool::total},
                                PoolFile{"free_hugepages", &HugepagePool::free},
                                PoolFile{"resv_hugepages", &HugepagePool::reserved}};

Result<HugepagePool> read_pool(const Directory& pools,
                               const std::string& name,
                               Bytes page_size,
                               Buffer& buffer) {
  HugepagePool pool{.page_size = page_size};
  for (const PoolFile& file : kPoolFiles) {
    const auto pages = read_number(pools, name + '/' + std::string{file.name}, buffer);
    if (!pages) {
      return tl::make_unexpected(pages.error());
    }
    pool.*file.pages = *pages;
  }
  return pool;
}

}  // namespace

Result<std::vector<HugepagePool>> read_hugepages(const Directory& sys, Buffer& buffer) {
  const Result<Directory> folder = sys.open_below("kernel/mm/hugepages");
  if (!folder) {
    if (folder.error().kind == ErrorKind::kAbsent) {
      return std::vector<HugepagePool>{};
    }
    return tl::make_unexpected(folder.error());
  }
  const auto names = folder->list_directories();
  if (!names) {
    return tl::make_unexpected(names.error());
  }
  std::vector<HugepagePool> pools;
  for (const std::string& name : *names) {
    const std::optional<Bytes> page_size = page_size_of(name);
    if (!page_size) {
      continue;
    }
    const Result<HugepagePool> pool = read_pool(*folder, name, *page_size, buffer);
    if (!pool) {
      return tl::make_unexpected(pool.error());
    }
    pools.push_back(*pool);
  }
  std::sort(pools.begin(), pools.end(), [](const HugepagePool& left, const HugepagePool& right) {
    return left.page_size < right.page_size;
  });
  return pools;
}

Bytes total_size(const std::vector<HugepagePool>& pools) {
  Bytes sum;
  for (const HugepagePool& pool : pools) {
    sum += pool.size();
  }
  return sum;
}

}  // namespace eviction::cgroup
