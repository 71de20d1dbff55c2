// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>

namespace eviction::config {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

/// Decimal digits that surely fit an int64 together with the kubelet's other factors; a number with
/// more of them, or finer than a nano, leaves its fast path. Source: apimachinery v1.36
/// pkg/api/resource/math.go maxInt64Factors, quantity.go ParseQuantity().
constexpr std::int64_t kDecimalDigits = 19;
constexpr std::int64_t kBinaryDigits = 15;
constexpr std::int64_t kNano = -9;

tl::unexpected<Error> malformed(std::string_view text, std::string_view rule) {
  return tl::unexpected{
      Error{.kind = ErrorKind::kMalformed,
            .path = {},
            .line = 0,
            .what = '"' + std::string{text} + "\" is not a quantity: " + std::string{rule},
            .remedy = "write it like 500Mi, 1.5Gi or 1000000"}};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes the leading characters for which accept holds.
template <class Accept>
std::string_view take_while(std::string_view& text, Accept accept) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), accept);
  const auto length = static_cast<std::size_t>(end - text.begin());
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

/// A quantity's text taken apart.
struct Parts {
  bool negative = false;
  bool has_digits = false;    ///< one at least, on either side of the point
  std::string_view whole;     ///< without leading zeros
  std::string_view fraction;  ///< as written
  std::string_view suffix;
};

std::optional<Parts> split(std::string_view text) {
  Parts parts;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    parts.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const std::string_view zeros = take_while(text, [](char c) { return c == '0'; });
  parts.whole = take_while(text, is_digit);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    parts.fraction = take_while(text, is_digit);
  }
  parts.has_digits = !(zeros.empty() && parts.whole.empty() && parts.fraction.empty());
  parts.suffix = text;
  take_while(text, [](char c) {
    return std::string_view{"eEinumkKMGTP"}.find(c) != std::string_view::npos;
  });
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    text.remove_prefix(1);
  }
  take_while(text, is_digit);
  if (!text.empty()) {
    return std::nullopt;
  }
  return parts;
}

/// What a suffix multiplies by: a power of two or of ten.
struct Scale {
  bool binary = false;
  std::int32_t exponent = 0;
};

struct Suffix {
  std::string_view text;
  Scale scale;
};

constexpr std::array<Suffix, 16> kSuffixes{{{"", {false, 0}},
                                            {"n", {false, -9}},
                                            {"u", {false, -6}},
                                            {"m", {false, -3}},
                                            {"k", {false, 3}},
                                            {"M", {false, 6}},
                                            {"G", {false, 9}},
                                            {"T", {false, 12}},
                                            {"P", {false, 15}},
                                            {"E", {false, 18}},
                                            {"Ki", {true, 10}},
                                            {"Mi", {true, 20}},
                                            {"Gi", {true, 30}},
                                            {"Ti", {true, 40}},
                                            {"Pi", {true, 50}},
                                            {"Ei", {true, 60}}}};

/// The kubelet reads an exponent as 64 bits and keeps the lower 32: "1e4294967296" is 1.
std::optional<Scale> interpret(std::string_view suffix) {
  const auto* const known =
      std::find_if(kSuffixes.begin(), kSuffixes.end(), [suffix](const Suffix& candidate) {
        return candidate.text == suffix;
      });
  if (known != kSuffixes.end()) {
    return known->scale;
  }
  if (suffix.size() < 2 || (suffix.front() != 'e' && suffix.front() != 'E')) {
    return std::nullopt;
  }
  suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
  std::int64_t exponent = 0;
  const auto parsed = std::from_chars(suffix.data(), suffix.data() + suffix.size(), exponent);
  if (parsed.ec != std::errc{} || parsed.ptr != suffix.data() + suffix.size()) {
    return std::nullopt;
  }
  return Scale{.binary = false, .exponent = static_cast<std::int32_t>(exponent)};
}

/// The lower 64 bits of a number that Go lets overflow.
std::int64_t wrap(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

/// value * 10^exponent as the kubelet's fast path has it (value >= 0, exponent >= 0). On overflow
/// the common exponents give the lower 64 bits and the others 0.
/// Source: apimachinery v1.24 to v1.36 pkg/api/resource/math.go positiveScaleInt64().
std::int64_t scale_up(std::int64_t value, std::int64_t exponent) {
  const bool in_one_step = exponent <= 3 || exponent == 6 || exponent == 9;
  std::int64_t result = value;
  std::uint64_t lower = static_cast<std::uint64_t>(value);
  bool overflow = false;
  for (std::int64_t i = 0; i < exponent && result != 0 && !overflow; ++i) {
    overflow = __builtin_mul_overflow(result, 10, &result);
  }
  if (!overflow) {
    return result;
  }
  if (!in_one_step) {
    return 0;
  }
  for (std::int64_t i = 0; i < exponent; ++i) {
    lower *= 10;
  }
  return wrap(lower);
}

/// digits / 10^drop rounded up, with 10^-drop for a negative drop; the lower 64 bits where it does
/// not fit, as the kubelet's slow path has it.
std::int64_t shift_wrapped(std::string_view digits, std::int64_t drop) {
  const auto size = static_cast<std::int64_t>(digits.size());
  const std::int64_t kept = std::clamp<std::int64_t>(size - drop, 0, size);
  std::uint64_t value = 0;
  for (const char digit : digits.substr(0, static_cast<std::size_t>(kept))) {
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  const std::string_view rest = digits.substr(static_cast<std::size_t>(kept));
  if (rest.find_first_not_of('0') != std::string_view::npos) {
    value += 1;
  }
  // 10^64 is a multiple of 2^64: no bit is left after 64 further digits.
  for (std::int64_t i = 0; i < std::min<std::int64_t>(-drop, 64); ++i) {
    value *= 10;
  }
  return wrap(value);
}

/// digits * 2^exponent / 10^drop rounded up, at most kLargest: binary quantities are capped.
std::int64_t shift_capped(std::string digits, std::int32_t exponent, std::size_t drop) {
  std::reverse(digits.begin(), digits.end());
  for (std::int32_t done = 0; done < exponent; done += 10) {
    unsigned carry = 0;
    for (char& digit : digits) {
      const unsigned product = static_cast<unsigned>(digit - '0') * 1024U + carry;
      digit = static_cast<char>('0' + product % 10U);
      carry = product / 10U;
    }
    for (; carry != 0; carry /= 10U) {
      digits += static_cast<char>('0' + carry % 10U);
    }
  }
  const bool remainder = digits.find_first_not_of('0') < drop;
  std::string whole = digits.size() > drop ? digits.substr(drop) : std::string{"0"};
  std::reverse(whole.begin(), whole.end());
  std::int64_t value = 0;
  const auto parsed = std::from_chars(whole.data(), whole.data() + whole.size(), value);
  if (parsed.ec != std::errc{} || value == kLargest) {
    return kLargest;
  }
  return value + (remainder ? 1 : 0);
}

/// int32 arithmetic that wraps, as the kubelet's scales do.
std::int32_t wrap32(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
}

/// Digits left in the fast path; negative when the number does not qualify for it.
std::int64_t precision(const Parts& parts, const Scale& scale) {
  const auto whole = static_cast<std::int64_t>(std::max<std::size_t>(parts.whole.size(), 1));
  if (!scale.binary) {
    return kDecimalDigits - whole - static_cast<std::int64_t>(parts.fraction.size());
  }
  return parts.fraction.empty() ? kBinaryDigits - whole - scale.exponent * 3 / 10 - 1 : -1;
}

struct Magnitude {
  std::int64_t bytes = 0;
  bool zero = true;
};

/// Up to 19 digits and no finer than a nano. Absent when the digits do not fit an int64.
std::optional<Magnitude> fast_magnitude(const std::string& digits,
                                        const Scale& scale,
                                        std::int32_t decimal) {
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  if (scale.binary) {
    return Magnitude{value << scale.exponent, value == 0};
  }
  if (decimal < 0) {
    return Magnitude{shift_wrapped(digits, -decimal), value == 0};
  }
  return Magnitude{scale_up(value, decimal), value == 0};
}

}  // namespace

Result<Quantity> parse_quantity(std::string_view text) {
  const std::optional<Parts> parts = split(text);
  if (!parts || text.empty()) {
    return malformed(text, "it has to be a number and then a suffix, without spaces");
  }
  const std::optional<Scale> scale = interpret(parts->suffix);
  if (!scale) {
    return malformed(
        text, "the suffix has to be one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent");
  }
  const std::string digits =
      (parts->whole.empty() ? "0" : std::string{parts->whole}) + std::string{parts->fraction};
  const auto fraction = static_cast<std::int64_t>(parts->fraction.size());
  const std::int32_t decimal = scale->binary ? 0 : wrap32(scale->exponent - fraction);

  std::optional<Magnitude> magnitude;
  if (precision(*parts, *scale) >= 0 && decimal >= kNano) {
    magnitude = fast_magnitude(digits, *scale, decimal);
    if (!magnitude) {
      return malformed(text, "19 digits are read as a 64-bit number, and this one is larger");
    }
  } else if (!parts->has_digits) {
    return malformed(text, "it has no digits");
  } else {
    const std::int64_t drop = wrap32(fraction + wrap32(-std::int64_t{scale->exponent}));
    magnitude =
        Magnitude{scale->binary ? shift_capped(digits, scale->exponent, parts->fraction.size())
                                : shift_wrapped(digits, drop),
                  digits.find_first_not_of('0') == std::string::npos};
  }
  if (magnitude->zero) {
    return Quantity{};
  }
  const auto lower = static_cast<std::uint64_t>(magnitude->bytes);
  return parts->negative ? Quantity{Bytes{wrap(0 - lower)}, -1} : Quantity{Bytes{wrap(lower)}, 1};
}

double quantity_magnitude(std::string_view text) {
  const std::optional<Parts> parts = split(text);
  const std::optional<Scale> scale = parts ? interpret(parts->suffix) : std::nullopt;
  if (!scale) {
    return 0;
  }
  const std::int64_t exponent = (scale->binary ? 0 : std::int64_t{scale->exponent}) -
                                static_cast<std::int64_t>(parts->fraction.size());
  const std::string number =
      std::string{parts->whole} + std::string{parts->fraction} + 'e' + std::to_string(exponent);
  return std::ldexp(std::strtod(number.c_str(), nullptr), scale->binary ? scale->exponent : 0);
}

std::string render_quantity(Bytes bytes) {
  std::int64_t value = std::max(bytes.value(), -kLargest);
  std::string_view suffix;
  for (const Suffix& candidate : kSuffixes) {
    if (candidate.scale.binary && value != 0 &&
        value % (std::int64_t{1} << candidate.scale.exponent) == 0) {
      suffix = candidate.text;
    }
  }
  const std::optional<Scale> scale = interpret(suffix);
  if (scale && scale->binary) {
    value /= std::int64_t{1} << scale->exponent;
  }
  return std::to_string(value) + std::string{suffix};
}

}  // namespace eviction::config
