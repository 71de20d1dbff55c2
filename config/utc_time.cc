// SPDX-License-Identifier: Apache-2.0
#include "config/utc_time.h"

#include <fmt/format.h>

#include "config/wording.h"

namespace eviction::config {

namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

/// A number that is exactly these digits. Absent: another character is among them.
std::optional<int> number(std::string_view digits) {
  constexpr int kTen = 10;
  int value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') {
      return std::nullopt;
    }
    value = value * kTen + (digit - '0');
  }
  return value;
}

constexpr std::size_t kDateLength = 10;  // 2026-11-22

std::optional<std::chrono::sys_days> parse_date(std::string_view text) {
  if (text.size() != kDateLength || text[4] != '-' || text[7] != '-') {
    return std::nullopt;
  }
  const auto year = number(text.substr(0, 4));
  const auto month = number(text.substr(5, 2));
  const auto day = number(text.substr(8, 2));
  constexpr int kFirstYear = 1970;
  if (!year || !month || !day || *year < kFirstYear) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  return date.ok() ? std::optional{std::chrono::sys_days{date}} : std::nullopt;
}

std::optional<seconds> parse_age(std::string_view text) {
  constexpr std::size_t kMostDigits = 9;
  if (text.size() < 2 || text.size() > kMostDigits + 1) {
    return std::nullopt;
  }
  const auto count = number(text.substr(0, text.size() - 1));
  if (!count) {
    return std::nullopt;
  }
  switch (text.back()) {
    case 's':
      return seconds{*count};
    case 'm':
      return std::chrono::minutes{*count};
    case 'h':
      return std::chrono::hours{*count};
    case 'd':
      return std::chrono::hours{24} * *count;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string to_utc(sys_seconds at) {
  // {fmt}'s own formats of time count nanoseconds, of which 64 bits hold 292 years.
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                     static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()),
                     time.hours().count(),
                     time.minutes().count(),
                     time.seconds().count());
}

std::optional<sys_seconds> parse_utc(std::string_view text) {
  constexpr std::size_t kLength = 20;  // 2026-11-22T12:00:00Z
  if (text.size() != kLength || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return std::nullopt;
  }
  const auto date = parse_date(text.substr(0, kDateLength));
  const auto hour = number(text.substr(11, 2));
  const auto minute = number(text.substr(14, 2));
  const auto second = number(text.substr(17, 2));
  if (!date || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  return sys_seconds{*date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         seconds{*second};
}

Result<Since> parse_since(std::string_view text) {
  if (const auto at = parse_utc(text)) {
    return Since{.at = at, .ago = {}};
  }
  if (const auto date = parse_date(text)) {
    return Since{.at = sys_seconds{*date}, .ago = {}};
  }
  if (const auto ago = parse_age(text)) {
    return Since{.at = {}, .ago = *ago};
  }
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = {},
                              .what = in_quotes(text) + " is no time",
                              .remedy = "allowed: such as 30m, 2h, 7d, 2026-11-22 or "
                                        "2026-11-22T12:00:00Z (UTC)"}};
}

}  // namespace eviction::config
