// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "agent/metrics/parts.h"
#include "agent/policy/foreign_settings.h"
#include "agent/policy/set_thresholds.h"
#include "config/thresholds.h"

namespace eviction::agent::metrics {

namespace {

constexpr std::string_view kHard = "hard";
constexpr std::string_view kSoft = "soft";

/// Who set a value, in a word: a path would be a label of its own for each node.
std::string_view setter(const Kubelet& kubelet, const std::string& source, Bytes memory) {
  if (is_ours(kubelet, source, memory)) {
    return "agent";
  }
  if (source == config::kKubeletDefault) {
    return "default";
  }
  return source.starts_with("--") ? "flag" : "file";
}

struct AppliedThreshold {
  std::string signal;
  std::string_view kind;
  std::string_view source;
  Bytes bytes;
  std::optional<Bytes> reclaim;
  std::optional<Bytes> available;  ///< what the kubelet compares it with
};

bool is_memory_signal(const std::string& signal) {
  return signal == config::kMemoryAvailable || signal == config::kAllocatableMemoryAvailable;
}

std::optional<Bytes> available_of(const std::string& signal, const Plan& plan) {
  if (signal == config::kMemoryAvailable) {
    return plan.memory.kubelet_available;
  }
  const auto& kubepods = plan.observation.kubepods;
  if (!kubepods || !kubepods->max || !kubepods->max->bytes || !kubepods->working_set()) {
    return std::nullopt;
  }
  return *kubepods->max->bytes - *kubepods->working_set();
}

/// Absent: no kubelet, or it would not start with its settings.
std::optional<std::vector<AppliedThreshold>> applied_thresholds(const Plan& plan) {
  const auto& kubelet = plan.observation.kubelet;
  if (!kubelet || !plan.memory.capacity) {
    return std::nullopt;
  }
  const auto thresholds = set_thresholds(plan.observation);
  if (!thresholds) {
    return std::nullopt;
  }
  std::vector<AppliedThreshold> applied;
  for (const config::Threshold& threshold : *thresholds) {
    if (!is_memory_signal(threshold.signal)) {
      continue;
    }
    AppliedThreshold& last = applied.emplace_back();
    last.signal = threshold.signal;
    last.kind = threshold.soft ? kSoft : kHard;
    last.bytes = config::threshold_bytes(threshold.value, *plan.memory.capacity);
    last.source = setter(*kubelet, threshold.source, last.bytes);
    if (threshold.min_reclaim) {
      last.reclaim = config::threshold_bytes(*threshold.min_reclaim, *plan.memory.capacity);
    }
    last.available = available_of(threshold.signal, plan);
  }
  return applied;
}

void add_applied(Families& families, const Plan& plan) {
  const auto applied = applied_thresholds(plan);
  if (!applied) {
    return;
  }
  families.gauge("memory_signals_applied",
                 "Thresholds of memory.available in the kubelet's flags and files. 0: the kernel "
                 "kills before the kubelet evicts.");
  std::uint64_t signals = 0;
  for (const AppliedThreshold& threshold : *applied) {
    signals += threshold.signal == config::kMemoryAvailable ? 1U : 0U;
  }
  families.add(signals);
  families.gauge("threshold_applied_bytes",
                 "Threshold that the kubelet's flags and files set, and who set it.");
  for (const AppliedThreshold& threshold : *applied) {
    families.add(
        threshold.bytes,
        {{"signal", threshold.signal}, {"kind", threshold.kind}, {"source", threshold.source}});
  }
  families.gauge("threshold_distance_bytes",
                 "What may still be used until the kubelet evicts: available less the threshold "
                 "applied. Below 0 it evicts.");
  for (const AppliedThreshold& threshold : *applied) {
    if (threshold.available) {
      families.add(*threshold.available - threshold.bytes,
                   {{"signal", threshold.signal}, {"kind", threshold.kind}});
    }
  }
  families.gauge("minimum_reclaim_applied_bytes", "What an eviction has to free beyond that.");
  for (const AppliedThreshold& threshold : *applied) {
    families.add(threshold.reclaim, {{"signal", threshold.signal}, {"kind", threshold.kind}});
  }
}

void add_sizing(Families& families, const Sizing& sizing) {
  families.gauge("threshold_desired_bytes", "Threshold of memory.available that is to be set.");
  families.add(sizing.hard, {{"kind", kHard}});
  families.add(sizing.soft, {{"kind", kSoft}});
  families.gauge("minimum_reclaim_desired_bytes", "evictionMinimumReclaim that is to be set.");
  families.add(sizing.reclaim);
  families.gauge("sizing_need_bytes",
                 "What a threshold has to hold to fire before the kernel kills.");
  families.add(sizing.need);
  families.gauge("sizing_shortfall_bytes",
                 "What would have to move for the whole need to pass the guards as a hard "
                 "threshold.");
  families.add(sizing.shortfall);
  families.gauge("sizing_term_bytes", "Terms that add up to the need.");
  for (const Term& term : sizing.terms) {
    families.add(term.bytes, {{"term", term.name}});
  }
  families.gauge("sizing_instrument_info", "Which of the kubelet's thresholds carry the need.");
  families.add(true, {{"instrument", to_text(sizing.instrument)}});
}

void add_growth(Families& families, const Sizing& sizing) {
  const std::optional<Growth>& growth = sizing.growth;
  if (!growth) {
    return;
  }
  families.gauge(
      "growth_prior_bytes",
      "What is allowed for within one reaction of the kubelet where nothing was learned, "
      "by size and mix of the node.");
  families.add(growth->prior);
  if (!growth->learned) {
    return;
  }
  const LearnedGrowth& learned = *growth->learned;
  families.gauge(
      "growth_learned_bytes",
      "Fall, and rise of the pods' memory, within the window, that all but [sizing] risk of "
      "what the agent remembers of this node stayed within; of the node within one "
      "reaction only what was lost near running out.");
  families.add(learned.node, {{"class", "node"}, {"window", "reaction"}});
  families.add(learned.node_long, {{"class", "node"}, {"window", "5min"}});
  families.add(learned.containers, {{"class", "container"}, {"window", "reaction"}});
  families.add(learned.containers_long, {{"class", "container"}, {"window", "5min"}});
  families.add(learned.vms, {{"class", "vm"}, {"window", "reaction"}});
  families.add(learned.vms_long, {{"class", "vm"}, {"window", "1h"}});
  families.gauge("growth_learned_weight_ratio",
                 "How much what was learned counts against the prior, 0 to 1.");
  families.add(learned.weight);
}

}  // namespace

void add_value(Families& families, const Plan& plan) {
  add_sizing(families, plan.sizing);
  add_growth(families, plan.sizing);
  add_applied(families, plan);
  families.gauge("guard_ok",
                 "1 if the guard lets the desired value pass, 0 if it refuses; none while it "
                 "cannot know.");
  for (const Guard& guard : plan.guards) {
    families.add(guard.ok, {{"guard", guard.name}});
  }
  families.gauge("guard_unknown", "1 if the guard cannot know, which refuses enforcement too.");
  for (const Guard& guard : plan.guards) {
    families.add(!guard.ok.has_value(), {{"guard", guard.name}});
  }
  families.gauge("allocatable_bytes",
                 "Memory that the node has for pods, with the thresholds of now and with the "
                 "desired ones.");
  families.add(plan.allocatable_now, {{"threshold", "applied"}});
  families.add(plan.allocatable_after, {{"threshold", "desired"}});
}

}  // namespace eviction::agent::metrics
