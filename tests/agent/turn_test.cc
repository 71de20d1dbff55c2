// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/policy/decide.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST(NotYetItsTurn, LiesWithinTheSpreadByTheBootId) {
  constexpr std::chrono::minutes kSpread{10};

  struct {
    const char* boot_id;
    int turn;
  } const cases[] = {{"00000000-5c1d-4bd0-93f0-3b6f1a7f51f8", 0},
                     {"40000000-5c1d-4bd0-93f0-3b6f1a7f51f8", 150},
                     {"80000000-5c1d-4bd0-93f0-3b6f1a7f51f8", 300},
                     {"ffffffff-5c1d-4bd0-93f0-3b6f1a7f51f8", 599},
                     {"", 0},
                     {"no hexadecimal number", 0}};

  for (const auto& [boot_id, turn] : cases) {
    SCOPED_TRACE(boot_id);
    EXPECT_EQ(not_yet_its_turn(boot_id, seconds{turn}, kSpread), "");
    if (turn > 0) {
      EXPECT_THAT(not_yet_its_turn(boot_id, seconds{turn - 1}, kSpread),
                  HasSubstr("this node's turn is " + std::to_string(turn) + " s after"));
    }
    EXPECT_EQ(not_yet_its_turn(boot_id, seconds{0}, std::chrono::minutes{0}), "");
  }
}

}  // namespace
}  // namespace eviction::agent
