// SPDX-License-Identifier: Apache-2.0
#include "agent/page.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

TEST(Page, PrintableKeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(printable("a\tb\nc"), "a b c");
  EXPECT_EQ(printable("\x1b[1m\x7f"), "?[1m?");
  EXPECT_EQ(printable("ä€😀"), "ä€😀");
  EXPECT_EQ(printable("\xc3"), "?");
  EXPECT_EQ(printable("\xc0\xaf"), "??");
  EXPECT_EQ(printable("\xf8\x80\x80\x80"), "????");
  EXPECT_EQ(printable("\xc2\x9b"), "??");
  EXPECT_EQ(printable(std::string_view{"\0", 1}), "?");
}

TEST(Page, CutCountsCharacters) {
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abcd", 3), "ab…");
  EXPECT_EQ(cut("äöüß", 3), "äö…");
  EXPECT_EQ(cut("abcd", 1), "…");
}

TEST(Page, ParagraphBreaksAtBlanksOnly) {
  const std::string word(60, 'w');
  EXPECT_EQ(paragraph("head ", word + ' ' + word), "head " + word + "\n     " + word + '\n');
  EXPECT_EQ(paragraph("", std::string(150, 'p')), std::string(150, 'p') + '\n');
  EXPECT_EQ(paragraph("head  ", ""), "head\n");
  EXPECT_EQ(paragraph("a ", "b  c"), "a b c\n");
}

}  // namespace
}  // namespace eviction::agent
