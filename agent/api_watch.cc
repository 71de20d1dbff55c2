// SPDX-License-Identifier: Apache-2.0
#include "agent/api_watch.h"

#include <algorithm>
#include <utility>

namespace eviction::agent {

namespace {

using std::chrono::steady_clock;

/// A list of 250 pods costs some 20 ms to ask for and to read; what changes on a pod that is known
/// is a resize.
constexpr std::chrono::seconds kInterval{60};
constexpr std::chrono::seconds kNewcomerInterval{10};
constexpr std::chrono::minutes kStale{5};

std::string subject_of(const Kubelet& kubelet) {
  std::string text = kubelet.version ? "" : "version ";
  for (const std::string& argument : kubelet.arguments) {
    text += argument + '\n';
  }
  return text;
}

}  // namespace

ApiWatch::ApiWatch(systemd::EventLoop& loop,
                   const Result<cgroup::Directory>& root,
                   std::function<void()> answered)
    : root_{root},
      question_{loop, [this, answered = std::move(answered)](const Result<std::string>& text) {
                  take(text);
                  answered();
                }} {}

std::optional<Result<ApiView>> ApiWatch::view(const Kubelet& kubelet,
                                              const std::vector<cgroup::PodCgroup>& pods) {
  std::set<std::string> live;
  for (const cgroup::PodCgroup& pod : pods) {
    live.insert(pod.uid);
  }
  const bool newcomer = !std::ranges::includes(known_, live);
  if (!question_.is_asking()) {
    asked_ = std::move(live);
  }
  const auto answer =
      question_.latest(subject_of(kubelet), newcomer ? kNewcomerInterval : kInterval, [&] {
        return render_api_view(ask_api_server(*root_, kubelet));
      });
  if (view_ && answer && steady_clock::now() - view_since_ < kStale) {
    return *view_;
  }
  if (problem_ && answer) {
    return tl::unexpected{*problem_};
  }
  return std::nullopt;
}

void ApiWatch::take(const Result<std::string>& text) {
  Result<ApiView> view = text ? parse_api_view(*text) : tl::unexpected{text.error()};
  // One that the API server does not know is not asked for again and again.
  known_ = asked_;
  if (!view) {
    problem_ = std::move(view.error());
    return;
  }
  problem_.reset();
  view_ = std::move(*view);
  view_since_ = steady_clock::now();
}

}  // namespace eviction::agent
