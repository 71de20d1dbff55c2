// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_signal.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>

#include "cgroup/process.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using testing::HasSubstr;

/// More than a loaded machine needs; nothing waits for it unless a test fails.
constexpr std::chrono::milliseconds kLong{60'000};
constexpr std::chrono::milliseconds kShort{50};

/// A process named like a supervisor, and below it one that runs another program under a name of
/// the test's choice. The parent tells how its child ended.
class Family {
 public:
  Family(const char* parent, const std::string& child_program) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) {
      std::abort();
    }
    parent_ = ::fork();
    if (parent_ == 0) {
      ::close(pipe[0]);
      live_as(parent, child_program, pipe[1]);
    }
    ::close(pipe[1]);
    from_ = pipe[0];
    if (::read(from_, &child_, sizeof child_) != sizeof child_) {
      std::abort();
    }
  }

  ~Family() {
    ::kill(parent_, SIGKILL);
    ::waitpid(parent_, nullptr, 0);
    ::kill(child_, SIGKILL);  // now the test's own child
    ::waitpid(child_, nullptr, 0);
    ::close(from_);
  }

  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  Family(Family&&) = delete;
  Family& operator=(Family&&) = delete;

  [[nodiscard]] int child() const { return child_; }

  /// The signal that ended the child, -1 when it ended by itself, 0 when it runs on after
  /// milliseconds.
  [[nodiscard]] int end_of_child(std::chrono::milliseconds wait) const {
    pollfd ready{.fd = from_, .events = POLLIN, .revents = 0};
    int signal = 0;
    if (::poll(&ready, 1, static_cast<int>(wait.count())) != 1 ||
        ::read(from_, &signal, sizeof signal) <= 0) {
      return 0;
    }
    return signal;
  }

 private:
  [[noreturn]] static void live_as(const char* name, std::string program, int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name);
    std::string seconds = "600";
    std::array<char*, 3> argv{program.data(), seconds.data(), nullptr};
    int child = 0;  // it has executed the program when posix_spawn() returns
    if (::posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ) != 0) {
      ::_exit(1);
    }
    siginfo_t end{};
    // Left a zombie, so that the test knows whose number it has.
    if (::write(to, &child, sizeof child) == sizeof child &&
        ::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT) == 0) {
      const int signal = end.si_code == CLD_KILLED ? end.si_status : -1;
      static_cast<void>(!::write(to, &signal, sizeof signal));
    }
    while (true) {
      ::pause();
    }
  }

  int parent_ = 0;
  int child_ = 0;
  int from_ = -1;
};

class KubeletSignal : public testing::Test {
 protected:
  KubeletSignal() {
    std::filesystem::create_symlink("/bin/sleep", program("kubelet"));
    std::filesystem::create_symlink("/bin/sleep", program("sleeper"));
  }

  [[nodiscard]] std::string program(const std::string& name) const { return tree_.path(name); }

  /// As the agent has observed it.
  [[nodiscard]] Kubelet observe(const Family& family) const {
    cgroup::Buffer buffer;
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (cgroup::read_cmdline(proc_, family.child(), buffer)->empty() &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();  // its arguments are there a moment after it has executed
    }
    Kubelet kubelet;
    kubelet.pid = family.child();
    kubelet.start = cgroup::read_process_stat(proc_, family.child(), buffer)->start;
    kubelet.supervisor = "rke2";
    kubelet.target = Target::kRke2Dropin;
    return kubelet;
  }

  /// Expects that the kubelet is not signalled.
  [[nodiscard]] Error refusal(const Kubelet& kubelet, const Family& family) const {
    const Result<void> done = terminate_kubelet(proc_, kubelet);
    EXPECT_FALSE(done);
    cgroup::Buffer buffer;
    const auto argv = cgroup::read_cmdline(proc_, family.child(), buffer);
    EXPECT_TRUE(argv && !argv->empty()) << "the child has ended";
    EXPECT_EQ(family.end_of_child(kShort), 0);
    return done ? Error{} : done.error();
  }

  tests::TemporaryTree tree_;
  cgroup::Directory proc_ = *cgroup::Directory::open("/proc");
};

MATCHER_P2(Is, kind, what, "") {
  *result_listener << to_text(arg.kind) << ": " << to_text(arg);
  return arg.kind == kind && arg.what.find(what) != std::string::npos && !arg.remedy.empty();
}

TEST_F(KubeletSignal, TerminatesTheKubelet) {
  const Family family{"rke2", program("kubelet")};
  const Result<void> done = terminate_kubelet(proc_, observe(family));
  ASSERT_TRUE(done) << to_text(done.error());
  EXPECT_EQ(family.end_of_child(kLong), SIGTERM);
}

TEST_F(KubeletSignal, RefusesAnotherStartTime) {
  const Family family{"rke2", program("kubelet")};
  for (const int difference : {-1, 1}) {
    Kubelet kubelet = observe(family);
    kubelet.start += static_cast<unsigned long long>(difference);
    EXPECT_THAT(refusal(kubelet, family), Is(ErrorKind::kVanished, "another process"));
  }
}

TEST_F(KubeletSignal, RefusesAnotherProgram) {
  const Family family{"rke2", program("sleeper")};
  EXPECT_THAT(refusal(observe(family), family), Is(ErrorKind::kUnsupported, "no kubelet"));
}

TEST_F(KubeletSignal, RefusesAnotherParent) {
  for (const char* parent : {"systemd", "rke", "rke2-server", "RKE2"}) {
    const Family family{parent, program("kubelet")};
    EXPECT_THAT(refusal(observe(family), family), Is(ErrorKind::kUnsupported, parent));
  }
}

TEST_F(KubeletSignal, RefusesAnotherTarget) {
  const Family family{"rke2", program("kubelet")};
  for (const Target target : {Target::kK3sDropin,
                              Target::kKubeletDropin,
                              Target::kRke2Args,
                              Target::kK3sArgs,
                              Target::kNone}) {
    Kubelet kubelet = observe(family);
    kubelet.target = target;
    EXPECT_THAT(refusal(kubelet, family), Is(ErrorKind::kUnsupported, to_text(target)));
  }
  Kubelet kubelet = observe(family);
  kubelet.embedded = true;
  EXPECT_THAT(refusal(kubelet, family), Is(ErrorKind::kUnsupported, "rke2"));
}

// Numbers that kill() and its like take for groups or for init.
TEST_F(KubeletSignal, RefusesWhatIsNoNumberOfAKubelet) {
  const Family family{"rke2", program("kubelet")};
  for (const int pid : {1, 0, -1, -family.child()}) {
    Kubelet kubelet = observe(family);
    kubelet.pid = pid;
    EXPECT_EQ(refusal(kubelet, family).kind, ErrorKind::kUnsupported) << pid;
  }
}

TEST_F(KubeletSignal, RefusesAKubeletThatHasEnded) {
  Kubelet kubelet;
  {
    const Family family{"rke2", program("kubelet")};
    kubelet = observe(family);
    ASSERT_TRUE(terminate_kubelet(proc_, kubelet));
    ASSERT_EQ(family.end_of_child(kLong), SIGTERM);
    // Its parent has not waited for it yet.
    EXPECT_THAT(terminate_kubelet(proc_, kubelet).error(), Is(ErrorKind::kVanished, "ending"));
  }
  EXPECT_THAT(terminate_kubelet(proc_, kubelet).error(), Is(ErrorKind::kVanished, "ended"));
}

// The host's /proc in a container that has process numbers of its own.
TEST_F(KubeletSignal, RefusesNumbersOfAnotherNamespace) {
  const Family family{"rke2", program("kubelet")};
  const Kubelet kubelet = observe(family);
  const std::string folder = "proc/" + std::to_string(kubelet.pid);
  cgroup::Buffer buffer;
  for (const char* file : {"/stat", "/cmdline"}) {
    tree_.file(folder + file, *proc_.read(std::to_string(kubelet.pid) + file, buffer));
  }
  const cgroup::Directory host = *cgroup::Directory::open(tree_.path("proc"));
  for (const char* status :
       {"Name:\ta\nNSpid:\t4711\t7\n", "Name:\ta\n", "NSpid:\n", "NSpid:\tx\n"}) {
    tree_.file("proc/self/status", status);
    EXPECT_THAT(terminate_kubelet(host, kubelet).error(), Is(ErrorKind::kDenied, "PID namespace"))
        << status;
  }
  std::filesystem::remove_all(tree_.path("proc/self"));
  EXPECT_THAT(terminate_kubelet(host, kubelet).error(), Is(ErrorKind::kDenied, "not among"));
  EXPECT_THAT(terminate_kubelet(host, kubelet).error().remedy, HasSubstr("hostPID"));
  EXPECT_EQ(family.end_of_child(kShort), 0);
}

}  // namespace
}  // namespace eviction::agent
