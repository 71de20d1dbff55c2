// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

namespace eviction {

/// An amount of memory. Signed, because differences (a gap, a shortfall) may be negative and the
/// kubelet's own quantities are int64. Addition and subtraction saturate instead of overflowing.
class Bytes {
 public:
  constexpr Bytes() = default;

  constexpr explicit Bytes(std::int64_t value) : value_{value} {}

  [[nodiscard]] constexpr std::int64_t value() const { return value_; }

  constexpr auto operator<=>(const Bytes&) const = default;

  constexpr Bytes& operator+=(Bytes other) {
    if (__builtin_add_overflow(value_, other.value_, &value_)) {
      value_ = other.value_ > 0 ? std::numeric_limits<std::int64_t>::max()
                                : std::numeric_limits<std::int64_t>::min();
    }
    return *this;
  }

  constexpr Bytes& operator-=(Bytes other) {
    if (__builtin_sub_overflow(value_, other.value_, &value_)) {
      value_ = other.value_ < 0 ? std::numeric_limits<std::int64_t>::max()
                                : std::numeric_limits<std::int64_t>::min();
    }
    return *this;
  }

  friend constexpr Bytes operator+(Bytes left, Bytes right) { return left += right; }

  friend constexpr Bytes operator-(Bytes left, Bytes right) { return left -= right; }

 private:
  std::int64_t value_ = 0;
};

/// numerator/denominator of an amount, rounded towards zero, without intermediate overflow.
[[nodiscard]] constexpr Bytes scale(Bytes amount,
                                    std::int64_t numerator,
                                    std::int64_t denominator) {
  __extension__ using Wide = __int128;
  const Wide product = static_cast<Wide>(amount.value()) * numerator / denominator;
  if (product > std::numeric_limits<std::int64_t>::max()) {
    return Bytes{std::numeric_limits<std::int64_t>::max()};
  }
  if (product < std::numeric_limits<std::int64_t>::min()) {
    return Bytes{std::numeric_limits<std::int64_t>::min()};
  }
  return Bytes{static_cast<std::int64_t>(product)};
}

/// The next multiple of step at or above amount (step > 0).
[[nodiscard]] constexpr Bytes round_up(Bytes amount, Bytes step) {
  const std::int64_t remainder = amount.value() % step.value();
  if (remainder == 0) {
    return amount;
  }
  return amount - Bytes{remainder} + (amount.value() > 0 ? step : Bytes{});
}

/// The next multiple of step at or below amount (step > 0).
[[nodiscard]] constexpr Bytes round_down(Bytes amount, Bytes step) {
  const std::int64_t remainder = amount.value() % step.value();
  if (remainder == 0) {
    return amount;
  }
  return amount - Bytes{remainder} - (amount.value() < 0 ? step : Bytes{});
}

/// For people: "512 MiB", "7.4 GiB", "-223 MiB", "0 B". Three significant digits at most.
[[nodiscard]] std::string to_human(Bytes amount);

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long value) {
  return Bytes{static_cast<std::int64_t>(value)};
}

constexpr Bytes operator""_KiB(unsigned long long value) {
  return Bytes{static_cast<std::int64_t>(value) << 10};
}

constexpr Bytes operator""_MiB(unsigned long long value) {
  return Bytes{static_cast<std::int64_t>(value) << 20};
}

constexpr Bytes operator""_GiB(unsigned long long value) {
  return Bytes{static_cast<std::int64_t>(value) << 30};
}
}  // namespace literals

}  // namespace eviction
