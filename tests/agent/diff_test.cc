// SPDX-License-Identifier: Apache-2.0
#include "agent/diff.h"

#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

struct Case {
  const char* name;
  const char* before;
  const char* after;
  const char* expected;
};

class DiffLines : public testing::TestWithParam<Case> {};

TEST_P(DiffLines, ShowsWhatChanged) {
  EXPECT_EQ(diff_lines(GetParam().before, GetParam().after), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    DiffLines,
    testing::Values(Case{"BothEmpty", "", "", ""},
                    Case{"Equal", "a\nb\n", "a\nb\n", ""},
                    Case{"NewFile", "", "a\nb\n", "+ a\n+ b\n"},
                    Case{"RemovedFile", "a\nb\n", "", "- a\n- b\n"},
                    Case{"OneLine", "a\nb\nc\n", "a\nx\nc\n", "  a\n- b\n+ x\n  c\n"},
                    Case{"InsertedLine", "a\nc\n", "a\nb\nc\n", "  a\n+ b\n  c\n"},
                    Case{"RepeatedLine", "a\na\n", "a\na\na\n", "  a\n  a\n+ a\n"},
                    Case{"EmptyLines", "\n\n", "\n", "  \n- \n"},
                    Case{"LastNewline", "a\nb", "a\nb\n", "  a\n- b\n+ b\n"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace eviction::agent
