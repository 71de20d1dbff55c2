// SPDX-License-Identifier: Apache-2.0
#include "cgroup/bytes.h"

#include <array>
#include <string_view>

namespace eviction {
namespace {

constexpr std::array<std::string_view, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

/// hundredths/100 with the trailing zeros of the fraction left out: 740 -> "7.4".
std::string decimal(std::uint64_t hundredths) {
  std::string text = std::to_string(hundredths / 100);
  const std::uint64_t fraction = hundredths % 100;
  if (fraction != 0) {
    text += '.';
    text += static_cast<char>('0' + fraction / 10);
    if (fraction % 10 != 0) {
      text += static_cast<char>('0' + fraction % 10);
    }
  }
  return text;
}

/// The decimal place, in hundredths, that leaves three significant digits.
constexpr std::uint64_t last_place(std::uint64_t whole) {
  if (whole < 10) {
    return 1;
  }
  if (whole < 100) {
    return 10;
  }
  return whole < 1000 ? 100 : 1000;
}

}  // namespace

std::string to_human(Bytes amount) {
  const bool negative = amount.value() < 0;
  const auto bits = static_cast<std::uint64_t>(amount.value());
  const std::uint64_t magnitude = negative ? 0 - bits : bits;
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && magnitude >> (10 * (unit + 1)) != 0) {
    ++unit;
  }
  const std::uint64_t whole = magnitude >> (10 * unit);
  const std::uint64_t place = last_place(whole);
  // At most 1024 units, so the product with 200 needs 18 bits above a remainder of at most 60.
  __extension__ using Wide = unsigned __int128;
  const Wide halves = (static_cast<Wide>(magnitude) * 200 / place) >> (10 * unit);
  const auto hundredths = static_cast<std::uint64_t>((halves + 1) / 2) * place;
  return (negative ? "-" : "") + decimal(hundredths) + ' ' + std::string{kUnits[unit]};
}

}  // namespace eviction
