// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/scenario.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent::simulate {

namespace {

constexpr double kGib = 1024;
constexpr double kHour = 3600;
/// A launcher pod's memory besides the guest's: 220 MiB and 2 MiB per GiB, by half more on
/// Harvester. Source: kubevirt pkg/hypervisor/kvm GetMemoryOverhead, harvester setting
/// additional-guest-memory-overhead-ratio.
constexpr double kOverhead = 330;
constexpr double kOverheadShare = 0.003;
/// Harvester's default: a VM requests its guest memory divided by this.
constexpr double kOvercommit = 1.5;

/// The node of the public figures.
constexpr double kUsualCapacity = 128 * kGib;
/// Median size and rate of a container's spike, as shares of a node of that size. Source: what
/// makes a node rise as one of a hot public fleet did (16 machines, 131,632 machine-minutes, at 72
/// to 98 % use): within 1 min p99.9 6 %, within 5 min 9 % of RAM.
constexpr double kSpikeShare = 0.025;
constexpr double kSpikeSharePerSecond = 0.035 / 60;
/// Median of what a VM takes in one go, of its guest memory. 500 public VM traces packed on nodes
/// of 128 GiB: rise within 5 min p99.9 1.2 to 2.5 GiB, most 20 GiB.
constexpr double kVmBurst = 0.02;

/// What nodes take at a time grows somewhat slower than they do: p99.9 from 1.2-2.5 GiB at 128 GiB
/// to 5-9 GiB at 512 GiB, the largest from 20 to 30 GiB (the VM traces above). Here as C^7/8.
double scaled_capacity(double capacity) {
  const double ratio = capacity / kUsualCapacity;
  return capacity / std::sqrt(std::sqrt(std::sqrt(ratio)));
}

class Generator {
 public:
  explicit Generator(const Cell& cell) : cell_{cell}, random_{cell.seed} {}

  Scenario generate() {
    Scenario scenario;
    scenario.name = fmt::format(
        "{:g}-{}-{}", cell_.capacity_mib / kGib, to_text(cell_.mix), to_text(cell_.weather));
    scenario.seconds = cell_.seconds;
    scenario.seed = random_.next();
    scenario.node = node_of(cell_.capacity_mib);
    scenario.node.kernel *= random_.uniform(0.8, 1.6);
    scenario.node.cache *= random_.uniform(0.5, 1.5);
    scenario.node.hot_cache = random_.uniform(0.25, 0.6);
    const double usable = scenario.node.capacity - scenario.node.system - scenario.node.kernel -
                          scenario.node.reserve;
    const double vm_part = cell_.mix == Mix::kContainers ? 0
                           : cell_.mix == Mix::kMixed    ? 0.6
                                                         : 0.96;
    const double bases = use() * usable;
    add_containers((1 - vm_part) * bases);
    add_vms(vm_part * bases);
    if (cell_.weather == Weather::kBursty) {
      pack(usable);
    } else if (cell_.weather == Weather::kLeaking) {
      leak(usable - bases);
    }
    fit_requests();
    scenario.pods = std::move(pods_);
    return scenario;
  }

 private:
  /// Of what pods can have, by all of them when nothing happens. A bursty node is packed by its
  /// busy hours instead.
  double use() {
    switch (cell_.weather) {
      case Weather::kCalm:
        return random_.uniform(0.60, 0.75);
      case Weather::kBursty:
        return 0.75;
      case Weather::kRatcheting:
        return random_.uniform(0.75, 0.85);
      case Weather::kLeaking:
        return random_.uniform(0.65, 0.80);
    }
    return 0;
  }

  void add_containers(double bases) {
    const double mean = std::clamp(cell_.capacity_mib / 40, 250.0, 8 * kGib);
    const int count = std::clamp(static_cast<int>(bases / mean), 4, 60);
    std::vector<double> weights;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      weights.push_back(random_.lognormal(1, 0.8));
      sum += weights.back();
    }
    for (int i = 0; i < count; ++i) {
      pods_.push_back(container(i, count, bases * weights[static_cast<std::size_t>(i)] / sum));
    }
  }

  PodSpec container(int index, int count, double base) {
    PodSpec pod;
    pod.name = fmt::format("container-{}", index);
    pod.base = base;
    pod.request = base * random_.uniform(0.7, 1.1);
    pod.every = random_.uniform(60, 600);
    pod.rate = 10;
    if (random_.chance(0.1)) {
      pod.qos = cgroup::QosClass::kBestEffort;
      pod.request = 0;
    }
    pod.priority = random_.chance(0.1) ? 1000 : 0;
    if (index % 3 == 0) {
      behave(pod, count);
    } else if (random_.chance(0.5)) {
      pod.limit = 2 * base + 200;
    }
    return pod;
  }

  /// What a third of the containers do: what the weather says; in other than bursty weather spikes
  /// of a sixth the size.
  void behave(PodSpec& pod, int count) {
    const double scaled = scaled_capacity(cell_.capacity_mib);
    if (cell_.weather == Weather::kRatcheting && cell_.mix == Mix::kContainers) {
      pod.behaviour = Behaviour::kRatchet;
      pod.size = 0.004 * scaled;
      pod.most = pod.base + 1.6 * cell_.capacity_mib / count;
      pod.rate = kSpikeSharePerSecond * scaled;
      pod.every = 4 * kHour;
      return;
    }
    const double strength = cell_.weather == Weather::kBursty ? 1 : 1.0 / 6;
    const bool saw_tooth = random_.chance(0.3);
    pod.behaviour = saw_tooth ? Behaviour::kSawTooth : Behaviour::kSpike;
    pod.size = strength * kSpikeShare * scaled * random_.uniform(0.6, 1.4);
    pod.rate = strength * kSpikeSharePerSecond * scaled * (saw_tooth ? 0.1 : 1);
    pod.every = random_.uniform(1, 6) * kHour;
    pod.hold = random_.uniform(600, 1800);
  }

  void add_vms(double bases) {
    if (bases <= 0) {
      return;
    }
    constexpr std::array<double, 6> kGuests{1, 2, 4, 8, 16, 32};
    const double scale = std::max(std::round(cell_.capacity_mib / kGib / 128), 1.0);
    const bool ratcheting = cell_.weather == Weather::kRatcheting;
    const double filled = ratcheting ? random_.uniform(0.5, 0.65) : random_.uniform(0.85, 0.95);
    double left = bases;
    for (int i = 0; left > 0 && i < 200; ++i) {
      const auto kind = static_cast<std::size_t>(random_.uniform(0, 6));
      const double guest = std::min(kGuests.at(kind) * scale * kGib, cell_.capacity_mib / 8);
      PodSpec pod = vm(i, guest, filled);
      pod.base = std::min(pod.base, left);
      left -= pod.base;
      pods_.push_back(std::move(pod));
    }
  }

  PodSpec vm(int index, double guest, double filled) {
    PodSpec pod;
    pod.name = fmt::format("virt-launcher-{}", index);
    pod.workload = WorkloadClass::kVm;
    pod.behaviour = Behaviour::kRatchet;
    pod.most = guest * (1 + kOverheadShare) + kOverhead;
    pod.limit = pod.most + 100;
    pod.request = guest / kOvercommit + kOverhead + guest * kOverheadShare;
    pod.base = std::min(filled * random_.uniform(0.85, 1.15), 1.0) * guest + kOverhead;
    pod.rate = random_.lognormal(100, 0.7);
    pod.size = guest * kVmBurst;
    pod.spread = 0.7;
    switch (cell_.weather) {
      case Weather::kCalm:
      case Weather::kLeaking:
        pod.size = guest * kVmBurst / 10;
        pod.every = 12 * kHour;
        break;
      case Weather::kBursty:
        pod.size = guest * kVmBurst / 10;
        pod.every = 24 * kHour;
        if (index % 3 == 0) {
          start_and_stop(pod);
        }
        break;
      case Weather::kRatcheting:
        pod.every = random_.uniform(2, 6) * kHour;
        break;
    }
    return pod;
  }

  /// A VM that its owner starts for some hours: it takes its memory while it boots.
  void start_and_stop(PodSpec& pod) {
    pod.behaviour = Behaviour::kSpike;
    pod.size = pod.base - kOverhead;
    pod.spread = 0.05;
    pod.base = kOverhead;
    pod.every = random_.uniform(2, 8) * kHour;
    pod.hold = random_.uniform(1, 4) * kHour;
    pod.rate = random_.lognormal(200, 0.5);
  }

  /// Scales what does not spike so that the node is full in busy hours: at its mean use and 1.2 to
  /// 2.4 standard deviations.
  void pack(double usable) {
    double still = 0;
    double mean = 0;
    double variance = 0;
    for (const PodSpec& pod : pods_) {
      if (pod.behaviour == Behaviour::kSpike) {
        const double time = pod.size / pod.rate + pod.hold;
        const double busy = time / (time + pod.every);
        mean += busy * pod.size + pod.base;
        variance += busy * (1 - busy) * pod.size * pod.size;
      } else if (pod.behaviour == Behaviour::kSawTooth) {
        mean += pod.size / 2 + pod.base;
        variance += pod.size * pod.size / 12;
      } else {
        still += pod.base;
      }
    }
    const double room = usable - mean - random_.uniform(1.2, 2.4) * std::sqrt(variance);
    const double factor = std::max(room, 0.2 * usable) / still;
    for (PodSpec& pod : pods_) {
      if (pod.behaviour != Behaviour::kSpike && pod.behaviour != Behaviour::kSawTooth) {
        pod.base *= factor;
        pod.request *= factor;
        pod.most *= factor;
        if (pod.limit) {
          *pod.limit *= factor;
        }
      }
    }
  }

  /// Makes one pod in twenty leak, all together so that they use up the headroom in half an hour to
  /// four hours. On a node with VMs only it is a launcher, beside its guest.
  void leak(double headroom) {
    const WorkloadClass of =
        cell_.mix == Mix::kVms ? WorkloadClass::kVm : WorkloadClass::kContainer;
    const auto is_candidate = [of](const PodSpec& pod) { return pod.workload == of; };
    const auto leaks = 1 + std::ranges::count_if(pods_, is_candidate) / 20;
    const double rate = headroom / (random_.uniform(0.5, 4) * kHour) / static_cast<double>(leaks);
    auto left = leaks;
    for (PodSpec& pod : pods_) {
      if (left > 0 && is_candidate(pod)) {
        pod.behaviour = Behaviour::kLeak;
        pod.rate = rate * random_.uniform(0.5, 1.5);
        pod.begin = random_.uniform(1, 12) * kHour;
        pod.limit.reset();
        pod.most = 0;
        --left;
      }
    }
  }

  /// No scheduler places more than what is allocatable.
  void fit_requests() {
    double sum = 0;
    for (const PodSpec& pod : pods_) {
      sum += pod.request;
    }
    const double most = random_.uniform(0.75, 0.96) * cell_.capacity_mib;
    for (PodSpec& pod : pods_) {
      pod.request *= std::min(most / sum, 1.0);
    }
  }

  Cell cell_;
  Random random_;
  std::vector<PodSpec> pods_;
};

}  // namespace

std::string_view to_text(Mix mix) {
  switch (mix) {
    case Mix::kContainers:
      return "containers";
    case Mix::kMixed:
      return "mixed";
    case Mix::kVms:
      return "vms";
  }
  return "";
}

std::string_view to_text(Weather weather) {
  switch (weather) {
    case Weather::kCalm:
      return "calm";
    case Weather::kBursty:
      return "bursty";
    case Weather::kRatcheting:
      return "ratcheting";
    case Weather::kLeaking:
      return "leaking";
  }
  return "";
}

Scenario generate(const Cell& cell) {
  return Generator{cell}.generate();
}

std::vector<Cell> suite(std::uint64_t seed, double seconds) {
  constexpr std::array<double, 5> kSizes{16, 64, 256, 1024, 2048};
  Random random{seed};
  std::vector<Cell> cells;
  for (const double size : kSizes) {
    for (const Mix mix : kMixes) {
      for (const Weather weather : kWeathers) {
        cells.push_back({size * kGib, mix, weather, seconds, random.next()});
      }
    }
  }
  return cells;
}

}  // namespace eviction::agent::simulate
