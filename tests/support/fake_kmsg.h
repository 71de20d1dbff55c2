// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "agent/kmsg_reader.h"
#include "cgroup/descriptor.h"
#include "tests/support/temporary_tree.h"

namespace eviction::tests {

/// A tree's dev/kmsg: a pipe that keeps the bounds of what is written (pipe(7), O_DIRECT), so that
/// a read gives one record as of the real one.
class FakeKmsg {
 public:
  /// ahead: how much later its records are than now.
  explicit FakeKmsg(TemporaryTree& tree, std::chrono::microseconds ahead = {}) : ahead_{ahead} {
    tree.directory("dev");
    constexpr int kRoom = 1 << 20;
    if (::mkfifo(tree.path("dev/kmsg").c_str(), S_IRUSR | S_IWUSR) != 0) {
      std::abort();
    }
    file_ = Descriptor{::open(tree.path("dev/kmsg").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (::fcntl(file_.get(), F_SETFL, O_NONBLOCK | O_DIRECT) != 0 ||
        ::fcntl(file_.get(), F_SETPIPE_SZ, kRoom) < 0) {
      std::abort();
    }
  }

  /// The kernel logs a line, its text escaped already; or logged it so long ago.
  void log(const std::string& text, std::chrono::microseconds age = {}) {
    const std::chrono::microseconds at = agent::kmsg_now() + ahead_ - age;
    records_.push_back("6," + std::to_string(records_.size()) + ',' + std::to_string(at.count()) +
                       ",-;" + text + '\n');
    write(records_.back());
  }

  /// What a process finds that opens it anew: all that was logged since boot.
  void rewind() const {
    for (const std::string& record : records_) {
      write(record);
    }
  }

 private:
  void write(const std::string& record) const {
    if (::write(file_.get(), record.data(), record.size()) != static_cast<ssize_t>(record.size())) {
      std::abort();
    }
  }

  std::chrono::microseconds ahead_;
  Descriptor file_;
  std::vector<std::string> records_;
};

}  // namespace eviction::tests
