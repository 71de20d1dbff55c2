// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/kubelet_version.h"

// A version that is read has no negative part, and reads back from its text.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction;  // NOLINT(google-build-using-namespace): a program of one function
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto version = config::parse_kubelet_version(text);
  if (!version) {
    return 0;
  }
  const auto again = config::parse_kubelet_version(config::to_text(*version));
  const bool same = again && again->major == version->major && again->minor == version->minor &&
                    again->patch == version->patch && again->suffix == version->suffix;
  if (!same || version->major < 0 || version->minor < 0 || version->patch.value_or(0) < 0) {
    std::abort();
  }
  return 0;
}
