// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/kubelet_process.h"
#include "agent/policy/transaction.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/drop_in.h"

namespace eviction::agent {

/// A pod's ServiceAccount token. Source: kubernetes v1.36
/// plugin/pkg/admission/serviceaccount/admission.go DefaultAPITokenMountPath.
inline constexpr const char* kTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The source of a proof that nobody could be asked for.
inline constexpr const char* kNobody = "nobody";

/// Looks for a proof that wanted is in force in the kubelet, which has to be observed anew for
/// this; what wanted leaves out has to be as the kubelet's files and flags have it. The first that
/// answers decides: the kubelet's /configz, for which token_file (in the agent's own file system;
/// empty for none) has to hold a token that may read nodes/configz; the Node object, asked for as
/// the kubelet, which shows hard thresholds only and changes some seconds after a start; files and
/// flags, when the process is younger than the last change of the target's file, else the journal's
/// word that this run had what the file says. The age compares a time of the file system with a
/// time since boot: only a clock that nobody sets in between makes it right. Blocks for timeout and
/// 5 s at most.
[[nodiscard]] Proof prove_value(const Kubelet& kubelet,
                                const config::MemoryEviction& wanted,
                                const cgroup::Directory& root,
                                const std::string& token_file,
                                std::chrono::milliseconds timeout);

/// A proof as the text that one process hands to another.
[[nodiscard]] std::string render_proof(const Proof& proof);
/// Errors: kMalformed.
[[nodiscard]] Result<Proof> parse_proof(std::string_view text);

}  // namespace eviction::agent
