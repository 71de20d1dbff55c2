// SPDX-License-Identifier: Apache-2.0
#include "agent/status_file.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/target_files.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

class LoadStatus : public testing::Test {
 protected:
  LoadStatus() { tree_.directory("run"); }

  [[nodiscard]] Error error() const {
    const auto status = load_status(root_);
    return status ? Error{} : status.error();
  }

  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
};

TEST_F(LoadStatus, WithoutADaemonSaysSo) {
  tree_.file("run/eviction-agent/status.json", "{}");
  EXPECT_EQ(error().kind, ErrorKind::kAbsent);
  EXPECT_THAT(error().what, HasSubstr("no daemon runs"));
}

TEST_F(LoadStatus, WhereThatCannotBeKnownSaysWhy) {
  tree_.file("run/eviction-agent", "no folder");
  EXPECT_THAT(error().what, Not(HasSubstr("no daemon runs")));
  EXPECT_THAT(error().path, HasSubstr("run/eviction-agent"));
}

TEST_F(LoadStatus, OfADaemonThatWroteNoneNothingElseAndNothingLately) {
  const Result<HostLock> daemon = HostLock::take(root_, kRunLock);
  ASSERT_TRUE(daemon);
  EXPECT_THAT(error().what, HasSubstr("could not write it yet"));
  for (const auto& [text, what] :
       {std::pair{"", "no status"},
        {"[]", "no status"},
        {"{\"written", "no status"},
        {"{}", "does not say when"},
        {"{\"written\": \"2020-01-01T00:00:00Z\"}", "ago, more than 60 s"}}) {
    tree_.file("run/eviction-agent/status.json", text);
    EXPECT_THAT(error().what, HasSubstr(what)) << text;
  }
}

}  // namespace
}  // namespace eviction::agent
