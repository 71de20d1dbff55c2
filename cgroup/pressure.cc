// SPDX-License-Identifier: Apache-2.0
#include "cgroup/pressure.h"

#include <limits>
#include <utility>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

/// Cuts " NAME=" off the front and gives the text up to the next space. Absent when another name
/// stands there.
std::optional<std::string_view> take(std::string_view& rest, std::string_view name) {
  if (!rest.starts_with(' ')) {
    return std::nullopt;
  }
  rest.remove_prefix(1);
  if (!rest.starts_with(name) || !rest.substr(name.size()).starts_with('=')) {
    return std::nullopt;
  }
  rest.remove_prefix(name.size() + 1);
  const std::string_view value = rest.substr(0, rest.find(' '));
  rest.remove_prefix(value.size());
  return value;
}

/// "12.34" -> 1234, at most 100.00.
std::optional<int> take_hundredths(std::string_view& rest, std::string_view name) {
  constexpr std::uint64_t kAll = 100;
  const auto value = take(rest, name);
  if (!value) {
    return std::nullopt;
  }
  const std::size_t point = value->find('.');
  if (point == std::string_view::npos || value->size() != point + 3) {
    return std::nullopt;
  }
  const auto whole = parse_digits(value->substr(0, point), kAll);
  const auto fraction = parse_digits(value->substr(point + 1));
  if (!whole || !fraction || *whole * 100 + *fraction > kAll * 100) {
    return std::nullopt;
  }
  return static_cast<int>(*whole * 100 + *fraction);
}

/// What follows "some" or "full".
std::optional<PressureLine> parse_shares(std::string_view rest) {
  const auto avg10 = take_hundredths(rest, "avg10");
  const auto avg60 = take_hundredths(rest, "avg60");
  const auto avg300 = take_hundredths(rest, "avg300");
  const auto total = take(rest, "total");
  if (!avg10 || !avg60 || !avg300 || !total || !rest.empty()) {
    return std::nullopt;
  }
  const auto stalled = parse_digits(*total, std::numeric_limits<std::int64_t>::max());
  if (!stalled) {
    return std::nullopt;
  }
  return PressureLine{.avg10 = *avg10,
                      .avg60 = *avg60,
                      .avg300 = *avg300,
                      .total = std::chrono::microseconds{static_cast<std::int64_t>(*stalled)}};
}

/// The line that follows, which must begin with name. Errors: kMalformed.
Result<PressureLine> parse_line(const Lines& lines, std::string_view name) {
  const std::string_view line = lines.line();
  const auto shares =
      line.starts_with(name) ? parse_shares(line.substr(name.size())) : std::nullopt;
  if (!shares) {
    return tl::make_unexpected(malformed(lines.number(), "no pressure line: " + quote(line)));
  }
  return *shares;
}

}  // namespace

Result<Pressure> parse_pressure(std::string_view text) {
  if (text.empty()) {
    return tl::make_unexpected(malformed(0, "empty"));
  }
  Lines lines{text};
  Pressure pressure;
  for (const std::string_view name : {"some", "full"}) {
    if (!lines.next()) {
      return pressure;
    }
    const Result<PressureLine> line = parse_line(lines, name);
    if (!line) {
      return tl::make_unexpected(line.error());
    }
    if (name == "some") {
      pressure.some = *line;
    } else {
      pressure.full = *line;
    }
  }
  if (lines.next()) {
    return tl::make_unexpected(malformed(lines.number(), "more than two pressure lines"));
  }
  return pressure;
}

Result<Pressure> read_pressure(const Directory& directory, std::string_view file, Buffer& buffer) {
  Result<Pressure> pressure = read_parsed(directory, file, buffer, parse_pressure);
  if (pressure) {
    return pressure;
  }
  Error& error = pressure.error();
  if (error.kind == ErrorKind::kAbsent) {
    error.what = "the kernel keeps no pressure stall information";
    error.remedy =
        "boot with psi=1; if that does not help, the kernel was built without CONFIG_PSI";
  } else if (error.kind == ErrorKind::kUnsupported) {
    error.what = "pressure stall information is switched off";
    error.remedy = "boot with psi=1";
  }
  return pressure;
}

Result<std::optional<Pressure>> read_pressure_if_kept(const Directory& directory,
                                                      std::string_view file,
                                                      Buffer& buffer) {
  if (file.empty()) {
    return std::nullopt;
  }
  Result<Pressure> pressure = read_parsed(directory, file, buffer, parse_pressure);
  if (pressure) {
    return *pressure;
  }
  const ErrorKind kind = pressure.error().kind;
  if (kind == ErrorKind::kAbsent || kind == ErrorKind::kUnsupported ||
      kind == ErrorKind::kVanished) {
    return std::nullopt;
  }
  return tl::make_unexpected(std::move(pressure.error()));
}

}  // namespace eviction::cgroup
