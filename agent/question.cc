// SPDX-License-Identifier: Apache-2.0
#include "agent/question.h"

#include <utility>

namespace eviction::agent {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::optional<Result<std::string>> Question::latest(const std::string& subject,
                                                    milliseconds every,
                                                    const std::function<std::string()>& ask) {
  if (subject != subject_) {
    task_.reset();
    answer_.reset();
    subject_ = subject;
  }
  if (!task_ && (!answer_ || steady_clock::now() - answer_of_ >= every)) {
    start(ask);
  }
  return answer_;
}

bool Question::is_younger(milliseconds age) const {
  return answer_ && steady_clock::now() - answer_of_ < age;
}

void Question::start(const std::function<std::string()>& ask) {
  asked_ = steady_clock::now();
  const auto keep = [this](Result<std::string> answer) {
    answer_ = std::move(answer);
    answer_of_ = asked_;
    task_.reset();
    if (answered_) {
      answered_(*answer_);
    }
  };
  auto task = systemd::ChildTask::start(loop_, ask, kLimit, keep);
  if (task) {
    task_ = std::move(*task);
  } else {
    answer_ = tl::unexpected{std::move(task.error())};
    answer_of_ = asked_;
  }
}

}  // namespace eviction::agent
