// SPDX-License-Identifier: Apache-2.0
#include "systemd/child_task.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <exception>
#include <utility>

#include "cgroup/write_all.h"

namespace eviction::systemd {

namespace {

constexpr std::size_t kLargest = std::size_t{16} << 20;

tl::unexpected<Error> no_answer(std::string why) {
  return tl::unexpected{Error{.kind = ErrorKind::kIo, .path = {}, .what = std::move(why)}};
}

/// In the child: the event loop's signals are those of a plain process again, and it ends with its
/// parent. _exit() because nothing of the parent's is to be flushed or undone twice.
[[noreturn]] void run_child(const std::function<std::string()>& work, int pipe, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) {
    ::_exit(1);
  }
  sigset_t none;
  sigemptyset(&none);
  static_cast<void>(pthread_sigmask(SIG_SETMASK, &none, nullptr));
  try {
    ::_exit(write_all(pipe, work()) == 0 ? 0 : 1);
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

}  // namespace

Result<std::unique_ptr<ChildTask>> ChildTask::start(EventLoop& loop,
                                                    const std::function<std::string()>& work,
                                                    std::chrono::milliseconds limit,
                                                    std::function<void(Result<std::string>)> done) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failure(-errno, "cannot make a pipe", "raise the limit of open files");
  }
  // std::make_unique cannot call a private constructor.
  std::unique_ptr<ChildTask> task{new ChildTask{std::move(done)}};
  task->pipe_ = Descriptor{ends[0]};
  const Descriptor writing{ends[1]};
  const pid_t parent = ::getpid();
  task->child_ = ::fork();
  if (task->child_ == 0) {
    run_child(work, writing.get(), parent);
  }
  if (task->child_ < 0) {
    return failure(-errno, "cannot start a process", "raise the limit of processes (TasksMax=)");
  }
  if (Result<void> listening = task->listen(loop, limit); !listening) {
    return tl::unexpected{std::move(listening.error())};
  }
  return task;
}

ChildTask::~ChildTask() {
  end();
}

Result<void> ChildTask::listen(EventLoop& loop, std::chrono::milliseconds limit) {
  if (::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return failure(-errno, "cannot set up a pipe");
  }
  auto readable = loop.on_io(pipe_.get(), EPOLLIN, [this](std::uint32_t /*events*/) { read(); });
  auto too_late = loop.after(limit, [this, limit] {
    finish(no_answer("no answer within " + std::to_string(limit.count()) + " ms"));
  });
  if (!readable || !too_late) {
    return tl::unexpected{readable ? too_late.error() : readable.error()};
  }
  readable_ = std::move(*readable);
  too_late_ = std::move(*too_late);
  return {};
}

void ChildTask::read() {
  std::array<char, std::size_t{64} << 10> chunk;  // NOLINT(*-member-init): the kernel fills it
  const ssize_t size = ::read(pipe_.get(), chunk.data(), chunk.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (size > 0) {
    answer_.append(chunk.data(), static_cast<std::size_t>(size));
    if (answer_.size() > kLargest) {
      finish(tl::unexpected{Error{
          .kind = ErrorKind::kTooLarge, .path = {}, .what = "the answer is larger than 16 MiB"}});
    }
    return;
  }
  // Its end of the pipe is closed: it has ended, or is about to.
  const int status = wait();
  if (size < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    finish(no_answer("the process that was to find out has died"));
  } else {
    finish(std::move(answer_));
  }
}

void ChildTask::finish(Result<std::string> answer) {
  end();
  readable_ = {};
  too_late_ = {};
  // Moved out first: the call may destroy this.
  const auto done = std::move(done_);
  done(std::move(answer));
}

void ChildTask::end() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    wait();
  }
}

int ChildTask::wait() {
  int status = -1;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

}  // namespace eviction::systemd
