// SPDX-License-Identifier: Apache-2.0
#include "config/listen_address.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::config {
namespace {

using Addresses = std::vector<ListenAddress>;

TEST(ListenAddresses, AreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_listen_addresses("127.0.0.1:9847"), (Addresses{{false, "127.0.0.1", 9847}}));
  EXPECT_EQ(parse_listen_addresses(" [::1]:1 ,\t0.0.0.0:65535,[::]:2"),
            (Addresses{{true, "::1", 1}, {false, "0.0.0.0", 65535}, {true, "::", 2}}));
  EXPECT_EQ(parse_listen_addresses("[2001:DB8:0:0:0:0:0:7]:80"),
            (Addresses{{true, "2001:db8::7", 80}}));
  EXPECT_EQ(parse_listen_addresses("off"), Addresses{});
}

TEST(ListenAddresses, AreRefusedWhereTheyAreNone) {
  for (const char* text : {"",
                           " , ",
                           "9847",
                           ":9847",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:0",
                           "127.0.0.1:65536",
                           "127.0.0.1:+1",
                           "127.0.0.1:1x",
                           "127.0.0.01:1",
                           "127.1:1",
                           "::1:9847",
                           "[::1]",
                           "[::1]9847",
                           "[127.0.0.1]:1",
                           "[::1:1",
                           "[fe80::1%eth0]:1",
                           "localhost:9847",
                           "off 127.0.0.1:1",
                           "127.0.0.1:1 127.0.0.1:1",
                           "[::1]:1 [0::1]:1"}) {
    EXPECT_EQ(parse_listen_addresses(text), std::nullopt) << text;
  }
  std::string many;
  for (std::size_t i = 0; i <= kMostListenAddresses; ++i) {
    many += "127.0.0.1:" + std::to_string(i + 1) + ' ';
  }
  EXPECT_EQ(parse_listen_addresses(many), std::nullopt);
}

RC_GTEST_PROP(ListenAddresses, AreReadBackFromTheirText, ()) {
  std::string address = std::to_string(*rc::gen::inRange(0, 256));
  for (int i = 0; i < 3; ++i) {
    address += '.' + std::to_string(*rc::gen::inRange(0, 256));
  }
  const ListenAddress four{false, address, static_cast<std::uint16_t>(*rc::gen::inRange(1, 65536))};
  const ListenAddress six{true, "fd00::" + std::to_string(*rc::gen::inRange(1, 10000)), four.port};
  const auto read = parse_listen_addresses(to_text(four) + ", " + to_text(six));
  RC_ASSERT(*read == (Addresses{four, six}));
}

RC_GTEST_PROP(ListenAddresses, TakeAnyTextWithoutHarm, (const std::string& text)) {
  const auto addresses = parse_listen_addresses(text);
  const bool sound = !addresses || text == "off" || !addresses->empty();
  RC_ASSERT(sound);
}

}  // namespace
}  // namespace eviction::config
