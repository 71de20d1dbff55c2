// SPDX-License-Identifier: Apache-2.0
#include "cgroup/kmsg.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::cgroup {
namespace {

TEST(Kmsg, ReadsARecord) {
  const auto record = parse_kmsg_record("6,22743,6115623303887,-;oom-kill:constraint=X,uid=0\n");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->priority, 6U);
  EXPECT_EQ(record->sequence, 22743U);
  EXPECT_EQ(record->since_boot.count(), 6115623303887);
  EXPECT_FALSE(record->fragment);
  EXPECT_EQ(record->text, "oom-kill:constraint=X,uid=0");
}

TEST(Kmsg, SkipsCallerAndProperties) {
  const auto record =
      parse_kmsg_record("12,1,2,c,caller=T123,x;a;b\n SUBSYSTEM=acpi\n DEVICE=+a\n");
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->fragment);
  EXPECT_EQ(record->text, "a;b");
}

TEST(Kmsg, TakesAnEmptyText) {
  const auto record = parse_kmsg_record("4,0,0,-;\n");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->text, "");
}

// Source: linux v6.1 kernel/printk/printk.c append_char(): what is not printable, and backslashes.
TEST(Kmsg, UndoesEscapes) {
  const auto record = parse_kmsg_record("6,1,2,-;task=a\\x0a\\x5cb\\xff\n");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->text, "task=a\n\\b\xff");
}

TEST(Kmsg, RefusesWhatIsNoRecord) {
  for (const std::string text : {"",
                                 "\n",
                                 "6,1,2,-;no end",
                                 "6,1,2,-\n",
                                 "6,1,2;x\n",
                                 "6,1,2,?;x\n",
                                 "6,1,-2,-;x\n",
                                 "+6,1,2,-;x\n",
                                 " 6,1,2,-;x\n",
                                 "6,18446744073709551616,2,-;x\n",
                                 "6,1,9223372036854775808,-;x\n",
                                 "4294967296,1,2,-;x\n",
                                 "6,1,2,-;x\nNO_SPACE=1\n",
                                 "6,1,2,-;x\n NO_END=1",
                                 "6,1,2,-;\\\n",
                                 "6,1,2,-;\\x4\n",
                                 "6,1,2,-;\\n\n",
                                 "6,1,2,-;\\xXY\n",
                                 "6,1,2,-;\\xAB\n",
                                 "6,1\n;,2,-;x\n"}) {
    const auto record = parse_kmsg_record(text);
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().kind, ErrorKind::kMalformed);
  }
}

std::string escaped(const std::string& text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 127 || byte == '\\') {
      out += {'\\', 'x', kDigits[byte / 16], kDigits[byte % 16]};
    } else {
      out += c;
    }
  }
  return out;
}

RC_GTEST_PROP(Kmsg, GivesBackAnyText, (const std::string& text, std::uint32_t sequence)) {
  const auto record =
      parse_kmsg_record("6," + std::to_string(sequence) + ",7,-;" + escaped(text) + "\n K=v\n");
  RC_ASSERT(record.has_value());
  RC_ASSERT(record->text == text);
  RC_ASSERT(record->sequence == sequence);
}

RC_GTEST_PROP(Kmsg, SurvivesAnything, (const std::string& text)) {
  const auto record = parse_kmsg_record(text);
  RC_ASSERT(!record || record->text.size() < text.size());
}

}  // namespace
}  // namespace eviction::cgroup
