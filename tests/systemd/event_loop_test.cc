// SPDX-License-Identifier: Apache-2.0
#include "systemd/event_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/environment_variable.h"
#include "tests/support/notify_socket.h"

namespace eviction::systemd {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): nothing but literals
using std::chrono::microseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::StartsWith;
using tests::EnvironmentVariable;
using tests::NotifySocket;

/// More than a loaded machine needs; nothing waits for it unless a test fails.
constexpr std::chrono::seconds kLong{60};
/// The exit code of a test that waited in vain.
constexpr int kInVain = 99;

class Loop : public testing::Test {
 protected:
  /// Runs until exit().
  int run() {
    const EventSource in_vain = *loop_.after(kLong, [this] { loop_.exit(kInVain); });
    return loop_.run().value();
  }

  EventLoop loop_ = *EventLoop::create();
};

/// Two connected sockets.
class Pair {
 public:
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    near_ = fds[0];
    far_ = fds[1];
  }

  ~Pair() {
    ::close(near_);
    close_far();
  }

  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  Pair(Pair&&) = delete;
  Pair& operator=(Pair&&) = delete;

  void send() const { EXPECT_EQ(::write(far_, "x", 1), 1); }

  void close_far() {
    if (far_ >= 0) {
      ::close(far_);
    }
    far_ = -1;
  }

  [[nodiscard]] int near() const { return near_; }

 private:
  int near_ = -1;
  int far_ = -1;
};

TEST_F(Loop, RunReturnsTheExitCode) {
  const EventSource timer = *loop_.after(0ms, [this] { loop_.exit(3); });
  EXPECT_EQ(run(), 3);
}

TEST_F(Loop, ExitBeforeRunEndsItAtItsStart) {
  bool called = false;
  const EventSource timer = *loop_.after(0ms, [&called] { called = true; });
  loop_.exit(0);
  EXPECT_EQ(loop_.run().value(), 0);
  EXPECT_FALSE(called);
}

TEST_F(Loop, RunsOnce) {
  loop_.exit(0);
  EXPECT_TRUE(loop_.run());
  loop_.exit(1);
  const Result<int> second = loop_.run();
  ASSERT_FALSE(second);
  EXPECT_THAT(to_text(second.error()), StartsWith("the event loop failed: "));
  EXPECT_FALSE(loop_.after(0ms, [] {}));
}

TEST_F(Loop, TimersCallInOrderAndNotBeforeTheirTime) {
  std::vector<int> calls;
  const auto start = steady_clock::now();
  const EventSource late = *loop_.after(60ms, [&] {
    calls.push_back(2);
    EXPECT_GE(steady_clock::now() - start, 60ms);
    loop_.exit(0);
  });
  const EventSource early = *loop_.after(20ms, [&] {
    calls.push_back(1);
    EXPECT_GE(steady_clock::now() - start, 20ms);
  });
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(calls, ElementsAre(1, 2));
}

TEST_F(Loop, DelayOfZeroOrLessIsDueAtOnce) {
  int calls = 0;
  std::vector<EventSource> timers;
  for (const microseconds delay : {microseconds{0}, microseconds{-1}, microseconds::min()}) {
    timers.push_back(*loop_.after(delay, [&] {
      if (++calls == 3) {
        loop_.exit(0);
      }
    }));
  }
  EXPECT_EQ(run(), 0);
}

TEST_F(Loop, LongestDelayIsNotDueAtOnce) {
  bool called = false;
  const EventSource timer = *loop_.after(microseconds::max(), [&called] { called = true; });
  const EventSource end = *loop_.after(20ms, [this] { loop_.exit(0); });
  EXPECT_EQ(run(), 0);
  EXPECT_FALSE(called);
}

TEST_F(Loop, TimerCallsOnceUnlessSetAgain) {
  int calls = 0;
  EventSource timer;
  timer = *loop_.after(0ms, [&] {
    if (++calls < 3) {
      EXPECT_TRUE(timer.again(1ms));
    }
  });
  const EventSource end = *loop_.after(100ms, [this] { loop_.exit(0); });
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(calls, 3);
}

TEST_F(Loop, AgainPutsOffATimerThatIsSet) {
  std::vector<int> calls;
  EventSource first = *loop_.after(0ms, [&] {
    calls.push_back(1);
    loop_.exit(0);
  });
  const EventSource second = *loop_.after(0ms, [&calls] { calls.push_back(2); });
  EXPECT_TRUE(first.again(30ms));
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(calls, ElementsAre(2, 1));
}

TEST_F(Loop, AgainNeedsATimer) {
  const Pair pair;
  EventSource io = *loop_.on_io(pair.near(), EPOLLIN, [](std::uint32_t) {});
  EXPECT_FALSE(io.again(0ms));
  EventSource none;
  EXPECT_FALSE(none.again(0ms));
}

TEST_F(Loop, DestroyedSourceIsNotCalled) {
  const Pair pair;
  pair.send();
  bool called = false;
  std::optional<EventSource> timer = *loop_.after(0ms, [&called] { called = true; });
  std::optional<EventSource> io =
      *loop_.on_io(pair.near(), EPOLLIN, [&called](std::uint32_t) { called = true; });
  timer.reset();
  io.reset();
  const EventSource end = *loop_.after(20ms, [this] { loop_.exit(0); });
  EXPECT_EQ(run(), 0);
  EXPECT_FALSE(called);
}

TEST_F(Loop, SourceMayBeDestroyedInItsOwnCall) {
  EventSource timer;
  const std::string captured(100, 'x');
  std::string seen;
  timer = *loop_.after(0ms, [&timer, &seen, this, captured] {
    timer = EventSource{};
    seen = captured;  // is still there
    loop_.exit(0);
  });
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(seen, captured);
}

TEST_F(Loop, SourceMayReplaceItselfInItsOwnCall) {
  EventSource timer;
  timer = *loop_.after(0ms, [&] { timer = *loop_.after(0ms, [this] { loop_.exit(0); }); });
  EXPECT_EQ(run(), 0);
}

TEST(LoopAndSource, SourceMayOutliveTheLoop) {
  EventSource timer;
  {
    EventLoop loop = *EventLoop::create();
    timer = *loop.after(0ms, [] { FAIL(); });
  }
  EXPECT_TRUE(timer.again(0ms));
}

TEST_F(Loop, DescriptorCallsWithItsEvents) {
  const Pair pair;
  pair.send();
  std::uint32_t got = 0;
  const EventSource io = *loop_.on_io(pair.near(), EPOLLIN, [&](std::uint32_t events) {
    got = events;
    loop_.exit(0);
  });
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(got, EPOLLIN);
}

TEST_F(Loop, DescriptorCallsForNoEventsButThoseAskedForAndTheEnd) {
  Pair pair;
  pair.send();
  std::vector<std::uint32_t> got;
  const EventSource io = *loop_.on_io(pair.near(), EPOLLPRI, [&](std::uint32_t events) {
    got.push_back(events);
    loop_.exit(0);
  });
  const EventSource close = *loop_.after(20ms, [&pair, &got] {
    EXPECT_THAT(got, ElementsAre());
    pair.close_far();
  });
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(got, ElementsAre(EPOLLHUP));
}

TEST_F(Loop, DescriptorThatCannotBeWaitedForIsAnError) {
  EXPECT_FALSE(loop_.on_io(-1, EPOLLIN, [](std::uint32_t) {}));
  const Result<EventSource> closed = loop_.on_io(1'000'000, EPOLLIN, [](std::uint32_t) {});
  ASSERT_FALSE(closed);
  EXPECT_EQ(to_text(closed.error()),
            "cannot wait for file descriptor 1000000: Bad file descriptor");
}

TEST_F(Loop, SignalCallsAndIsBlocked) {
  const EventSource usr1 = *loop_.on_signal(SIGUSR1, [this] { loop_.exit(4); });
  ASSERT_EQ(raise(SIGUSR1), 0);
  EXPECT_EQ(run(), 4);
}

TEST_F(Loop, SignalThatCannotBeWaitedForIsAnError) {
  for (const int signal : {-1, 0, SIGKILL, SIGSTOP, 65, 1'000'000}) {
    SCOPED_TRACE(signal);
    EXPECT_FALSE(loop_.on_signal(signal, [] {}));
  }
  const EventSource first = *loop_.on_signal(SIGUSR2, [] {});
  EXPECT_FALSE(loop_.on_signal(SIGUSR2, [] {}));
}

TEST_F(Loop, WatchdogIsServedUntilTheLoopEnds) {
  const NotifySocket manager;
  const EnvironmentVariable interval{"WATCHDOG_USEC", "100000"};
  ASSERT_TRUE(loop_.enable_watchdog());
  int served = 0;
  const EventSource io = *loop_.on_io(manager.fd(), EPOLLIN, [&](std::uint32_t) {
    EXPECT_EQ(manager.receive(), "WATCHDOG=1");
    if (++served == 3) {
      loop_.exit(0);
    }
  });
  EXPECT_EQ(run(), 0);
}

TEST_F(Loop, WatchdogIsNotServedWhereNoneIsAskedFor) {
  const NotifySocket manager;
  EXPECT_TRUE(loop_.enable_watchdog());
  EXPECT_EQ(manager.receive(), "");
  const EnvironmentVariable interval{"WATCHDOG_USEC", "100000"};
  const EnvironmentVariable other{"WATCHDOG_PID", std::to_string(getpid() + 1)};
  EXPECT_TRUE(loop_.enable_watchdog());
  EXPECT_EQ(manager.receive(), "");
}

TEST_F(Loop, WatchdogIntervalThatIsNoTimeIsAnError) {
  for (const char* usec : {"", "0", "-1", "5s", "18446744073709551615"}) {
    SCOPED_TRACE(usec);
    const EnvironmentVariable interval{"WATCHDOG_USEC", usec};
    EXPECT_FALSE(loop_.enable_watchdog());
  }
}

}  // namespace
}  // namespace eviction::systemd
