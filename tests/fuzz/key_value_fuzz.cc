// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cgroup/key_value.h"

namespace {

using eviction::Bytes;
using eviction::cgroup::KeyFormat;
using eviction::cgroup::Lines;
using eviction::cgroup::Wanted;

/// The number of lines, which together are the text.
std::size_t check_lines(std::string_view text) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (Lines lines{text}; lines.next();) {
    ++count;
    bytes += lines.line().size() + 1;
    if (lines.number() != count || lines.line().find('\n') != std::string_view::npos) {
      std::abort();
    }
  }
  if (bytes != text.size() && bytes != text.size() + 1) {
    std::abort();
  }
  return count;
}

void check_number(std::string_view text) {
  const auto number = eviction::cgroup::parse_digits(text);
  if (!number) {
    return;
  }
  if (eviction::cgroup::parse_digits(std::to_string(*number)) != number ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    std::abort();
  }
}

void check_values(std::string_view text, KeyFormat format, std::size_t line_count) {
  std::optional<Bytes> first;
  std::optional<Bytes> second;
  const std::array wanted{Wanted<Bytes>{"a", &first}, Wanted<Bytes>{"b", &second}};
  const auto parsed = eviction::cgroup::parse_key_values<Bytes>(text, format, wanted);
  if (!parsed && parsed.error().line > line_count) {
    std::abort();
  }
  if (first.value_or(Bytes{}) < Bytes{} || second.value_or(Bytes{}) < Bytes{}) {
    std::abort();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::size_t line_count = check_lines(text);
  check_number(text);
  check_values(text, KeyFormat::kPlain, line_count);
  check_values(text, KeyFormat::kKibibytes, line_count);
  return 0;
}
