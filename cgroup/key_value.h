// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::cgroup {

/// The lines of a kernel file, one after the other. A last line without a newline counts.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_{text} {}

  /// Steps to the next line. False at the end.
  [[nodiscard]] bool next();

  [[nodiscard]] std::string_view line() const { return line_; }  ///< without its newline

  [[nodiscard]] std::size_t number() const { return number_; }  ///< 1-based

 private:
  std::string_view rest_;
  std::string_view line_;
  std::size_t number_ = 0;
};

/// The number that text is. Absent unless text is decimal digits only (no sign, no space) and the
/// number is at most max.
[[nodiscard]] std::optional<std::uint64_t> parse_digits(
    std::string_view text, std::uint64_t max = std::numeric_limits<std::uint64_t>::max());

/// text without the spaces at its front.
[[nodiscard]] std::string_view skip_spaces(std::string_view text);

/// A kMalformed error without a path.
[[nodiscard]] Error malformed(std::size_t line, std::string what);

/// text in quotes, for a message: cut when long, unprintable bytes as '?'.
[[nodiscard]] std::string quote(std::string_view text);

/// Errors: kMalformed when text is empty or holds a NUL byte or a carriage return, none of which a
/// kernel prints.
[[nodiscard]] Result<void> check_text(std::string_view text);

/// How a file writes a key and its number.
enum class KeyFormat {
  kPlain,      ///< "key 1": memory.stat, memory.events, vmstat
  kKibibytes,  ///< "Key:     1 kB": meminfo
};

/// A key, and where its number goes.
template <class T>
struct Wanted {
  std::string_view key;
  std::optional<T>* value;
};

/// Fills the wanted values (Bytes or std::uint64_t), which must be empty, and leaves those empty
/// whose key is not there. Unknown keys are skipped. Stops at the last wanted key: what follows is
/// not looked at. Errors: as check_text(); kMalformed with the line for a line without a value, a
/// wanted key that appears twice or whose number is none or too large.
template <class T>
[[nodiscard]] Result<void> parse_key_values(std::string_view text,
                                            KeyFormat format,
                                            std::span<const Wanted<T>> wanted);

extern template Result<void> parse_key_values<Bytes>(std::string_view,
                                                     KeyFormat,
                                                     std::span<const Wanted<Bytes>>);
extern template Result<void> parse_key_values<std::uint64_t>(
    std::string_view, KeyFormat, std::span<const Wanted<std::uint64_t>>);

}  // namespace eviction::cgroup
