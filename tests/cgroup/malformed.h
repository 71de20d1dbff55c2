// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cgroup/result.h"

namespace eviction::cgroup {

/// A text that no kernel prints, and the line that its error names, 0 for the whole.
struct Malformed {
  const char* name;
  std::string text;
  std::size_t line;
};

/// parse: takes the text, returns a Result.
template <typename Parse>
void expect_malformed(const std::vector<Malformed>& cases, const Parse& parse) {
  for (const Malformed& bad : cases) {
    SCOPED_TRACE(bad.name);
    const auto parsed = parse(bad.text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().kind, ErrorKind::kMalformed);
    EXPECT_EQ(parsed.error().line, bad.line);
    EXPECT_FALSE(parsed.error().what.empty());
  }
}

}  // namespace eviction::cgroup
