// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eviction::agent {

/// How far a transaction has come. Each is in the journal, on the disk, before anything of it is
/// done.
enum class Phase {
  kWrite,      ///< the file is to get its new content; no kubelet has seen it
  kRestart,    ///< the kubelet is told to restart, and to come back healthy
  kProof,      ///< the running kubelet is to show the value
  kWatch,      ///< the pods that ran before are to run on
  kPutBack,    ///< something went wrong: the file is to get its old content
  kCommitted,  ///< done; the journal stays, as the record of whose value the file holds
};

/// "write", "restart", "proof", "watch", "put-back", "committed".
[[nodiscard]] std::string_view to_text(Phase phase);

/// One run of the kubelet: a later run has another start, or another boot of the node.
struct KubeletRun {
  std::string boot_id;           ///< /proc/sys/kernel/random/boot_id
  unsigned long long start = 0;  ///< clock ticks since boot

  bool operator==(const KubeletRun&) const = default;
};

/// What a transaction has to know after a crash.
struct Journal {
  Phase phase = Phase::kWrite;
  std::chrono::seconds since{};       ///< when the phase began, since boot
  std::string boot_id;                ///< of that boot
  std::string file;                   ///< below the host's root
  std::optional<std::string> before;  ///< its content; absent: there was no such file
  std::optional<std::string> after;   ///< its content to be; absent: it is to be removed
  KubeletRun kubelet;                 ///< that ran before
  bool whole_service = false;         ///< it restarts with all of RKE2 or k3s
  std::vector<std::string> pods;      ///< UIDs of those that ran before
  bool restarted_again = false;       ///< while it was put back
  std::string failure;                ///< why it is put back
  std::optional<KubeletRun> proven;   ///< that was last seen to use after; absent: none was
  bool withdrawn = false;             ///< after was proven, and the agent took the file away since

  bool operator==(const Journal&) const = default;
};

/// Whether the running kubelet uses a value, by whose word.
struct Proof {
  enum class State {
    kInForce,
    kNotYet,  ///< it runs since before the file was written, or what was asked is not up to date
    kOther,   ///< it has read the file, and another value is in force
  };

  State state = State::kNotYet;
  std::string source = {};  ///< who was asked last
  std::string reason = {};  ///< what it said; before that, why better sources could not be asked
};

/// "in-force", "not-yet", "other".
[[nodiscard]] std::string_view to_text(Proof::State state);

/// What the node shows while a transaction is under way.
struct Facts {
  std::chrono::seconds now{};  ///< since boot
  std::string boot_id;
  bool resumed = false;  ///< by a process that did not begin the phase and has done nothing in it
  std::optional<std::string> write_failure;  ///< why the file could not get its new content
  bool file_known = false;                   ///< the file, or that there is none, was read
  std::optional<std::string> file;           ///< its content
  std::optional<KubeletRun> kubelet;         ///< absent: none runs
  std::chrono::seconds kubelet_age{};        ///< since this run of it began
  bool healthy = false;                      ///< by its healthz
  std::chrono::seconds unhealthy_for{};      ///< as this process saw it
  std::chrono::seconds run_unhealthy_for{};  ///< this run of the kubelet, the same way
  Proof proof;                               ///< looked for from kProof on
  /// Pods of before that do not run, looked for in kWatch. Absent: they cannot be known.
  std::optional<std::vector<std::string>> lost = std::nullopt;
  std::chrono::seconds lost_for{};                ///< as this process saw it
  std::optional<std::string> restart_impossible;  ///< why the kubelet could not be told to restart
  bool restart_pending = false;  ///< this process told a unit to restart, which has not ended
  /// How long this process has looked at the phase: a limit that passed before it did says nothing.
  std::chrono::seconds looked_for = std::chrono::seconds::max();
};

/// What is to be done next.
enum class Move {
  kWait,
  kWriteAfter,   ///< give the file its content to be
  kWriteBefore,  ///< give the file its content of before
  kEnter,        ///< write the journal with phase, and go on there
  kRestart,      ///< tell the kubelet to restart
  kCommit,       ///< enter kCommitted and end
  kFail,         ///< remove the journal and end: the file is as before, or somebody else's now
};

struct Step {
  Move move = Move::kWait;
  Phase phase = Phase::kWrite;  ///< for kEnter
  std::string reason;
};

/// The kubelet has to be back, healthy, within this time of the restart. Source: RKE2 starts it
/// again 5 s after it ended; a 1.36.2 was back with its new value after 25 s.
inline constexpr std::chrono::seconds kRestartLimit{60};
/// ... and within this time where all of RKE2 or k3s restarts: at each start they import their
/// image tarballs before they start the kubelet, which takes them half a minute to some minutes. No
/// longer, as pods are evicted from a node that has not been ready for 5 min. Source:
/// rancher/rke2#773, k3s-io/docs#422; kubernetes v1.36
/// plugin/pkg/admission/defaulttolerationseconds.
inline constexpr std::chrono::seconds kServiceLimit{300};
/// ... and to show its value within this time. Source: the kubelet posts its node's status every
/// 10 s (nodeStatusUpdateFrequency).
inline constexpr std::chrono::seconds kProofLimit{60};
/// The pods are watched this long, over one run of the kubelet: admission, device plugins and the
/// node object settle within.
inline constexpr std::chrono::seconds kWatchTime{120};
/// A state as long as this is no blip.
inline constexpr std::chrono::seconds kPatience{30};
/// A kubelet that is not healthy this long after the file was put back is beyond our help; one that
/// restarts with all of RKE2 or k3s has twice kServiceLimit.
inline constexpr std::chrono::seconds kPutBackLimit{120};
/// Instead of each of these, counted from the boot, when the node was booted since the change
/// began.
inline constexpr std::chrono::seconds kBootLimit{600};

/// The next step of a transaction. Pure: what has been done shows in the facts only, so a step that
/// was interrupted is found again.
[[nodiscard]] Step next_step(const Journal& journal, const Facts& facts);

}  // namespace eviction::agent
