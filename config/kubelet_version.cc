// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_version.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace eviction::config {
namespace {

tl::unexpected<Error> malformed(std::string_view text) {
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = {},
                              .line = 0,
                              .what = '"' + std::string{text} + "\" is not a kubelet version",
                              .remedy = "write it like v1.32.3+rke2r1, 1.32.3 or 1.32"}};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes a number of one to four digits, without superfluous zeros, from the front of text.
std::optional<int> take_number(std::string_view& text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto length = static_cast<std::size_t>(end - text.begin());
  if (length == 0 || length > 4 || (length > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  int number = 0;
  std::from_chars(text.data(), text.data() + length, number);
  text.remove_prefix(length);
  return number;
}

bool take_dot(std::string_view& text) {
  if (text.empty() || text.front() != '.') {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

bool is_suffix(std::string_view text) {
  if (text.empty()) {
    return true;
  }
  return (text.front() == '+' || text.front() == '-') && text.size() > 1 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                  c == '-' || c == '+';
         });
}

}  // namespace

Result<KubeletVersion> parse_kubelet_version(std::string_view text) {
  std::string_view rest = text;
  if (!rest.empty() && rest.front() == 'v') {
    rest.remove_prefix(1);
  }
  const std::optional<int> major = take_number(rest);
  if (!major || !take_dot(rest)) {
    return malformed(text);
  }
  const std::optional<int> minor = take_number(rest);
  if (!minor) {
    return malformed(text);
  }
  KubeletVersion version{.major = *major, .minor = *minor, .patch = {}, .suffix = {}};
  if (take_dot(rest)) {
    version.patch = take_number(rest);
    if (!version.patch) {
      return malformed(text);
    }
  }
  if (!is_suffix(rest)) {
    return malformed(text);
  }
  version.suffix = rest;
  return version;
}

std::string to_text(const KubeletVersion& version) {
  std::string text = 'v' + std::to_string(version.major) + '.' + std::to_string(version.minor);
  if (version.patch) {
    text += '.' + std::to_string(*version.patch);
  }
  return text + version.suffix;
}

}  // namespace eviction::config
