// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/simulate/random.h"
#include "agent/workload.h"

namespace eviction::agent::simulate {

/// Amounts of the model are MiB and times are seconds, both double: a model, not an account.

/// How a modelled pod takes memory.
enum class Behaviour {
  kSteady,    ///< wanders by a few percent
  kSpike,     ///< now and then takes much within seconds, and gives it back after minutes
  kSawTooth,  ///< fills up over minutes, and collects its garbage
  kLeak,      ///< takes more at a constant rate until it is killed
  kRatchet,   ///< a VM: takes more in bursts and never gives back
  kTrace,     ///< follows given points
};

/// A point of a recorded course.
struct Point {
  double at = 0;
  double mib = 0;
  bool away = false;  ///< from here to the next point the pod is not on the node
};

/// What a pod is, and what it will do. Sizes in MiB, rates in MiB/s, times in s.
struct PodSpec {
  std::string name = {};
  WorkloadClass workload = WorkloadClass::kContainer;
  cgroup::QosClass qos = cgroup::QosClass::kBurstable;
  Behaviour behaviour = Behaviour::kSteady;
  int priority = 0;
  double request = 0;
  std::optional<double> limit = {};
  double base = 0;      ///< what it holds when nothing happens
  double size = 0;      ///< median of a spike or a burst; peak of a saw-tooth
  double spread = 0.5;  ///< standard deviation of the logarithm of size
  double most = 0;    ///< what it never exceeds: a VM's guest memory with its overhead; 0: no bound
  double rate = 0;    ///< median rate of a rise
  double every = 0;   ///< mean time between two spikes or bursts
  double hold = 600;  ///< mean time at the height of a spike
  double begin = 0;   ///< a leak starts then
  std::shared_ptr<const std::vector<Point>> points = {};  ///< kTrace only, in order of time
};

/// A pod at one moment.
class ModelPod {
 public:
  ModelPod(PodSpec spec, std::uint64_t seed);

  /// One step further. now: its end. free_rate: what an exiting process gives back, MiB/s.
  void step(double now, double seconds, double free_rate);

  /// Killed at once by the kernel; its container starts again after a while.
  void oom_kill(double now);
  /// Told to die by the kubelet: holds its memory a moment longer, and comes back, from the start,
  /// after a long while.
  void evict(double now);

  [[nodiscard]] const PodSpec& spec() const { return *spec_; }

  [[nodiscard]] double mib() const { return level_; }

  /// Runs: neither killed nor gone.
  [[nodiscard]] bool runs() const { return state_ == State::kRuns; }

  /// Its containers may be gone for a moment, but the pod is on the node.
  [[nodiscard]] bool is_here() const {
    return state_ != State::kGone && state_ != State::kDies && !is_away();
  }

  /// Evicted, and its memory not yet free.
  [[nodiscard]] bool dies() const { return state_ == State::kDies; }

  /// Killed, and its memory not yet free: the kernel waits for it.
  [[nodiscard]] bool exits() const { return exits_; }

 private:
  enum class State { kRuns, kDies, kRestarts, kGone };

  [[nodiscard]] bool is_away() const { return spec_->points && (*spec_->points)[point_].away; }

  void start(double now);
  void choose(double now);
  void free_memory(double amount);
  void grow(double now, double seconds);

  std::shared_ptr<const PodSpec> spec_;
  Random random_;
  State state_ = State::kRuns;
  bool exits_ = false;
  bool high_ = false;  ///< a spike lasts
  double level_ = 0;
  double goal_ = 0;
  double rate_ = 0;
  double next_ = 0;   ///< when something else happens
  double since_ = 0;  ///< its state is what it is
  double restart_delay_ = 0;
  std::size_t point_ = 0;
};

}  // namespace eviction::agent::simulate
