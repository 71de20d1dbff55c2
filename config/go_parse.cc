// SPDX-License-Identifier: Apache-2.0
#include "config/go_parse.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <system_error>

namespace eviction::config {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_hex_digit(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

bool take_sign(std::string_view& text) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) {
    return false;
  }
  const bool negative = text.front() == '-';
  text.remove_prefix(1);
  return negative;
}

/// Whether text, without its sign, begins with 0x, 0o or 0b as prefix says.
bool has_prefix(std::string_view text, char prefix) {
  return text.size() >= 3 && text[0] == '0' && lower(text[1]) == prefix;
}

/// Go allows '_' between two digits, and between a base prefix and a digit.
bool underscores_fit(std::string_view text) {
  take_sign(text);
  const bool hex = has_prefix(text, 'x');
  const bool prefixed = hex || has_prefix(text, 'o') || has_prefix(text, 'b');
  const auto digit = [hex](char c) { return is_digit(c) || (hex && is_hex_digit(c)); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      continue;
    }
    const bool after = i > 0 && (digit(text[i - 1]) || (prefixed && i == 2));
    if (!after || i + 1 == text.size() || !digit(text[i + 1])) {
      return false;
    }
  }
  return true;
}

/// The text without '_'. Absent when one is in a place where Go does not allow it.
std::optional<std::string> without_underscores(std::string_view text) {
  if (text.find('_') == std::string_view::npos) {
    return std::string{text};
  }
  if (!underscores_fit(text)) {
    return std::nullopt;
  }
  std::string digits{text};
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  return digits;
}

std::size_t count_digits(std::string_view text, bool hex) {
  const auto* const end = std::find_if_not(
      text.begin(), text.end(), [hex](char c) { return hex ? is_hex_digit(c) : is_digit(c); });
  return static_cast<std::size_t>(end - text.begin());
}

/// [sign] digits [. digits] [e exponent], or 0x with an exponent of p that has to be there.
bool is_float_literal(std::string_view text) {
  take_sign(text);
  const bool hex = has_prefix(text, 'x');
  if (hex) {
    text.remove_prefix(2);
  }
  const std::size_t whole = count_digits(text, hex);
  text.remove_prefix(whole);
  std::size_t fraction = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = count_digits(text, hex);
    text.remove_prefix(fraction);
  }
  if (whole + fraction == 0) {
    return false;
  }
  if (text.empty()) {
    return !hex;
  }
  if (lower(text.front()) != (hex ? 'p' : 'e')) {
    return false;
  }
  text.remove_prefix(1);
  take_sign(text);
  return !text.empty() && count_digits(text, false) == text.size();
}

std::optional<float> parse_special(std::string_view text) {
  std::string name{text};
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (name == "nan") {
    return std::numeric_limits<float>::quiet_NaN();
  }
  std::string_view rest = name;
  const bool negative = take_sign(rest);
  if (rest != "inf" && rest != "infinity") {
    return std::nullopt;
  }
  const float infinity = std::numeric_limits<float>::infinity();
  return negative ? -infinity : infinity;
}

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};

constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1000},
                                      {"\u00b5s", 1000},
                                      {"\u03bcs", 1000},
                                      {"ms", 1000000},
                                      {"s", 1000000000},
                                      {"m", 60000000000},
                                      {"h", 3600000000000}}};

constexpr std::uint64_t kDurationLimit = std::uint64_t{1} << 63;

/// Digits before the point. Absent above 2^63.
std::optional<std::uint64_t> take_whole(std::string_view& text) {
  std::uint64_t value = 0;
  const std::size_t count = count_digits(text, false);
  if (count != 0) {
    const auto parsed = std::from_chars(text.data(), text.data() + count, value);
    if (parsed.ec != std::errc{} || value > kDurationLimit) {
      return std::nullopt;
    }
  }
  text.remove_prefix(count);
  return value;
}

/// Digits after the point; those that do not fit are dropped.
struct Fraction {
  std::uint64_t value = 0;
  double scale = 1;
};

Fraction take_fraction(std::string_view& text) {
  Fraction fraction;
  const std::size_t count = count_digits(text, false);
  for (const char digit : text.substr(0, count)) {
    if (fraction.value > (kDurationLimit - 1) / 10) {
      break;
    }
    const std::uint64_t next = fraction.value * 10 + static_cast<std::uint64_t>(digit - '0');
    if (next > kDurationLimit) {
      break;
    }
    fraction.value = next;
    fraction.scale *= 10;
  }
  text.remove_prefix(count);
  return fraction;
}

std::optional<std::uint64_t> take_unit(std::string_view& text) {
  const auto* const end =
      std::find_if(text.begin(), text.end(), [](char c) { return c == '.' || is_digit(c); });
  const std::string_view name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(name.size());
  const auto* const unit = std::find_if(
      kUnits.begin(), kUnits.end(), [name](const Unit& known) { return known.name == name; });
  if (unit == kUnits.end()) {
    return std::nullopt;
  }
  return unit->nanoseconds;
}

/// One "1.5h" of a duration, in nanoseconds.
std::optional<std::uint64_t> take_part(std::string_view& text) {
  const std::size_t before = text.size();
  const std::optional<std::uint64_t> whole = take_whole(text);
  if (!whole) {
    return std::nullopt;
  }
  std::size_t digits = before - text.size();
  Fraction fraction;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const std::size_t point = text.size();
    fraction = take_fraction(text);
    digits += point - text.size();
  }
  const std::optional<std::uint64_t> unit = take_unit(text);
  if (digits == 0 || !unit || *whole > kDurationLimit / *unit) {
    return std::nullopt;
  }
  const auto part = static_cast<std::uint64_t>(static_cast<double>(fraction.value) *
                                               (static_cast<double>(*unit) / fraction.scale));
  return *whole * *unit + part;
}

int take_base(std::string_view& text) {
  for (const auto& [prefix, base] :
       std::array<std::pair<char, int>, 3>{{{'x', 16}, {'o', 8}, {'b', 2}}}) {
    if (has_prefix(text, prefix)) {
      text.remove_prefix(2);
      return base;
    }
  }
  return text.size() > 1 && text.front() == '0' ? 8 : 10;
}

}  // namespace

std::optional<float> parse_go_float32(std::string_view text) {
  if (const std::optional<float> special = parse_special(text)) {
    return special;
  }
  const std::optional<std::string> literal = without_underscores(text);
  if (!literal || !is_float_literal(*literal)) {
    return std::nullopt;
  }
  // The program never leaves the "C" locale, so '.' is the point here.
  const float value = std::strtof(literal->c_str(), nullptr);
  if (std::isinf(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text) {
  const bool negative = take_sign(text);
  if (text == "0") {
    return std::chrono::nanoseconds{0};
  }
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint64_t total = 0;
  while (!text.empty()) {
    const std::optional<std::uint64_t> part = take_part(text);
    if (!part || *part > kDurationLimit || total + *part > kDurationLimit) {
      return std::nullopt;
    }
    total += *part;
  }
  if (!negative && total == kDurationLimit) {
    return std::nullopt;
  }
  return std::chrono::nanoseconds{static_cast<std::int64_t>(negative ? 0 - total : total)};
}

std::optional<std::int64_t> parse_go_int(std::string_view text) {
  const std::optional<std::string> plain = without_underscores(text);
  if (!plain) {
    return std::nullopt;
  }
  std::string_view digits = *plain;
  const bool negative = take_sign(digits);
  const int base = take_base(digits);
  std::uint64_t magnitude = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() ||
      magnitude > kDurationLimit || (!negative && magnitude == kDurationLimit)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

}  // namespace eviction::config
