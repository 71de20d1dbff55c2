// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace eviction {

/// Why something could not be read or understood. Callers branch on it; operators read to_text().
enum class ErrorKind {
  kAbsent,       ///< no such file, key or directory on this node
  kUnsupported,  ///< the kernel answers, but has the feature off (EOPNOTSUPP)
  kDenied,       ///< no permission
  kVanished,     ///< the cgroup, process or connection went away meanwhile (ENODEV, ESRCH)
  kMalformed,    ///< the content is not what this file holds on any kernel or kubelet
  kTooLarge,     ///< more bytes than such a file can have
  kIo,           ///< any other failure of the operating system
};

/// One failure: what happened, where, and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::kIo;
  std::string path;      ///< the file as the operator would name it; empty when no file is involved
  std::size_t line = 0;  ///< 1-based; 0 when no line is involved
  std::string what;      ///< the fact, without the path
  std::string remedy = {};  ///< what to do; empty when there is nothing to do
};

/// Either a value or the reason there is none.
template <class T>
using Result = tl::expected<T, Error>;

/// "\x1b" for a control character, which would end a line or steer the terminal; else the byte.
[[nodiscard]] std::string escape_control(char byte);

/// One line: "PATH:LINE: WHAT; REMEDY". Control characters of the path are escaped.
[[nodiscard]] std::string to_text(const Error& error);

/// A short word for logs, metrics and JSON ("absent", "denied", ...).
[[nodiscard]] std::string_view to_text(ErrorKind kind);

}  // namespace eviction
