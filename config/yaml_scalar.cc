// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "config/go_parse.h"

namespace eviction::config {
namespace {

struct Word {
  std::string_view text;
  ConfigValue::Kind kind;
  std::string_view value;
};

constexpr auto kNull = ConfigValue::Kind::kNull;
constexpr auto kBoolean = ConfigValue::Kind::kBoolean;
constexpr auto kNumber = ConfigValue::Kind::kNumber;

constexpr std::array<Word, 39> kWords{{{"", kNull, ""},
                                       {"~", kNull, ""},
                                       {"null", kNull, ""},
                                       {"Null", kNull, ""},
                                       {"NULL", kNull, ""},
                                       {"y", kBoolean, "true"},
                                       {"Y", kBoolean, "true"},
                                       {"yes", kBoolean, "true"},
                                       {"Yes", kBoolean, "true"},
                                       {"YES", kBoolean, "true"},
                                       {"true", kBoolean, "true"},
                                       {"True", kBoolean, "true"},
                                       {"TRUE", kBoolean, "true"},
                                       {"on", kBoolean, "true"},
                                       {"On", kBoolean, "true"},
                                       {"ON", kBoolean, "true"},
                                       {"n", kBoolean, "false"},
                                       {"N", kBoolean, "false"},
                                       {"no", kBoolean, "false"},
                                       {"No", kBoolean, "false"},
                                       {"NO", kBoolean, "false"},
                                       {"false", kBoolean, "false"},
                                       {"False", kBoolean, "false"},
                                       {"FALSE", kBoolean, "false"},
                                       {"off", kBoolean, "false"},
                                       {"Off", kBoolean, "false"},
                                       {"OFF", kBoolean, "false"},
                                       {".nan", kNumber, ".nan"},
                                       {".NaN", kNumber, ".nan"},
                                       {".NAN", kNumber, ".nan"},
                                       {".inf", kNumber, ".inf"},
                                       {".Inf", kNumber, ".inf"},
                                       {".INF", kNumber, ".inf"},
                                       {"+.inf", kNumber, ".inf"},
                                       {"+.Inf", kNumber, ".inf"},
                                       {"+.INF", kNumber, ".inf"},
                                       {"-.inf", kNumber, "-.inf"},
                                       {"-.Inf", kNumber, "-.inf"},
                                       {"-.INF", kNumber, "-.inf"}}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view skip_digits(std::string_view text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_digit);
  return text.substr(static_cast<std::size_t>(end - text.begin()));
}

void skip_sign(std::string_view& text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    text.remove_prefix(1);
  }
}

/// digits [. [digits]] or . digits
bool skip_mantissa(std::string_view& text) {
  const std::size_t before = text.size();
  text = skip_digits(text);
  bool digits = text.size() < before;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const std::size_t point = text.size();
    text = skip_digits(text);
    digits = digits || text.size() < point;
  }
  return digits;
}

/// [sign] mantissa [e [sign] digits]
bool is_float(std::string_view text) {
  skip_sign(text);
  if (!skip_mantissa(text)) {
    return false;
  }
  if (text.empty()) {
    return true;
  }
  if (text.front() != 'e' && text.front() != 'E') {
    return false;
  }
  text.remove_prefix(1);
  skip_sign(text);
  return !text.empty() && skip_digits(text).empty();
}

/// The number as JSON writes it. Absent when the text is none or too large for a double.
std::optional<std::string> parse_number(const std::string& text) {
  if (const std::optional<std::int64_t> whole = parse_go_int(text)) {
    return std::to_string(*whole);
  }
  if (!is_float(text)) {
    return std::nullopt;
  }
  const double number = std::strtod(text.c_str(), nullptr);
  if (std::isinf(number)) {
    return std::nullopt;
  }
  return fmt::format("{}", number);
}

}  // namespace

ConfigValue resolve_plain_scalar(std::string_view text) {
  ConfigValue value;
  const auto* const word = std::find_if(
      kWords.begin(), kWords.end(), [text](const Word& known) { return known.text == text; });
  if (word != kWords.end()) {
    value.kind = word->kind;
    value.text = word->value;
    return value;
  }
  value.kind = ConfigValue::Kind::kString;
  value.text = text;
  const char first = text.front();
  if (is_digit(first) || first == '-' || first == '+' || first == '.') {
    std::string plain{text};
    plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    if (std::optional<std::string> number = parse_number(plain)) {
      value.kind = ConfigValue::Kind::kNumber;
      value.text = std::move(*number);
    }
  }
  return value;
}

}  // namespace eviction::config
