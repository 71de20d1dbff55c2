// SPDX-License-Identifier: Apache-2.0
// What a container runtime answers, frame by frame.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace eviction::tests {

inline constexpr char kData = 0;
inline constexpr char kHeaders = 1;
inline constexpr char kResetStream = 3;
inline constexpr char kSettings = 4;
inline constexpr char kAck = 1;
inline constexpr char kEndStream = 1;
inline constexpr char kEndHeaders = 4;

/// An HTTP/2 frame (RFC 9113, section 4.1).
inline std::string frame(char type, char flags, char stream, const std::string& payload) {
  const auto size = static_cast<char>(payload.size());  // all of ours are short
  return std::string{0, 0, size, type, flags, 0, 0, 0, stream} + payload;
}

/// A header without compression (RFC 7541, section 6.2.2).
inline std::string header(const std::string& name, const std::string& value) {
  return std::string{'\0', static_cast<char>(name.size())} + name +
         static_cast<char>(value.size()) + value;
}

inline const std::string kStatus200 = "\x88";  // entries 8 and 13 of the static table
inline const std::string kStatus404 = "\x8d";
inline const std::string kGreeting = frame(kSettings, 0, 0, "") + frame(kSettings, kAck, 0, "");
inline const std::string kGrpc = kStatus200 + header("content-type", "application/grpc");

/// A message of no use, and the status in trailers, as a server that knows the method answers.
inline std::string version_answer(const std::string& trailers) {
  return kGreeting + frame(kHeaders, kEndHeaders, 1, kGrpc) +
         frame(kData, 0, 1, std::string(5, '\0')) +
         frame(kHeaders, kEndHeaders | kEndStream, 1, trailers);
}

/// The whole answer in the first headers, as grpc-go refuses a method.
inline std::string short_answer(const std::string& headers) {
  return kGreeting + frame(kHeaders, kEndHeaders | kEndStream, 1, headers);
}

inline const std::string kOk = version_answer(header("grpc-status", "0"));

/// Whether a client's frames end a stream.
inline bool is_request(std::string_view sent) {
  constexpr std::size_t kPreface = 24;
  constexpr std::size_t kHead = 9;
  sent.remove_prefix(std::min(kPreface, sent.size()));
  while (sent.size() >= kHead) {
    const auto byte = [sent](std::size_t at) { return static_cast<std::uint8_t>(sent[at]); };
    const std::size_t size =
        kHead + (std::size_t{byte(0)} << 16U) + (std::size_t{byte(1)} << 8U) + byte(2);
    const bool stream = sent[3] == kData || sent[3] == kHeaders;
    if (size <= sent.size() && stream && (byte(4) & 1U) != 0) {
      return true;
    }
    sent.remove_prefix(std::min(size, sent.size()));
  }
  return false;
}

}  // namespace eviction::tests
