// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/restart_guards.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

constexpr std::chrono::minutes kSettleTime{5};

/// Above this share of time stalled on memory (hundredths of a percent, 10 s average) a restart
/// adds to trouble. Source: a third of katalyst's eviction line of 15 %.
constexpr int kCalmSome = 500;

/// A pod of a running upgrade of the node. Source: harvester v1.5
/// pkg/controller/master/upgrade/common.go (hvst-upgrade-), rancher system-upgrade-controller
/// (apply-PLAN-on-NODE-...).
const Pod* upgrade_pod(const std::vector<Pod>& pods) {
  const auto found = std::ranges::find_if(pods, [](const Pod& pod) {
    const bool harvester =
        pod.name_space == "harvester-system" && pod.name.starts_with("hvst-upgrade-");
    const bool plan = (pod.name_space == "cattle-system" || pod.name_space == "system-upgrade") &&
                      pod.name.starts_with("apply-") && pod.name.find("-on-") != std::string::npos;
    return harvester || plan;
  });
  return found == pods.end() ? nullptr : &*found;
}

/// A range of versions that must not be restarted.
struct DeniedVersion {
  int minor;
  int first_patch;
  int last_patch;
  const char* reason;
};

/// RKE2 releases whose restart tore down every pod on the node. Source: rancher/rke2#3723,
/// containerd/containerd#7843.
constexpr std::array<DeniedVersion, 3> kDenied = {
    {{24, 9, 9, "rke2#3723"}, {25, 5, 5, "rke2#3723"}, {26, 0, 0, "rke2#3723"}}};

}  // namespace

Guard calm(const Observation& seen, const Circumstances& circumstances) {
  if (!seen.pressure && !circumstances.stalls) {
    return {"calm", std::nullopt, "no PSI, and one look tells no rate of allocation stalls"};
  }
  if (!seen.pressure) {
    return {"calm",
            *circumstances.stalls == 0,
            fmt::format("no PSI; {} allocations stalled on reclaim since the last look, 0 allowed",
                        *circumstances.stalls)};
  }
  const int some = seen.pressure->some.avg10;
  return {"calm",
          some < kCalmSome,
          fmt::format("{:.2f} % of the last 10 s stalled on memory, {:.2f} % allowed",
                      some / 100.0,
                      kCalmSome / 100.0)};
}

std::optional<std::chrono::seconds> settled_for(const Observation& seen) {
  const std::optional<std::chrono::seconds> age = kubelet_age(seen);
  return age ? std::optional{std::min(*age, *seen.uptime) - kSettleTime} : std::nullopt;
}

Guard settled(const Observation& seen, const Circumstances& circumstances) {
  const std::optional<std::chrono::seconds> known_age = kubelet_age(seen);
  if (!known_age) {
    return {"settled", std::nullopt, "no kubelet or no uptime to look at"};
  }
  const std::chrono::seconds age = *known_age;
  if (*settled_for(seen) < std::chrono::seconds{0}) {
    return {"settled",
            false,
            fmt::format("node up for {} s, kubelet for {} s: {} s each are needed",
                        seen.uptime->count(),
                        age.count(),
                        std::chrono::seconds{kSettleTime}.count())};
  }
  if (const Pod* const upgrade = upgrade_pod(seen.pods)) {
    return {"settled", false, "an upgrade of the node is under way: pod " + upgrade->name};
  }
  const std::string times =
      fmt::format("node up for {} min, kubelet for {} min",
                  std::chrono::duration_cast<std::chrono::minutes>(*seen.uptime).count(),
                  std::chrono::duration_cast<std::chrono::minutes>(age).count());
  if (!circumstances.runtime_silence) {
    return {"settled",
            std::nullopt,
            times + "; the container runtime was not asked yet: apply and the daemon do that"};
  }
  if (!circumstances.runtime_silence->empty()) {
    return {"settled",
            false,
            "the container runtime does not answer: " + *circumstances.runtime_silence};
  }
  return {"settled", true, times + "; the container runtime answers"};
}

Guard restart_budget(const Circumstances& circumstances, const config::AgentConfig& config) {
  if (!circumstances.restart_refused.empty()) {
    return {"restart-budget", false, circumstances.restart_refused};
  }
  return {"restart-budget",
          circumstances.restarts_today < config.restarts_per_day,
          fmt::format("{} of {} restarts of the kubelet by the agent in the last 24 h",
                      circumstances.restarts_today,
                      config.restarts_per_day)};
}

Guard version(const Observation& seen, const config::AgentConfig& config) {
  if (!seen.kubelet) {
    return {"version", std::nullopt, "no kubelet found"};
  }
  if (!seen.kubelet->version) {
    return {"version", std::nullopt, "unknown: " + seen.kubelet->version_source};
  }
  const config::KubeletVersion& found = *seen.kubelet->version;
  const std::string text = config::to_text(found);
  for (const DeniedVersion& denied : kDenied) {
    const int patch = found.patch.value_or(denied.first_patch);
    if (found.minor == denied.minor && patch >= denied.first_patch && patch <= denied.last_patch &&
        seen.kubelet->supervisor == "rke2") {
      return {"version",
              false,
              fmt::format("{} loses pods when it restarts ({})", text, denied.reason)};
    }
  }
  const bool known = found.major == 1 && found.minor >= config::kOldestMinor &&
                     found.minor <= config::kNewestMinor;
  if (known || config.allow_unknown_version) {
    return {"version", true, text + (known ? " is known" : " is allowed by the configuration")};
  }
  return {"version",
          std::nullopt,
          fmt::format("{} is outside 1.{} to 1.{}; [kubelet] allow-version = yes accepts it",
                      text,
                      config::kOldestMinor,
                      config::kNewestMinor)};
}

std::string restart_forbidden(const Kubelet& kubelet, const config::AgentConfig& config) {
  if (!is_whole_service(kubelet.target) || config.restart_unit) {
    return {};
  }
  return fmt::format(
      "target {} needs a restart of the whole service, and [kubelet] restart-unit is no",
      to_text(kubelet.target));
}

}  // namespace eviction::agent
