// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eviction::config {

/// An address of this machine to listen on.
struct ListenAddress {
  bool ipv6 = false;
  std::string address;     ///< as inet_pton() takes it: "127.0.0.1", "::1"
  std::uint16_t port = 0;  ///< 0: the system chooses

  bool operator==(const ListenAddress&) const = default;
};

/// More than these nobody needs, and each is a socket.
inline constexpr std::size_t kMostListenAddresses = 8;

/// "127.0.0.1:9847, [::1]:9847", separated by spaces or commas; "off" is none. Absent when a part
/// is no ADDRESS:PORT with a port of 1 to 65535, is given twice, or there is no part or one too
/// many. Host names are not taken: what they mean may change.
[[nodiscard]] std::optional<std::vector<ListenAddress>> parse_listen_addresses(
    std::string_view text);

/// "127.0.0.1:9847", "[::1]:9847".
[[nodiscard]] std::string to_text(const ListenAddress& address);

}  // namespace eviction::config
