// SPDX-License-Identifier: Apache-2.0
#include "agent/service_unit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::ElementsAre;
using testing::Optional;

TEST(ServiceOfPath, IsTheOutermostService) {
  EXPECT_EQ(service_of_path("/system.slice/k3s.service"), "k3s.service");
  EXPECT_EQ(service_of_path("/system.slice/k3s-agent.service/init"), "k3s-agent.service");
  for (const char* path :
       {"", "/", "/init.scope", "/user.slice/session-1.scope", "/k3s.services"}) {
    EXPECT_FALSE(service_of_path(path)) << path;
  }
}

/// As https://get.k3s.io writes it.
TEST(ExecStart, OfTheInstallScript) {
  EXPECT_THAT(parse_exec_start("[Unit]\n"
                               "Description=Lightweight Kubernetes\n"
                               "[Service]\n"
                               "Type=notify\n"
                               "ExecStartPre=-/sbin/modprobe overlay\n"
                               "ExecStart=/usr/local/bin/k3s \\\n"
                               "    server \\\n"
                               "\t'--kubelet-arg' \\\n"
                               "\t'eviction-hard=nodefs.available<5%,memory.available<1Gi' \\\n"
                               "\n"),
              Optional(ElementsAre("/usr/local/bin/k3s",
                                   "server",
                                   "--kubelet-arg",
                                   "eviction-hard=nodefs.available<5%,memory.available<1Gi")));
}

TEST(ExecStart, IsSplitAsSystemdSplits) {
  struct Case {
    const char* text;
    std::vector<std::string> words;
  };

  for (const Case& test : {Case{"ExecStart=a  b\tc", {"a", "b", "c"}},
                           Case{" ExecStart = a b \r\n", {"a", "b"}},
                           Case{"ExecStart=a \"b c\" 'd e'", {"a", "b c", "d e"}},
                           Case{"ExecStart=a --x='b c'd", {"a", "--x=b cd"}},
                           Case{"ExecStart=a 'b\"c' \"d'e\"", {"a", "b\"c", "d'e"}},
                           Case{"ExecStart=a 'b'\\''c' d\\ e", {"a", "b'c", "d e"}},
                           Case{"ExecStart=a '' \"\"", {"a", "", ""}},
                           Case{"ExecStart=a 5%% 10%%%% 5%", {"a", "5%", "10%%", "5%"}},
                           Case{"ExecStart=a $FLAGS ${FLAGS}", {"a", "$FLAGS", "${FLAGS}"}},
                           Case{"ExecStart=a \\\n# a comment\n; another\n  b", {"a", "b"}},
                           Case{"ExecStart=a \\", {"a"}},
                           Case{"ExecStart=a 'b", {"a", "b"}},
                           Case{"ExecStart=a\nExecStart=b", {"b"}},
                           Case{"ExecStart=a\nExecStart=", {}},
                           Case{"ExecStart=a\n#ExecStart=b\nExecStartPre=c\nExecStop=d", {"a"}}}) {
    SCOPED_TRACE(test.text);
    EXPECT_EQ(parse_exec_start(test.text), test.words);
  }
}

TEST(ExecStart, IsAbsentWithoutOne) {
  for (const char* text : {"", "\n\n", "[Service]\nType=notify\n", "ExecStart", "# ExecStart=a"}) {
    EXPECT_FALSE(parse_exec_start(text)) << text;
  }
}

class UnitFile : public testing::Test {
 protected:
  Result<std::vector<std::string>> read() {
    cgroup::Buffer buffer;
    return read_exec_start(*cgroup::Directory::open(tree_.path()), "k3s.service", buffer);
  }

  tests::TemporaryTree tree_;
};

TEST_F(UnitFile, InEtcCountsBeforeTheDistributions) {
  tree_.file("usr/lib/systemd/system/k3s.service", "ExecStart=distribution");
  EXPECT_THAT(*read(), ElementsAre("distribution"));
  tree_.file("etc/systemd/system/k3s.service", "ExecStart=operator");
  EXPECT_THAT(*read(), ElementsAre("operator"));
}

TEST_F(UnitFile, DropInsFollowInTheOrderOfTheirNames) {
  tree_.file("etc/systemd/system/k3s.service", "ExecStart=main")
      .file("etc/systemd/system/k3s.service.d/10-first.conf", "ExecStart=\nExecStart=first")
      .file("usr/lib/systemd/system/k3s.service.d/20-second.conf", "ExecStart=\nExecStart=second")
      .file("etc/systemd/system/k3s.service.d/30-other.conf", "Restart=no")
      .file("etc/systemd/system/k3s.service.d/40-no-drop-in.bak", "ExecStart=\nExecStart=bak");
  EXPECT_THAT(*read(), ElementsAre("second"));
  tree_.file("etc/systemd/system/k3s.service.d/20-second.conf", "");
  EXPECT_THAT(*read(), ElementsAre("first")) << "a file in /etc hides its namesake in /usr/lib";
}

TEST_F(UnitFile, WithoutACommandIsAbsent) {
  ASSERT_FALSE(read());
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
  tree_.file("etc/systemd/system/k3s.service", "[Service]\n");
  ASSERT_FALSE(read());
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
}

TEST_F(UnitFile, ThatCannotBeReadIsAnError) {
  tree_.directory("etc/systemd/system/k3s.service");
  ASSERT_FALSE(read());
  EXPECT_EQ(read().error().kind, ErrorKind::kMalformed);
}

}  // namespace
}  // namespace eviction::agent
