// SPDX-License-Identifier: Apache-2.0
#include "systemd/child_task.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::systemd {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kAmple{20'000};

/// Runs the work to its end, and gives what came of it.
Result<std::string> outcome(const std::function<std::string()>& work, milliseconds limit = kAmple) {
  auto loop = EventLoop::create();
  EXPECT_TRUE(loop);
  std::optional<Result<std::string>> got;
  std::unique_ptr<ChildTask> running;
  auto task = ChildTask::start(*loop, work, limit, [&](Result<std::string> answer) {
    got = std::move(answer);
    running.reset();
    loop->exit(0);
  });
  EXPECT_TRUE(task);
  running = std::move(*task);
  EXPECT_TRUE(loop->run());
  return *got;
}

TEST(ChildTask, AnswersFromAnotherProcess) {
  const Result<std::string> pid = outcome([] { return std::to_string(::getpid()); });
  ASSERT_TRUE(pid);
  EXPECT_NE(*pid, std::to_string(::getpid()));
}

TEST(ChildTask, MayAnswerNothing) {
  EXPECT_EQ(outcome([] { return std::string{}; }), std::string{});
}

TEST(ChildTask, MayAnswerMoreThanAPipeHolds) {
  const Result<std::string> answer = outcome([] { return std::string(3 << 20, 'x'); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, std::string(3 << 20, 'x'));
}

TEST(ChildTask, MayNotAnswerWithoutEnd) {
  const Result<std::string> answer = outcome([] { return std::string(17 << 20, 'x'); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kTooLarge);
}

TEST(ChildTask, ThatHangsIsEnded) {
  const Result<std::string> answer = outcome(
      []() -> std::string {
        for (;;) {
          ::pause();
        }
      },
      milliseconds{30});
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().what, HasSubstr("within 30 ms"));
}

TEST(ChildTask, ThatDiesOrThrowsIsAnError) {
  EXPECT_THAT(outcome([]() -> std::string { std::_Exit(3); }).error().what, HasSubstr("died"));
  EXPECT_THAT(outcome([]() -> std::string { throw std::runtime_error{"x"}; }).error().what,
              HasSubstr("died"));
  EXPECT_THAT(outcome([]() -> std::string {
                ::kill(::getpid(), SIGKILL);
                return "not reached";
              })
                  .error()
                  .what,
              HasSubstr("died"));
}

TEST(ChildTask, LeavesNoProcessWhenDestroyed) {
  auto loop = EventLoop::create();
  ASSERT_TRUE(loop);
  auto task = ChildTask::start(
      *loop,
      []() -> std::string {
        for (;;) {
          ::pause();
        }
      },
      kAmple,
      [](const Result<std::string>& /*answer*/) { FAIL() << "nobody waits for it"; });
  ASSERT_TRUE(task);
  task->reset();
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ChildTask, DoesNotHaveTheLoopsSignalsBlocked) {
  auto loop = EventLoop::create();
  ASSERT_TRUE(loop);
  auto source = loop->on_signal(SIGHUP, [] {});
  ASSERT_TRUE(source);
  const Result<std::string> blocked = outcome([] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return std::string{sigismember(&mask, SIGHUP) == 1 ? "yes" : "no"};
  });
  EXPECT_EQ(blocked, "no");
}

}  // namespace
}  // namespace eviction::systemd
