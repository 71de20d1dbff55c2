// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include <spdlog/fmt/fmt.h>

#include "agent/findings.h"
#include "agent/validate.h"
#include "config/thresholds.h"

namespace eviction::agent {

namespace {

/// What can only be looked at where a kubelet runs, in this order.
constexpr std::array kKubeletSubjects = {"kubelet-version",
                                         "kubelet-settings",
                                         "target",
                                         "shadowed",
                                         "memory-signal",
                                         "memory-threshold",
                                         "default-signals",
                                         "memory-manager"};

void check_kubelet_absent(const Plan& plan, Findings& findings) {
  const auto& absent = plan.observation.kubelet_absent;
  add(findings,
      "kubelet",
      Severity::kError,
      absent ? fact_of(*absent) : "no kubelet was found",
      absent && !absent->remedy.empty()
          ? absent->remedy
          : "start it; in a container, give the agent hostPID or --path.procfs of the host");
  for (const char* subject : kKubeletSubjects) {
    add(findings,
        subject,
        Severity::kInfo,
        "not known without a kubelet",
        "nothing needs doing: see \"kubelet\"");
  }
}

void check_version(const Kubelet& kubelet, Findings& findings) {
  constexpr const char* kName = "kubelet-version";
  if (!kubelet.version) {
    add(findings,
        kName,
        Severity::kWarning,
        "unknown: " + kubelet.version_source,
        "set version in the section [kubelet] of eviction-agent.ini");
    return;
  }
  const std::string version = config::to_text(*kubelet.version);
  if (kubelet.version->major == 1 && kubelet.version->at_least(config::kOldestMinor) &&
      !kubelet.version->at_least(config::kNewestMinor + 1)) {
    add_ok(findings, kName, version + " (" + kubelet.version_source + ')');
    return;
  }
  add(findings,
      kName,
      Severity::kWarning,
      fmt::format("{}: this agent knows the rules of kubelet 1.{} to 1.{}",
                  version,
                  config::kOldestMinor,
                  config::kNewestMinor),
      "use an agent that knows it; or, once you have checked its plan, allow-version = yes in the "
      "section [kubelet] of eviction-agent.ini");
}

/// The kubelet's settings as it would judge them at its next start.
Verdict judge_settings(const Plan& plan, const Kubelet& kubelet) {
  const config::KubeletVersion newest{.minor = config::kNewestMinor, .patch = {}, .suffix = {}};
  return judge(kubelet.loaded, kubelet.version.value_or(newest), plan.memory.capacity);
}

void check_settings(const Kubelet& kubelet, const Verdict& verdict, Findings& findings) {
  constexpr const char* kName = "kubelet-settings";
  for (const std::string& error : verdict.errors) {
    if (kubelet.version) {
      add(findings,
          kName,
          Severity::kError,
          error,
          "correct it before anything restarts the kubelet: with this it does not start again");
    } else {
      add(findings,
          kName,
          Severity::kWarning,
          error + " (by the rules of the newest known kubelet)",
          "set version in the section [kubelet] of eviction-agent.ini and look again");
    }
  }
  for (const std::string& warning : verdict.warnings) {
    add(findings,
        kName,
        Severity::kWarning,
        warning,
        "correct it; nothing needs doing if it is meant so");
  }
  if (verdict.accepted() && verdict.warnings.empty()) {
    add_ok(findings, kName, "the kubelet accepts its present flags and files");
  }
}

void check_target(const Kubelet& kubelet, Findings& findings) {
  if (kubelet.target != Target::kNone) {
    add_ok(findings, "target", fmt::format("{}: {}", to_text(kubelet.target), kubelet.file));
    return;
  }
  add(findings,
      "target",
      Severity::kWarning,
      "no way to hand the kubelet a value: " + kubelet.target_reason,
      kubelet.embedded
          ? "name k3s' data directory as data-dir in its config.yaml, or enter what \"plan\" shows "
            "by hand"
          : "on kubelet 1.30 or later make a directory, add --config-dir=DIRECTORY to its flags "
            "(kubeadm: KUBELET_EXTRA_ARGS in /etc/default/kubelet or /etc/sysconfig/kubelet) and "
            "restart it; until then enter what \"plan\" shows by hand");
}

void check_shadowed(const Plan& plan, Findings& findings) {
  if (!plan.shadowed_by) {
    add_ok(findings, "shadowed", "nothing overrides the agent's file");
    return;
  }
  add(findings,
      "shadowed",
      Severity::kWarning,
      "what the agent's file says has no effect: " + *plan.shadowed_by + " overrides it",
      "remove the setting there, or set there by hand what \"plan\" shows");
}

/// Below this a threshold is not crossed before the kernel has nothing left to give: no page cache
/// counted, since it is gone by then, and no growth. Absent when a part of it is not known.
std::optional<Bytes> effective_need(const std::string& signal, const MemoryAccount& memory) {
  if (!memory.reserve) {
    return std::nullopt;
  }
  if (signal == config::kMemoryAvailable) {
    return memory.kernel
               ? std::optional{*memory.reserve + *memory.kernel + memory.page_tables_to_come}
               : std::nullopt;
  }
  if (!memory.outside_kubepods || !memory.reserved) {
    return std::nullopt;
  }
  return *memory.reserve + std::max(Bytes{}, *memory.outside_kubepods - *memory.reserved);
}

/// How a threshold in force compares with what it takes to fire in time.
struct Judgement {
  std::string text;
  std::optional<bool> effective;
};

Judgement compare(const config::Threshold& threshold, const MemoryAccount& memory) {
  const Result<Bytes> value = amount(threshold.signal, threshold.value, memory.capacity);
  const std::optional<Bytes> need = effective_need(threshold.signal, memory);
  const std::string name = fmt::format("{} {} < {} ({})",
                                       threshold.soft ? "soft" : "hard",
                                       threshold.signal,
                                       value ? to_human(*value) : "?",
                                       threshold.source);
  if (!value || !need) {
    return {name + " against an unknown need", std::nullopt};
  }
  return {name + " against a need of " + to_human(*need) + " before any growth", *value >= *need};
}

void check_thresholds(const std::vector<config::Threshold>& thresholds,
                      const MemoryAccount& memory,
                      Findings& findings) {
  constexpr const char* kName = "memory-threshold";
  std::string all;
  bool unknown = thresholds.empty();
  for (const config::Threshold& threshold : thresholds) {
    const Judgement judgement = compare(threshold, memory);
    if (judgement.effective.value_or(false)) {
      add_ok(findings, kName, judgement.text);
      return;
    }
    unknown = unknown || !judgement.effective;
    all += (all.empty() ? "" : ", ") + judgement.text;
  }
  if (thresholds.empty()) {
    add(findings,
        kName,
        Severity::kInfo,
        "none is in force",
        "nothing needs doing: see \"memory-signal\"");
  } else if (unknown) {
    add(findings, kName, Severity::kInfo, all, "nothing needs doing: see what could not be read");
  } else {
    add(findings,
        kName,
        Severity::kWarning,
        "the kernel's OOM killer comes first: " + all,
        "raise it to what \"eviction-agent plan\" shows");
  }
}

void check_memory_signal(const Plan& plan, const Verdict& verdict, Findings& findings) {
  constexpr const char* kName = "memory-signal";
  std::vector<config::Threshold> thresholds = verdict.thresholds;
  std::erase_if(thresholds, [](const config::Threshold& threshold) {
    return threshold.signal != config::kMemoryAvailable &&
           threshold.signal != config::kAllocatableMemoryAvailable;
  });
  if (!verdict.accepted()) {
    add(findings,
        kName,
        Severity::kInfo,
        "not known: the kubelet would refuse its settings",
        "nothing needs doing: see \"kubelet-settings\"");
  } else if (thresholds.empty()) {
    add(findings,
        kName,
        Severity::kWarning,
        "no memory eviction signal is in force: a node that runs out of memory gets the kernel's "
        "OOM "
        "killer, not an eviction",
        "put in force what \"eviction-agent plan\" shows");
  } else {
    add_ok(
        findings,
        kName,
        fmt::format("{} is in force ({})", thresholds.front().signal, thresholds.front().source));
  }
  check_thresholds(thresholds, plan.memory, findings);
}

/// The disk signals a kubelet has by default; memory.available has findings of its own.
/// Source: kubelet v1.36 pkg/kubelet/apis/config/v1beta1/defaults_linux.go DefaultEvictionHard;
/// imagefs.inodesFree since 1.30.
struct DefaultSignal {
  const char* signal;
  const char* value;
  int since_minor;
};

constexpr std::array kDiskDefaults = {DefaultSignal{"nodefs.available", "10%", 0},
                                      DefaultSignal{"nodefs.inodesFree", "5%", 0},
                                      DefaultSignal{"imagefs.available", "15%", 0},
                                      DefaultSignal{"imagefs.inodesFree", "5%", 30}};

std::string join(const std::set<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

void check_default_signals(const Kubelet& kubelet, Findings& findings) {
  constexpr const char* kName = "default-signals";
  const config::SettingMap hard =
      kubelet.loaded.settings.eviction_hard.value_or(config::SettingMap{});
  std::set<std::string> lost;
  for (const DefaultSignal& signal : kDiskDefaults) {
    const bool known_then = !kubelet.version || kubelet.version->at_least(signal.since_minor);
    if (known_then && hard.find(signal.signal) == hard.end()) {
      lost.insert(fmt::format("{}<{}", signal.signal, signal.value));
    }
  }
  if (lost.empty()) {
    add_ok(findings, kName, "all disk signals the kubelet has by default are set");
    return;
  }
  std::set<std::string> sources;
  for (const auto& [signal, setting] : hard) {
    sources.insert(setting.source);
  }
  const bool distribution = kubelet.supervisor == "rke2" || kubelet.supervisor == "k3s";
  add(findings,
      kName,
      distribution ? Severity::kInfo : Severity::kWarning,
      "not in force, though kubelet defaults: " + join(lost) +
          (sources.empty()
               ? "; no evictionHard is set, and a kubelet without --config has no defaults"
               : "; evictionHard is set by " + join(sources)),
      distribution
          ? "nothing needs doing: " + kubelet.supervisor + " chooses its disk signals itself"
          : "add them to the same evictionHard map");
}

void check_memory_manager(const Kubelet& kubelet, Findings& findings) {
  const auto& policy = kubelet.loaded.settings.memory_manager_policy;
  if (policy && policy->value == "Static") {
    add(findings,
        "memory-manager",
        Severity::kWarning,
        "memoryManagerPolicy is Static (" + policy->source +
            "): reservedMemory has to equal the reserved memory plus the hard threshold, or the "
            "kubelet does not start",
        "nothing needs doing for a soft threshold; for a hard one drain the node, change "
        "reservedMemory with it and delete memory_manager_state");
  } else {
    add_ok(findings, "memory-manager", "not Static");
  }
}

}  // namespace

void check_kubelet(const Plan& plan, Findings& findings) {
  if (!plan.observation.kubelet) {
    check_kubelet_absent(plan, findings);
    return;
  }
  const Kubelet& kubelet = *plan.observation.kubelet;
  add_ok(findings,
         "kubelet",
         fmt::format("pid {}, started by {}",
                     kubelet.pid,
                     kubelet.supervisor.empty() ? "unknown" : kubelet.supervisor));
  check_version(kubelet, findings);
  const Verdict verdict = judge_settings(plan, kubelet);
  check_settings(kubelet, verdict, findings);
  check_target(kubelet, findings);
  check_shadowed(plan, findings);
  check_memory_signal(plan, verdict, findings);
  check_default_signals(kubelet, findings);
  check_memory_manager(kubelet, findings);
}

}  // namespace eviction::agent
