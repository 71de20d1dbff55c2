// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cgroup/kubepods.h"

namespace {

bool is_uid(std::string_view uid) {
  return (uid.size() == 36 || uid.size() == 32) &&
         uid.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::cgroup;  // NOLINT(google-build-using-namespace)
  const std::string_view name{reinterpret_cast<const char*>(data), size};
  if (const auto uid = pod_uid(name)) {
    if (!is_uid(*uid) || pod_uid("pod" + *uid) != uid) {
      std::abort();
    }
    const std::string path = "/kubepods/" + std::string{name} + "/container";
    if (name.find('/') == std::string_view::npos && pod_uid_of_path(path) != uid) {
      std::abort();
    }
  }
  if (const auto uid = pod_uid_of_path(name); uid && !is_uid(*uid)) {
    std::abort();
  }
  if (name.find(container_id(name)) == std::string_view::npos) {
    std::abort();
  }
  return 0;
}
