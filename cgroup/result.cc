// SPDX-License-Identifier: Apache-2.0
#include "cgroup/result.h"

namespace eviction {

std::string escape_control(char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  if (value < 0x20 || value == 0x7F) {
    return {'\\', 'x', kDigits[value / 16], kDigits[value % 16]};
  }
  return std::string{byte};
}

std::string to_text(const Error& error) {
  std::string text;
  for (const char byte : error.path) {
    text += escape_control(byte);
  }
  if (error.line != 0) {
    text += ':' + std::to_string(error.line);
  }
  if (!text.empty()) {
    text += ": ";
  }
  text += error.what;
  if (!error.remedy.empty()) {
    text += "; " + error.remedy;
  }
  return text;
}

std::string_view to_text(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kAbsent:
      return "absent";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kDenied:
      return "denied";
    case ErrorKind::kVanished:
      return "vanished";
    case ErrorKind::kMalformed:
      return "malformed";
    case ErrorKind::kTooLarge:
      return "too-large";
    case ErrorKind::kIo:
      return "io";
  }
  return "io";
}

}  // namespace eviction
