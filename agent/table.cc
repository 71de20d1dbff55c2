// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include "agent/page.h"
#include "agent/render.h"

namespace eviction::agent {

namespace {

/// Everything stands to the right of the section's name.
constexpr std::size_t kMargin = 13;

std::string heading(std::string_view name, bool colour) {
  return styled(fmt::format("{:<{}}", name, kMargin), Style::kHeading, colour);
}

std::string margin() {
  return std::string(kMargin, ' ');
}

std::string known(const std::optional<Bytes>& bytes) {
  return bytes ? to_human(*bytes) : "unknown";
}

const char* pressure_state(const Observation& seen) {
  if (seen.pressure) {
    return "on";
  }
  const bool off = seen.pressure_absent && (seen.pressure_absent->kind == ErrorKind::kAbsent ||
                                            seen.pressure_absent->kind == ErrorKind::kUnsupported);
  return off ? "off" : "unknown";
}

std::string node_section(const Plan& plan, bool colour) {
  const Observation& seen = plan.observation;
  std::string kubelet = seen.kubelet_absent ? to_text(*seen.kubelet_absent) : "none found";
  if (seen.kubelet) {
    kubelet = fmt::format(
        "{}, pid {}, started by {}",
        seen.kubelet->version ? config::to_text(*seen.kubelet->version) : "version unknown",
        seen.kubelet->pid,
        seen.kubelet->supervisor.empty() ? "unknown" : seen.kubelet->supervisor);
  }
  return paragraph(heading("node", colour),
                   fmt::format("{} RAM, Linux {}, cgroup {}, PSI {}",
                               known(plan.memory.capacity),
                               seen.kernel.value_or("unknown"),
                               cgroup::to_text(seen.cgroup_mode),
                               pressure_state(seen))) +
         paragraph(heading("kubelet", colour), kubelet);
}

std::string workload_section(const Plan& plan, bool colour) {
  if (!plan.observation.pods_known) {
    return paragraph(heading("workloads", colour),
                     "unknown: the pods' cgroups could not be listed");
  }
  constexpr std::string_view kRow = "{:<14}{:>6}{:>14}{:>14}{:>14}\n";
  std::string page = heading("workloads", colour) +
                     fmt::format(kRow, "class", "pods", "working set", "request", "headroom");
  for (const WorkloadClass workload : kWorkloadClasses) {
    const auto found = plan.workloads.find(workload);
    const WorkloadSum sum = found == plan.workloads.end() ? WorkloadSum{} : found->second;
    page += margin() + fmt::format(kRow,
                                   to_text(workload),
                                   sum.pods,
                                   to_human(sum.working_set),
                                   known(sum.request),
                                   sum.headroom ? to_human(*sum.headroom) : "no limit");
  }
  return page;
}

std::string amount_line(std::string_view name, const std::string& bytes, std::string_view text) {
  return paragraph(margin() + fmt::format("{:<22}{:>9}  ", cut(name, 21), bytes), text);
}

std::string memory_section(const MemoryAccount& memory, bool colour) {
  std::string kernel = "held by the kernel, yet available to the kubelet";
  if (memory.hugepages > Bytes{}) {
    kernel += "; " + to_human(memory.hugepages) + " of it hugepages";
  }
  return paragraph(heading("memory", colour),
                   fmt::format("the kubelet calls {} available, the kernel can give {}",
                               known(memory.kubelet_available),
                               known(memory.mem_available))) +
         margin() + fmt::format("gap {} = K + R + w - a\n", known(memory.gap)) +
         amount_line("K kernel", known(memory.kernel), kernel) +
         amount_line("R reserve", known(memory.reserve), "watermarks and zone protection") +
         amount_line(
             "w cache floor", known(memory.cache_floor), "cache the kernel does not give up") +
         amount_line(
             "a active cache", known(memory.active_file), "cache the kubelet counts as used");
}

std::string threshold_section(const Sizing& sizing, bool colour) {
  std::string page = paragraph(heading("threshold", colour), "need " + known(sizing.need));
  for (const Term& term : sizing.terms) {
    page += amount_line(term.name, to_human(term.bytes), term.reason);
  }
  return page;
}

/// ", if these guards hold: settled, version", of those that are unknown.
std::string condition_text(const std::vector<Guard>& guards) {
  std::string names;
  for (const Guard& guard : guards) {
    if (!guard.ok) {
      names += (names.empty() ? "" : ", ") + guard.name;
    }
  }
  return names.empty() ? names : ", if these guards hold: " + names;
}

std::string outcome_text(const Plan& plan, bool colour) {
  switch (outcome(plan)) {
    case PlanOutcome::kApplicable:
      return styled("applicable", Style::kGood, colour) + condition_text(plan.guards);
    case PlanOutcome::kNothingToApply:
      return styled("nothing to apply", Style::kDoubtful, colour);
    case PlanOutcome::kRefused:
      return styled("refused by a guard", Style::kBad, colour);
  }
  return {};
}

std::string result_section(const Plan& plan, bool colour) {
  const Sizing& sizing = plan.sizing;
  const auto set = [](const std::optional<Bytes>& bytes) {
    return bytes ? to_human(*bytes) : std::string{"-"};
  };
  std::string page = heading("result", colour) + outcome_text(plan, colour) +
                     fmt::format("; instrument {}\n", to_text(sizing.instrument)) + margin() +
                     fmt::format("hard {}   soft {}   reclaim {}   need {}   short by {}\n",
                                 set(sizing.hard),
                                 set(sizing.soft),
                                 set(sizing.reclaim),
                                 set(sizing.need),
                                 set(sizing.shortfall)) +
                     paragraph(margin(), sizing.reason.empty() ? "not sized" : sizing.reason);
  if (!plan.restart_forbidden.empty()) {
    page += paragraph(margin(), "apply and the daemon refuse: " + plan.restart_forbidden);
  }
  return page;
}

std::string guard_mark(const Guard& guard, bool colour) {
  if (!guard.ok) {
    return styled("?  ", Style::kDoubtful, colour);
  }
  return *guard.ok ? styled("ok ", Style::kGood, colour) : styled("NO ", Style::kBad, colour);
}

std::string guards_section(const std::vector<Guard>& guards, bool colour) {
  std::string page;
  for (const Guard& guard : guards) {
    page += paragraph((page.empty() ? heading("guards", colour) : margin()) +
                          guard_mark(guard, colour) + fmt::format("{:<16} ", cut(guard.name, 16)),
                      guard.reason);
  }
  return page;
}

std::string indented(std::string_view text) {
  std::string page;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    page += margin() + printable(line) + '\n';
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return page;
}

std::string target_section(const Plan& plan, bool colour) {
  const Kubelet kubelet = plan.observation.kubelet.value_or(Kubelet{});
  std::string page = paragraph(heading("target", colour),
                               fmt::format("{} {}", to_text(kubelet.target), kubelet.file));
  if (!kubelet.target_reason.empty()) {
    page += paragraph(margin(), kubelet.target_reason);
  }
  if (plan.shadowed_by) {
    page += paragraph(margin() + styled("shadowed by ", Style::kBad, colour), *plan.shadowed_by);
  }
  for (const auto* texts : {&kubelet.loaded.errors, &kubelet.loaded.warnings}) {
    for (const std::string& text : *texts) {
      page += paragraph(margin(), text);
    }
  }
  if (plan.file_content.empty()) {
    return page + margin() + "nothing would be written\n";
  }
  return page +
         (plan.diff.empty() ? margin() + "the file holds this already\n" : indented(plan.diff));
}

std::string allocatable_section(const Plan& plan, bool colour) {
  if (!plan.allocatable_now && !plan.allocatable_after) {
    return paragraph(heading("allocatable", colour), "unknown: " + plan.allocatable_absent);
  }
  return paragraph(
      heading("allocatable", colour),
      fmt::format(
          "{} now -> {} after", known(plan.allocatable_now), known(plan.allocatable_after)));
}

std::string victim_section(const Plan& plan, bool colour) {
  constexpr std::size_t kShown = 3;
  if (!plan.next_victims) {
    return paragraph(heading("next victim", colour), "unknown: " + plan.next_victims_absent);
  }
  std::string page;
  for (const Pod& pod : *plan.next_victims) {
    if (static_cast<std::size_t>(std::count(page.begin(), page.end(), '\n')) == kShown) {
      return page + margin() + fmt::format("and {} more\n", plan.next_victims->size() - kShown);
    }
    const std::string name = pod.name.empty() ? pod.uid : pod.name_space + '/' + pod.name;
    page +=
        (page.empty() ? heading("next victim", colour) : margin()) +
        fmt::format(
            "{:<60}{:<14}{:>9}\n", cut(name, 59), to_text(pod.workload), known(pod.working_set));
  }
  return page.empty() ? paragraph(heading("next victim", colour), "none: no pod can be evicted")
                      : page;
}

std::string pressure_section(const Plan& plan, bool colour) {
  return plan.memory_pressure_effect.empty()
             ? ""
             : paragraph(heading("pressure", colour), plan.memory_pressure_effect);
}

std::string problems_section(const std::vector<Error>& problems, bool colour) {
  std::string page;
  for (const Error& problem : problems) {
    page += paragraph(page.empty() ? heading("problems", colour) : margin(), to_text(problem));
  }
  return page;
}

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return Style::kGood;
    case Severity::kInfo:
      return Style::kHeading;
    case Severity::kWarning:
      return Style::kDoubtful;
    case Severity::kError:
      return Style::kBad;
  }
  return Style::kBad;
}

}  // namespace

std::string to_table(const Plan& plan, bool colour) {
  return node_section(plan, colour) + result_section(plan, colour) +
         workload_section(plan, colour) + memory_section(plan.memory, colour) +
         threshold_section(plan.sizing, colour) + guards_section(plan.guards, colour) +
         target_section(plan, colour) + allocatable_section(plan, colour) +
         victim_section(plan, colour) + pressure_section(plan, colour) +
         problems_section(plan.observation.problems, colour);
}

std::string to_table(const std::vector<Finding>& findings, bool colour) {
  constexpr std::size_t kColumn = 27;  // severity and name
  std::string page;
  for (const Finding& finding : findings) {
    page += paragraph(
        styled(
            fmt::format("{:<8}", to_text(finding.severity)), style_of(finding.severity), colour) +
            fmt::format("{:<{}}", cut(finding.name, kColumn - 9), kColumn - 8),
        finding.what);
    if (!finding.remedy.empty()) {
      page += paragraph(std::string(kColumn, ' ') + "-> ", finding.remedy);
    }
  }
  page += fit(findings) ? styled("this node is fit", Style::kGood, colour)
                        : styled("this node is not fit", Style::kBad, colour);
  return page + '\n';
}

}  // namespace eviction::agent
