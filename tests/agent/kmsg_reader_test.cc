// SPDX-License-Identifier: Apache-2.0
#include "agent/kmsg_reader.h"

#include <sys/socket.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/fake_kmsg.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

constexpr const char* kKill =
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/a,task=a,pid=1,uid=0";

TEST(KmsgReader, TellsWhyThereIsNoLog) {
  tests::TemporaryTree tree;
  const auto file = open_kmsg(*cgroup::Directory::open(tree.path()));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kAbsent);
  EXPECT_FALSE(file.error().remedy.empty());
}

TEST(KmsgReader, CallsForEachKillFromTheLoop) {
  tests::TemporaryTree tree;
  tests::FakeKmsg kmsg{tree};
  auto loop = systemd::EventLoop::create();
  ASSERT_TRUE(loop);
  auto file = open_kmsg(*cgroup::Directory::open(tree.path()));
  ASSERT_TRUE(file);
  int kills = 0;
  KmsgReader reader{*loop, std::move(*file), [&](const cgroup::OomEvent& event) {
                      EXPECT_EQ(event.kill.task_memcg, "/a");
                      if (++kills == 1) {
                        kmsg.log("between");
                        kmsg.log(kKill);
                      } else {
                        loop->exit(0);
                      }
                    }};
  kmsg.log("before");
  kmsg.log(kKill);
  ASSERT_TRUE(loop->run());
  EXPECT_EQ(kills, 2);
  EXPECT_FALSE(reader.problem());
}

TEST(KmsgReader, PassesOverWhatIsNoRecord) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
            0);
  const Descriptor writer{ends[1]};
  auto loop = systemd::EventLoop::create();
  int kills = 0;
  KmsgReader reader{*loop, Descriptor{ends[0]}, [&](const cgroup::OomEvent&) { ++kills; }};
  const std::string kill = std::string{"6,1,2,-;"} + kKill + '\n';
  for (const std::string& record : {std::string{"garbage"}, kill, std::string(9000, 'x'), kill}) {
    ASSERT_EQ(::send(writer.get(), record.data(), record.size(), 0),
              static_cast<ssize_t>(record.size()));
  }
  reader.drain();
  EXPECT_EQ(kills, 2);
  EXPECT_FALSE(reader.problem());
}

TEST(KmsgReader, EndsWithItsFile) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
            0);
  auto loop = systemd::EventLoop::create();
  KmsgReader reader{*loop, Descriptor{ends[0]}, [](const cgroup::OomEvent&) {}};
  ::close(ends[1]);
  reader.drain();
  EXPECT_TRUE(reader.problem());
}

TEST(KmsgReader, SaysThatARegularFileCannotBeFollowed) {
  tests::TemporaryTree tree;
  tree.file("dev/kmsg", "");
  auto file = open_kmsg(*cgroup::Directory::open(tree.path()));
  ASSERT_TRUE(file);
  auto loop = systemd::EventLoop::create();
  const KmsgReader reader{*loop, std::move(*file), [](const cgroup::OomEvent&) {}};
  EXPECT_TRUE(reader.problem());
}

}  // namespace
}  // namespace eviction::agent
