// SPDX-License-Identifier: Apache-2.0
#include "cgroup/kmsg.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "cgroup/key_value.h"

namespace eviction::cgroup {

namespace {

std::optional<unsigned> hex_digit(char character) {
  if (character >= '0' && character <= '9') {
    return static_cast<unsigned>(character - '0');
  }
  if (character >= 'a' && character <= 'f') {
    return static_cast<unsigned>(character - 'a') + 10U;
  }
  return std::nullopt;
}

/// Undoes "\xHH". Absent: a backslash that begins no such thing, which the kernel never prints.
std::optional<std::string> unescape(std::string_view text) {
  constexpr std::size_t kEscaped = 4;
  constexpr unsigned kSixteen = 16;
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    if (text.front() != '\\') {
      plain += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < kEscaped || text[1] != 'x') {
      return std::nullopt;
    }
    const auto high = hex_digit(text[2]);
    const auto low = hex_digit(text[3]);
    if (!high || !low) {
      return std::nullopt;
    }
    plain += static_cast<char>(*high * kSixteen + *low);
    text.remove_prefix(kEscaped);
  }
  return plain;
}

/// Takes what stands before the next comma, and the comma.
std::string_view take_field(std::string_view& head) {
  const std::string_view field = head.substr(0, head.find(','));
  head.remove_prefix(std::min(head.size(), field.size() + 1));
  return field;
}

bool are_properties(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (lines.front() != ' ' || end == std::string_view::npos) {
      return false;
    }
    lines.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace

Result<KmsgRecord> parse_kmsg_record(std::string_view record) {
  const std::size_t semicolon = record.find(';');
  const std::size_t end = record.find('\n');
  if (semicolon == std::string_view::npos || end == std::string_view::npos || end < semicolon ||
      !are_properties(record.substr(end + 1))) {
    return tl::unexpected{malformed(0, "no record of the kernel's log in " + quote(record))};
  }
  std::string_view head = record.substr(0, semicolon);
  const auto priority = parse_digits(take_field(head), std::numeric_limits<unsigned>::max());
  const auto sequence = parse_digits(take_field(head));
  const auto time =
      parse_digits(take_field(head), std::numeric_limits<std::chrono::microseconds::rep>::max());
  const std::string_view flag = take_field(head);
  const bool known_flag = flag == "-" || flag == "c" || flag == "+";
  if (!priority || !sequence || !time || !known_flag) {
    return tl::unexpected{
        malformed(0, "no head of a kernel log record in " + quote(record.substr(0, semicolon)))};
  }
  auto text = unescape(record.substr(semicolon + 1, end - semicolon - 1));
  if (!text) {
    return tl::unexpected{malformed(0, "a backslash that escapes nothing in " + quote(record))};
  }
  KmsgRecord parsed;
  parsed.priority = static_cast<unsigned>(*priority);
  parsed.sequence = *sequence;
  parsed.since_boot = std::chrono::microseconds{static_cast<std::chrono::microseconds::rep>(*time)};
  parsed.fragment = flag != "-";
  parsed.text = std::move(*text);
  return parsed;
}

}  // namespace eviction::cgroup
