// SPDX-License-Identifier: Apache-2.0
#include "agent/incident.h"

namespace eviction::agent {

std::string_view to_text(IncidentKind kind) {
  switch (kind) {
    case IncidentKind::kOomKill:
      return "oom-kill";
    case IncidentKind::kEviction:
      return "eviction";
    case IncidentKind::kTransaction:
      return "transaction";
    case IncidentKind::kGuard:
      return "guard";
  }
  return "oom-kill";
}

std::string_view to_text(IncidentCause cause) {
  switch (cause) {
    case IncidentCause::kContainerLimit:
      return "container-limit";
    case IncidentCause::kPodLimit:
      return "pod-limit";
    case IncidentCause::kAncestorLimit:
      return "ancestor-limit";
    case IncidentCause::kServiceLimit:
      return "service-limit";
    case IncidentCause::kNode:
      return "node";
    case IncidentCause::kCpuset:
      return "cpuset";
    case IncidentCause::kMemoryPolicy:
      return "memory-policy";
    case IncidentCause::kNodeOrBound:
      return "node-or-bound";
    case IncidentCause::kKubeletEviction:
      return "kubelet-eviction";
    case IncidentCause::kAgent:
      return "agent";
  }
  return "agent";
}

}  // namespace eviction::agent
