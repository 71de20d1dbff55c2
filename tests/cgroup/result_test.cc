// SPDX-License-Identifier: Apache-2.0
#include "cgroup/result.h"

#include <gtest/gtest.h>

namespace eviction {
namespace {

TEST(Error, IsOneLineWhateverThePath) {
  const Error error{
      ErrorKind::kAbsent, "/a\n\x1b[1m\x7f/\xc3\xbc \\", 7, "it is absent", "make it"};
  EXPECT_EQ(to_text(error), "/a\\x0a\\x1b[1m\\x7f/ü \\:7: it is absent; make it");
}

}  // namespace
}  // namespace eviction
