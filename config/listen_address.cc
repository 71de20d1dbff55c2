// SPDX-License-Identifier: Apache-2.0
#include "config/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace eviction::config {

namespace {

constexpr std::string_view kSeparators = " \t,";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool all = error == std::errc{} && end == text.data() + text.size();
  return all && port != 0 ? std::optional{port} : std::nullopt;
}

/// The address as the system writes it. Absent when it is none.
std::optional<std::string> normal_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  if (::inet_pton(family, text.c_str(), binary.data()) != 1 ||
      ::inet_ntop(family, binary.data(), written.data(), written.size()) == nullptr) {
    return std::nullopt;
  }
  return written.data();
}

std::optional<ListenAddress> parse_one(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view address = text.substr(0, colon);
  const bool ipv6 = address.starts_with('[') && address.ends_with(']');
  if (ipv6) {
    address = address.substr(1, address.size() - 2);
  }
  const auto port = parse_port(text.substr(colon + 1));
  auto normal = normal_address(ipv6 ? AF_INET6 : AF_INET, std::string{address});
  if (!port || !normal) {
    return std::nullopt;
  }
  return ListenAddress{ipv6, std::move(*normal), *port};
}

}  // namespace

std::optional<std::vector<ListenAddress>> parse_listen_addresses(std::string_view text) {
  std::vector<ListenAddress> addresses;
  if (text == "off") {
    return addresses;
  }
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) {
      break;
    }
    const std::string_view part = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(part.size());
    auto address = parse_one(part);
    if (!address || addresses.size() == kMostListenAddresses ||
        std::ranges::find(addresses, *address) != addresses.end()) {
      return std::nullopt;
    }
    addresses.push_back(std::move(*address));
  }
  return addresses.empty() ? std::nullopt : std::optional{std::move(addresses)};
}

std::string to_text(const ListenAddress& address) {
  const std::string port = ':' + std::to_string(address.port);
  return (address.ipv6 ? '[' + address.address + ']' : address.address) + port;
}

}  // namespace eviction::config
