// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime_watch.h"

#include <utility>

#include "agent/container_runtime.h"

namespace eviction::agent {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kAnswerTime{2000};
constexpr seconds kInterval{1};
constexpr seconds kQuietInterval{60};
/// As long as a Question may take: an answer that took that long would otherwise be too old at
/// once, and asked for again for ever.
constexpr seconds kFresh{10};

}  // namespace

RuntimeWatch::RuntimeWatch(systemd::EventLoop& loop,
                           const Result<cgroup::Directory>& root,
                           std::function<void()> answered)
    : root_{root}, answered_{std::move(answered)}, question_{loop, [this](const auto& /*answer*/) {
                                                               on_answer();
                                                             }} {}

void RuntimeWatch::on_answer() {
  if (std::exchange(awaited_, false)) {
    answered_();
  }
}

std::optional<std::string> RuntimeWatch::silence(const Kubelet& kubelet, bool quiet) {
  const auto answer = ask(kubelet, quiet ? kQuietInterval : kInterval);
  if (!answer) {
    return std::nullopt;
  }
  return *answer ? **answer : to_text(answer->error());
}

bool RuntimeWatch::is_fresh(const Kubelet& kubelet) {
  if (question_.is_younger(kFresh)) {
    return true;
  }
  awaited_ = true;
  static_cast<void>(ask(kubelet, {}));
  return false;
}

std::optional<Result<std::string>> RuntimeWatch::ask(const Kubelet& kubelet, milliseconds every) {
  return question_.latest(std::to_string(kubelet.start), every, [&] {
    const auto answers = container_runtime_answers(kubelet, *root_, kAnswerTime);
    return answers ? std::string{} : to_text(answers.error());
  });
}

}  // namespace eviction::agent
