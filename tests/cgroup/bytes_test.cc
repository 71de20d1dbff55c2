// SPDX-License-Identifier: Apache-2.0
#include "cgroup/bytes.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace)

constexpr Bytes kLargest{std::numeric_limits<std::int64_t>::max()};
constexpr Bytes kSmallest{std::numeric_limits<std::int64_t>::min()};

TEST(Bytes, ToHuman) {
  struct Case {
    Bytes amount;
    const char* text;
  };

  const std::vector<Case> cases{
      {0_B, "0 B"},
      {1_B, "1 B"},
      {999_B, "999 B"},
      {1023_B, "1020 B"},
      {1_KiB, "1 KiB"},
      {1536_B, "1.5 KiB"},
      {512_MiB, "512 MiB"},
      {Bytes{} - 223_MiB, "-223 MiB"},
      {Bytes{7945689498}, "7.4 GiB"},
      {7_GiB + 430_MiB, "7.42 GiB"},
      {12_GiB + 400_MiB, "12.4 GiB"},
      {1000_MiB, "1000 MiB"},
      {1015_MiB, "1020 MiB"},
      {1_GiB - 1_B, "1020 MiB"},
      {1_GiB, "1 GiB"},
      {1_GiB + 1_B, "1 GiB"},
      {10_GiB - 1_B, "10 GiB"},
      {100_GiB - 1_B, "100 GiB"},
      {1_GiB + 10_MiB, "1.01 GiB"},
      {kLargest, "8 EiB"},
      {kSmallest, "-8 EiB"},
  };
  for (const Case& expected : cases) {
    EXPECT_EQ(to_human(expected.amount), expected.text) << expected.amount.value();
  }
}

RC_GTEST_PROP(Bytes, ToHumanIsWithinHalfOfTheThirdDigit, (std::int64_t value)) {
  const std::string text = to_human(Bytes{value});
  std::istringstream stream{text};
  double number = 0;
  std::string unit;
  stream >> number >> unit;
  const std::size_t exponent = std::string{"BKMGTPE"}.find(unit.front());
  const double read = std::ldexp(number, static_cast<int>(10 * exponent));
  RC_ASSERT(std::abs(read - static_cast<double>(value)) <=
            0.00501 * std::abs(static_cast<double>(value)));
  RC_ASSERT(std::abs(number) < 1024);
}

TEST(Bytes, SumsSaturate) {
  EXPECT_EQ(kLargest + 1_B, kLargest);
  EXPECT_EQ(kSmallest - 1_B, kSmallest);
  EXPECT_EQ(kSmallest + kSmallest, kSmallest);
  EXPECT_EQ(Bytes{} - kSmallest, kLargest);
  EXPECT_EQ(3_GiB - 5_GiB, Bytes{-2147483648});
}

TEST(Bytes, ScaleNeedsNoRoomInBetween) {
  EXPECT_EQ(scale(kLargest, 3, 4), Bytes{6917529027641081855});
  EXPECT_EQ(scale(kLargest, 2, 1), kLargest);
  EXPECT_EQ(scale(kSmallest, 2, 1), kSmallest);
  EXPECT_EQ(scale(Bytes{-7}, 1, 2), Bytes{-3});
}

RC_GTEST_PROP(Bytes, RoundingStaysWithinAStep, (std::int32_t value)) {
  const Bytes amount{value};
  const Bytes step = 1_MiB;
  const Bytes up = round_up(amount, step);
  const Bytes down = round_down(amount, step);
  RC_ASSERT(down <= amount && amount <= up);
  RC_ASSERT(amount - down < step && up - amount < step);
  RC_ASSERT(up.value() % step.value() == 0 && down.value() % step.value() == 0);
}

}  // namespace
}  // namespace eviction
