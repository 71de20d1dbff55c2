// SPDX-License-Identifier: Apache-2.0
#include "cgroup/key_value.h"

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

namespace eviction::cgroup {
namespace {

constexpr std::string_view kKibibyteSuffix = " kB";
constexpr std::int64_t kKibibyte = 1024;

struct KeyValue {
  std::string_view key;
  std::string_view value;
};

std::optional<KeyValue> split(std::string_view line, KeyFormat format) {
  const std::size_t end = line.find(format == KeyFormat::kPlain ? ' ' : ':');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return KeyValue{line.substr(0, end), line.substr(end + 1)};
}

std::optional<Bytes> parse_kibibytes(std::string_view value) {
  if (!value.starts_with(' ') || !value.ends_with(kKibibyteSuffix)) {
    return std::nullopt;
  }
  value.remove_suffix(kKibibyteSuffix.size());
  const auto number =
      parse_digits(skip_spaces(value), std::numeric_limits<std::int64_t>::max() / kKibibyte);
  if (!number) {
    return std::nullopt;
  }
  return Bytes{static_cast<std::int64_t>(*number) * kKibibyte};
}

template <class T>
std::optional<T> parse_value(std::string_view value, KeyFormat format) {
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    return parse_digits(value);
  } else {
    if (format == KeyFormat::kKibibytes) {
      return parse_kibibytes(value);
    }
    const auto number = parse_digits(value, std::numeric_limits<std::int64_t>::max());
    return number ? std::optional{Bytes{static_cast<std::int64_t>(*number)}} : std::nullopt;
  }
}

}  // namespace

bool Lines::next() {
  if (rest_.empty()) {
    return false;
  }
  const std::size_t end = rest_.find('\n');
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  ++number_;
  return true;
}

std::optional<std::uint64_t> parse_digits(std::string_view text, std::uint64_t max) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc{} || stop != end || number > max) {
    return std::nullopt;
  }
  return number;
}

std::string_view skip_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

Error malformed(std::size_t line, std::string what) {
  return {.kind = ErrorKind::kMalformed, .path = {}, .line = line, .what = std::move(what)};
}

std::string quote(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string quoted = "\"";
  for (const char character : text.substr(0, kLongest)) {
    const bool printable = character >= ' ' && character <= '~';
    quoted += printable ? character : '?';
  }
  quoted += text.size() > kLongest ? "...\"" : "\"";
  return quoted;
}

Result<void> check_text(std::string_view text) {
  if (text.empty()) {
    return tl::make_unexpected(malformed(0, "empty"));
  }
  const std::size_t found = std::min(text.find('\0'), text.find('\r'));
  if (found == std::string_view::npos) {
    return {};
  }
  const auto newlines =
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(found), '\n');
  const char* what = text[found] == '\0' ? "has a NUL byte" : "has a carriage return";
  return tl::make_unexpected(malformed(static_cast<std::size_t>(newlines) + 1, what));
}

template <class T>
Result<void> parse_key_values(std::string_view text,
                              KeyFormat format,
                              std::span<const Wanted<T>> wanted) {
  if (Result<void> checked = check_text(text); !checked) {
    return checked;
  }
  Lines lines{text};
  std::size_t missing = wanted.size();
  while (missing > 0 && lines.next()) {
    const auto pair = split(lines.line(), format);
    if (!pair) {
      return tl::make_unexpected(malformed(lines.number(), "no value in " + quote(lines.line())));
    }
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&pair](const Wanted<T>& entry) {
      return entry.key == pair->key;
    });
    if (found == wanted.end()) {
      continue;
    }
    if (found->value->has_value()) {
      return tl::make_unexpected(malformed(lines.number(), quote(pair->key) + " appears twice"));
    }
    *found->value = parse_value<T>(pair->value, format);
    if (!found->value->has_value()) {
      return tl::make_unexpected(malformed(lines.number(), "no number in " + quote(lines.line())));
    }
    --missing;
  }
  return {};
}

template Result<void> parse_key_values<Bytes>(std::string_view,
                                              KeyFormat,
                                              std::span<const Wanted<Bytes>>);
template Result<void> parse_key_values<std::uint64_t>(std::string_view,
                                                      KeyFormat,
                                                      std::span<const Wanted<std::uint64_t>>);

}  // namespace eviction::cgroup
