// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/go_parse.h"
#include "config/quantity.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

// Quantities and the numbers and durations beside them: what is read has a sign that fits, a
// leading zero changes nothing, and what is rendered reads back.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction;  // NOLINT(google-build-using-namespace): a program of one function
  const std::string text{reinterpret_cast<const char*>(data), size};
  if (const Result<config::Quantity> quantity = config::parse_quantity(text)) {
    require(quantity->sign != 0 || quantity->bytes == Bytes{});
    const Result<config::Quantity> again =
        config::parse_quantity(config::render_quantity(quantity->bytes));
    require(again.has_value());
    require(again->bytes == quantity->bytes || quantity->bytes.value() == INT64_MIN);
    if (text.front() >= '0' && text.front() <= '9') {
      const Result<config::Quantity> padded = config::parse_quantity("0" + text);
      require(padded.has_value() && padded->bytes == quantity->bytes);
    }
  }
  if (const std::optional<float> number = config::parse_go_float32(text)) {
    require(!text.empty() && (std::isnan(*number) || !std::isnan(*number / 100.0F)));
  }
  if (const auto duration = config::parse_go_duration(text)) {
    require(text.front() == '-' || duration->count() >= 0);
  }
  static_cast<void>(config::parse_go_int(text));
  return 0;
}
