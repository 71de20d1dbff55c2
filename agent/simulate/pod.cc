// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/pod.h"

#include <algorithm>
#include <utility>

namespace eviction::agent::simulate {

namespace {

/// Spread of the rates of one pod's rises. Source: see scenario.cc.
constexpr double kRateSpread = 0.8;
/// What one CPU faults in. Source: measured, 1.9 to 2.1 GiB/s on a 2026 x86-64 server.
constexpr double kFastest = 2048;
/// From the kubelet's look to the victim's last allocation, through statistics, ranking and
/// container runtime. Source: measured with kubelet 1.36.2; with this the ends of all twelve runs
/// come out.
constexpr double kKillDelay = 2.3;
/// A container that was OOM-killed waits so long, twice as long each time up to 5 min, and 10 s
/// again after it ran for 10 min. Source: kubelet v1.36 pkg/kubelet/kubelet.go backOffPeriod,
/// MaxContainerBackOff.
constexpr double kFirstRestartDelay = 10;
constexpr double kLongestRestartDelay = 300;
constexpr double kForgetRestartsAfter = 600;
/// An evicted pod is made anew by its controller, and the scheduler seldom puts it on the same node
/// at once: after so long it, or another like it, is here.
constexpr double kReturnDelay = 1800;

}  // namespace

ModelPod::ModelPod(PodSpec spec, std::uint64_t seed)
    : spec_{std::make_shared<const PodSpec>(std::move(spec))}, random_{seed} {
  start(0);
  level_ = goal_;
}

void ModelPod::start(double now) {
  state_ = State::kRuns;
  exits_ = false;
  high_ = false;
  level_ = 0;
  goal_ = spec_->base;
  rate_ = std::max(spec_->rate, 50.0);
  since_ = now;
  const bool waits = spec_->behaviour == Behaviour::kLeak && now < spec_->begin;
  next_ =
      waits ? spec_->begin : now + (spec_->every > 0 ? random_.exponential(spec_->every) : 60.0);
}

void ModelPod::choose(double now) {
  const PodSpec& spec = *spec_;
  next_ = now + random_.exponential(std::max(spec.every, 1.0));
  rate_ = std::min(random_.lognormal(std::max(spec.rate, 0.001), kRateSpread), kFastest);
  switch (spec.behaviour) {
    case Behaviour::kSteady:
      goal_ = spec.base * random_.uniform(0.97, 1.03);
      break;
    case Behaviour::kSpike:
      high_ = !high_;
      goal_ = high_ ? spec.base + random_.lognormal(spec.size, spec.spread) : spec.base;
      if (high_) {
        next_ = now + (goal_ - level_) / rate_ + random_.uniform(0.2, 1.8) * spec.hold;
      } else {
        rate_ = kFastest;
      }
      break;
    case Behaviour::kSawTooth:
      high_ = !high_;
      goal_ = high_ ? spec.base + spec.size * random_.uniform(0.8, 1.2) : spec.base;
      next_ = now + (high_ ? (goal_ - level_) / rate_ : 5.0);
      rate_ = high_ ? rate_ : kFastest;
      break;
    case Behaviour::kLeak:
      goal_ = 1e12;
      rate_ = spec.rate;
      next_ = now + 1e12;
      break;
    case Behaviour::kRatchet:
      goal_ = std::max(goal_, level_ + random_.lognormal(spec.size, spec.spread));
      break;
    case Behaviour::kTrace:
      next_ = now + 1e12;
      break;
  }
  if (spec.most > 0) {
    goal_ = std::min(goal_, spec.most);
  }
}

void ModelPod::free_memory(double amount) {
  level_ = std::max(level_ - amount, 0.0);
  exits_ = level_ > 0;
}

void ModelPod::grow(double now, double seconds) {
  if (spec_->points) {
    const std::vector<Point>& points = *spec_->points;
    while (point_ + 1 < points.size() && points[point_ + 1].at <= now) {
      ++point_;
    }
    const Point& left = points[point_];
    const Point& right = points[std::min(point_ + 1, points.size() - 1)];
    const double part = right.at > left.at ? (now - left.at) / (right.at - left.at) : 0;
    level_ = left.mib + std::clamp(part, 0.0, 1.0) * (right.mib - left.mib);
    return;
  }
  if (now >= next_) {
    choose(now);
  }
  if (level_ != goal_) {
    const double most = rate_ * seconds;
    level_ += std::clamp(goal_ - level_, -most, most);
  }
  if (spec_->limit && level_ > *spec_->limit) {
    oom_kill(now);
  }
}

void ModelPod::step(double now, double seconds, double free_rate) {
  switch (state_) {
    case State::kRuns:
      grow(now, seconds);
      break;
    case State::kDies:
      if (!exits_ && now - since_ <= kKillDelay) {
        grow(now, seconds);
      } else {
        free_memory(free_rate * seconds);
      }
      if (level_ <= 0) {
        state_ = State::kGone;
      }
      break;
    case State::kRestarts:
      free_memory(free_rate * seconds);
      if (now - since_ >= restart_delay_ && level_ <= 0) {
        start(now);
      }
      break;
    case State::kGone:
      if (now - since_ >= kReturnDelay) {
        start(now);
      }
      break;
  }
}

void ModelPod::oom_kill(double now) {
  exits_ = true;
  if (state_ == State::kRuns) {
    const bool forgotten = restart_delay_ <= 0 || now - since_ > kForgetRestartsAfter;
    restart_delay_ =
        forgotten ? kFirstRestartDelay : std::min(2 * restart_delay_, kLongestRestartDelay);
    state_ = State::kRestarts;
    since_ = now;
  }
}

void ModelPod::evict(double now) {
  state_ = State::kDies;
  since_ = now;
}

}  // namespace eviction::agent::simulate
