// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

struct Accepted {
  std::string text;
  std::int64_t bytes;
  int sign;
};

class QuantityAccepts : public testing::TestWithParam<Accepted> {};

TEST_P(QuantityAccepts, ItsBytesAndSign) {
  const Result<Quantity> quantity = parse_quantity(GetParam().text);
  ASSERT_TRUE(quantity) << to_text(quantity.error());
  EXPECT_EQ(quantity->bytes.value(), GetParam().bytes);
  EXPECT_EQ(quantity->sign, GetParam().sign);
}

// Each row follows from apimachinery's grammar, or is its own test's.
INSTANTIATE_TEST_SUITE_P(Plain,
                         QuantityAccepts,
                         testing::Values(Accepted{"0", 0, 0},
                                         Accepted{"1", 1, 1},
                                         Accepted{"+1", 1, 1},
                                         Accepted{"-1", -1, -1},
                                         Accepted{"00012", 12, 1},
                                         Accepted{"9", 9, 1},
                                         Accepted{"1.", 1, 1},
                                         Accepted{".001", 1, 1},
                                         Accepted{"9.01", 10, 1},
                                         Accepted{"9223372036854775807", kLargest, 1}));

INSTANTIATE_TEST_SUITE_P(DecimalSuffix,
                         QuantityAccepts,
                         testing::Values(Accepted{"5n", 1, 1},
                                         Accepted{"4u", 1, 1},
                                         Accepted{"3m", 1, 1},
                                         Accepted{"100m", 1, 1},
                                         Accepted{"1000m", 1, 1},
                                         Accepted{"1001m", 2, 1},
                                         Accepted{"8k", 8000, 1},
                                         Accepted{"7M", 7000000, 1},
                                         Accepted{"6G", 6000000000, 1},
                                         Accepted{"5T", 5000000000000, 1},
                                         Accepted{"40T", 40000000000000, 1},
                                         Accepted{"2P", 2000000000000000, 1},
                                         Accepted{"1E", 1000000000000000000, 1},
                                         Accepted{"9E", 9000000000000000000, 1},
                                         Accepted{"1.G", 1000000000, 1},
                                         Accepted{"8.1k", 8100, 1},
                                         Accepted{"0.0005k", 1, 1},
                                         Accepted{"7.123456M", 7123456, 1},
                                         Accepted{"6.987654321G", 6987654321, 1},
                                         Accepted{"1.01E", 1010000000000000000, 1},
                                         Accepted{"0.1m", 1, 1},
                                         Accepted{"3.001n", 1, 1}));

INSTANTIATE_TEST_SUITE_P(BinarySuffix,
                         QuantityAccepts,
                         testing::Values(Accepted{"1Ki", 1024, 1},
                                         Accepted{"7Mi", 7340032, 1},
                                         Accepted{"100Mi", 104857600, 1},
                                         Accepted{"6Gi", 6442450944, 1},
                                         Accepted{"5Ti", 5497558138880, 1},
                                         Accepted{"4Pi", 4503599627370496, 1},
                                         Accepted{"3Ei", 3458764513820540928, 1},
                                         Accepted{"7Ei", 8070450532247928832, 1},
                                         Accepted{"1.5Gi", 1610612736, 1},
                                         Accepted{".5Gi", 536870912, 1},
                                         Accepted{"+.5Gi", 536870912, 1},
                                         Accepted{"100.035Ki", 102436, 1},
                                         Accepted{"0.05Gi", 53687092, 1},
                                         Accepted{"0.025Ti", 27487790695, 1},
                                         Accepted{"0.000000000001Ki", 1, 1},
                                         Accepted{"1.Gi", 1073741824, 1},
                                         Accepted{"-1.5Gi", -1610612736, -1}));

INSTANTIATE_TEST_SUITE_P(Exponent,
                         QuantityAccepts,
                         testing::Values(Accepted{"1e3", 1000, 1},
                                         Accepted{"1E6", 1000000, 1},
                                         Accepted{"1e+3", 1000, 1},
                                         Accepted{"1E-3", 1, 1},
                                         Accepted{"1.3E+6", 1300000, 1},
                                         Accepted{"1.7E18", 1700000000000000000, 1},
                                         Accepted{"0.5e0", 1, 1},
                                         Accepted{"1.1E-9", 1, 1},
                                         Accepted{"0.5e-9", 1, 1},
                                         Accepted{"1e0", 1, 1}));

// Zero in disguise: fine for a minimum reclaim, refused for a threshold by its sign.
INSTANTIATE_TEST_SUITE_P(Zero,
                         QuantityAccepts,
                         testing::Values(Accepted{"-", 0, 0},
                                         Accepted{"+", 0, 0},
                                         Accepted{".", 0, 0},
                                         Accepted{"-.", 0, 0},
                                         Accepted{"-0", 0, 0},
                                         Accepted{"0Mi", 0, 0},
                                         Accepted{"0n", 0, 0},
                                         Accepted{"0Pi", 0, 0},
                                         Accepted{"Gi", 0, 0},
                                         Accepted{"Ti", 0, 0},
                                         Accepted{"k", 0, 0},
                                         Accepted{"E", 0, 0},
                                         Accepted{"e5", 0, 0},
                                         Accepted{"0e-100", 0, 0}));

// Above 2^63 - 1: binary ones are capped; of decimal ones the kubelet keeps the lower 64 bits or 0.
INSTANTIATE_TEST_SUITE_P(
    TooLarge,
    QuantityAccepts,
    testing::Values(Accepted{"8Ei", kLargest, 1},
                    Accepted{"9Ei", kLargest, 1},
                    Accepted{"9223372036854775807Ki", kLargest, 1},
                    Accepted{"9999999999999999999999999999Gi", kLargest, 1},
                    Accepted{"10E", 0, 1},
                    Accepted{"12E", 0, 1},
                    Accepted{"1e19", 0, 1},
                    Accepted{"1e999999999", 0, 1},
                    Accepted{"1e2147483647", 0, 1},
                    Accepted{"18446744073709551617", 1, 1},    // 2^64 + 1
                    Accepted{"18446744073709551616", 0, 1},    // 2^64
                    Accepted{"18446744073709551616.5", 1, 1},  // rounded up, then cut
                    Accepted{"99999999999999999k", 7766279631452240920, 1}));

// Exponents are cut to 32 bits, and far ones cost neither time nor memory.
INSTANTIATE_TEST_SUITE_P(FarExponent,
                         QuantityAccepts,
                         testing::Values(Accepted{"1e4294967296", 1, 1},
                                         Accepted{"1e4294967299", 1000, 1},
                                         Accepted{"1e-999999999", 1, 1},
                                         Accepted{"12345678901234567890e999999999", 0, 1},
                                         Accepted{"12345678901234567890e-999999999", 1, 1},
                                         Accepted{"1e-2147483647", 1, 1}));

struct Refused {
  std::string name;
  std::string text;
};

class QuantityRefuses : public testing::TestWithParam<Refused> {};

TEST_P(QuantityRefuses, AndSaysHowToWriteIt) {
  const Result<Quantity> quantity = parse_quantity(GetParam().text);
  ASSERT_FALSE(quantity);
  EXPECT_EQ(quantity.error().kind, ErrorKind::kMalformed);
  EXPECT_THAT(to_text(quantity.error()), HasSubstr("500Mi"));
}

INSTANTIATE_TEST_SUITE_P(Grammar,
                         QuantityRefuses,
                         testing::Values(Refused{"Empty", ""},
                                         Refused{"Space", " "},
                                         Refused{"LeadingSpace", " 1Gi"},
                                         Refused{"TrailingSpace", "1Gi "},
                                         Refused{"InnerSpace", "1 Gi"},
                                         Refused{"Newline", "1Gi\n"},
                                         Refused{"Word", "memory"},
                                         Refused{"TwoPoints", "1..5"},
                                         Refused{"TwoFractions", "1.5.5"},
                                         Refused{"TwoSigns", "--1"},
                                         Refused{"SignAfter", "1-"},
                                         Refused{"Comma", "1,5Gi"},
                                         Refused{"Underscore", "1_000"},
                                         Refused{"UpperK", "1K"},
                                         Refused{"LowerGi", "1gi"},
                                         Refused{"Bytes", "1GB"},
                                         Refused{"Gibibytes", "1GiB"},
                                         Refused{"JustB", "1B"},
                                         Refused{"LowerI", "1i"},
                                         Refused{"NoExponent", "1e"},
                                         Refused{"SignOnlyExponent", "1e+"},
                                         Refused{"ExponentAndSuffix", "1e3Ki"},
                                         Refused{"SuffixAndNumber", "1Ki5"},
                                         Refused{"TwoSuffixes", "1kk"},
                                         Refused{"ExaExponent", "1EE"},
                                         Refused{"FractionalExponent", "1e1.5"},
                                         Refused{"ExponentOver64Bits", "1e99999999999999999999"},
                                         Refused{"Percent", "5%"},
                                         Refused{"Hexadecimal", "0x10"},
                                         Refused{"Infinity", "inf"},
                                         Refused{"NaN", "NaN"},
                                         Refused{"NulByte", std::string("1\0", 2)},
                                         Refused{"NotAscii", "1\u00b5"},
                                         Refused{"InvalidUtf8", "1\xff"},
                                         Refused{"NineteenDigitsOver", "9223372036854775808"},
                                         Refused{"NineteenNines", "9999999999999999999"},
                                         Refused{"BareSuffixOffTheFastPath", "Pi"},
                                         Refused{"BareExaBinary", "Ei"},
                                         Refused{"PointOffTheFastPath", ".Pi"},
                                         Refused{"BareFineExponent", "e-10"}),
                         [](const auto& row) { return row.param.name; });

TEST(Quantity, TakesAMegabyteOfDigitsAtOnce) {
  const std::string digits(std::size_t{1} << 20, '9');
  EXPECT_TRUE(parse_quantity(digits));
  EXPECT_EQ(parse_quantity(digits + "Ei")->bytes.value(), kLargest);
  EXPECT_EQ(parse_quantity("0." + digits + "Ki")->bytes.value(), 1024);
  EXPECT_FALSE(parse_quantity(digits + "x"));
}

struct Rendered {
  std::int64_t bytes;
  std::string text;
};

TEST(Quantity, MagnitudeDoesNotWrap) {
  EXPECT_EQ(quantity_magnitude("1.5Gi"), 1.5 * (1 << 30));
  EXPECT_EQ(quantity_magnitude("-1500m"), 1.5);
  EXPECT_EQ(quantity_magnitude(".25e2"), 25);
  EXPECT_EQ(quantity_magnitude("99999999999999999999"), 1e20);
  EXPECT_EQ(quantity_magnitude("9999999999999999G"), 9999999999999999e9);
  EXPECT_GT(quantity_magnitude("1e400"), 1e300);
  EXPECT_EQ(quantity_magnitude("much"), 0);
  EXPECT_EQ(quantity_magnitude("."), 0);
}

TEST(Quantity, RendersTheLargestBinarySuffixThatDivides) {
  for (const Rendered& row : std::vector<Rendered>{{0, "0"},
                                                   {1000, "1000"},
                                                   {1024, "1Ki"},
                                                   {1536, "1536"},
                                                   {2048, "2Ki"},
                                                   {1342177280, "1280Mi"},
                                                   {3221225472, "3Gi"},
                                                   {1099511627776, "1Ti"},
                                                   {3458764513820540928, "3Ei"},
                                                   {-1048576, "-1Mi"},
                                                   {kLargest, "9223372036854775807"}}) {
    EXPECT_EQ(render_quantity(Bytes{row.bytes}), row.text);
  }
}

TEST(Quantity, RendersTheLowestNumberAsTheNextOneThatCanBeRead) {
  const std::string text = render_quantity(Bytes{std::numeric_limits<std::int64_t>::min()});
  EXPECT_EQ(text, "-9223372036854775807");
  EXPECT_EQ(parse_quantity(text)->bytes.value(), -kLargest);
}

}  // namespace
}  // namespace eviction::config
