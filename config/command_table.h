// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "config/command_line.h"

namespace eviction::config {

/// One command. The parser and --help are made from this table.
struct CommandInfo {
  Command command;
  std::string_view name;
  std::string_view synopsis;  ///< what follows the name
  std::string_view summary;   ///< one sentence
  std::string_view details;   ///< further sentences; may be empty
};

inline constexpr std::array kCommands{
    CommandInfo{Command::kRun,
                "run",
                "[OPTIONS]",
                "Watches the node and does with its value what the mode says: the daemon.",
                "Runs until SIGTERM or SIGINT; SIGHUP makes it read its configuration again."},
    CommandInfo{
        Command::kPlan,
        "plan",
        "[OPTIONS]",
        "Shows what would be set on this node, why, and which guard would stop it.",
        "Reads the kernel's and the kubelet's files once and changes nothing. Exits with 0 if "
        "a value could be applied, with 1 if there is nothing to apply, with 3 if a guard "
        "refuses."},
    CommandInfo{
        Command::kCheck,
        "check",
        "[OPTIONS]",
        "Says whether this node is fit, with the cause and the remedy of each finding.",
        "Reads once and changes nothing. Exits with 0 if the node is fit, with 1 if a finding "
        "is an error."},
    CommandInfo{
        Command::kValidate,
        "validate",
        "--kubelet-version V --capacity BYTES [OPTIONS]",
        "Says whether a kubelet would start with these eviction settings, and what they mean.",
        "Merges flags and files as a kubelet of that version does. Exits with 0 if it accepts "
        "them, with 1 if it refuses. --config is the kubelet's file here; the agent's own is "
        "not read."},
    CommandInfo{Command::kStatus,
                "status",
                "[OPTIONS]",
                "Shows what the running daemon sees, has applied, and last did.",
                "Exits with 1 if no daemon runs."},
    CommandInfo{
        Command::kIncidents,
        "incidents",
        "[--since TIME] [OPTIONS]",
        "Shows who was killed or evicted, when, by what, and what would have prevented it.",
        "Also the changes that were made or put back, and guards that began to refuse; no more "
        "than the last 1000. Reads what the daemon recorded; it need not run."},
    CommandInfo{
        Command::kApply,
        "apply",
        "[OPTIONS]",
        "Puts this node's value in force: one transaction, with the guards of the daemon.",
        "Writes the file, has the kubelet restarted, and watches it and the pods for two minutes; "
        "puts everything back if something goes wrong. Exits with 3 if a guard refuses."},
    CommandInfo{
        Command::kRollback,
        "rollback",
        "[OPTIONS]",
        "Removes what the agent wrote for the kubelet, and what it keeps of it.",
        "The kubelet is not restarted: it runs on with its present value until its next start."},
    CommandInfo{
        Command::kRecord,
        "record",
        "[OPTIONS] FILE",
        "Records what the agent sees of this node, for replay.",
        "Adds to FILE until it is stopped: a cheap look at each interval, a full one every 10 s. "
        "At "
        "64 MiB FILE becomes FILE.1, in place of an older one. The daemon keeps a recording of its "
        "own."},
    CommandInfo{Command::kReplay,
                "replay",
                "[OPTIONS] [FILE]",
                "Shows what would have been decided when, had the policy seen what was recorded.",
                "Reads FILE.1, if there is one, and FILE: recordings or CSV. Without FILE it is "
                "the daemon's "
                "own recording. Touches no node."},
    CommandInfo{
        Command::kSimulate,
        "simulate",
        "[OPTIONS]",
        "Shows what policies for memory eviction would do to a modelled node.",
        "Runs a node with its pods, kernel and kubelet through hours of made-up or recorded "
        "memory use, once with each policy, and counts OOM kills, evictions, restarts and the "
        "memory withheld. Touches no node. The same options give the same result."},
    CommandInfo{
        Command::kVersion, "version", "[OPTIONS]", "Prints the version of eviction-agent.", ""},
    CommandInfo{Command::kHelp, "help", "[COMMAND]", "Prints this text, or that of a command.", ""},
};

/// A set of commands, one bit each.
using CommandSet = unsigned;

constexpr CommandSet only(Command command) {
  return 1U << static_cast<unsigned>(command);
}

inline constexpr CommandSet kNodeCommands = only(Command::kRun) | only(Command::kPlan) |
                                            only(Command::kCheck) | only(Command::kApply) |
                                            only(Command::kRollback);
inline constexpr CommandSet kWorkCommands = kNodeCommands | only(Command::kValidate) |
                                            only(Command::kStatus) | only(Command::kIncidents) |
                                            only(Command::kRecord);
/// Those that look at a node, its processes and its memory; the others read files only.
inline constexpr CommandSet kLookCommands = kNodeCommands | only(Command::kRecord);
inline constexpr CommandSet kPrintCommands =
    (kWorkCommands & ~only(Command::kRun) & ~only(Command::kRecord)) | only(Command::kReplay) |
    only(Command::kSimulate) | only(Command::kVersion);
inline constexpr CommandSet kAllCommands = ~0U;

/// One option. A name that means two things has two rows.
struct OptionInfo {
  CommandSet commands;
  std::string_view name;
  char letter;                ///< of the short form; '\0' for none
  std::string_view argument;  ///< what to write for the value; empty when the option takes none
  std::string_view doc;
  bool kubelet_flag = false;  ///< may be repeated; its value is handed on as it is
};

inline constexpr std::array kOptions{
    OptionInfo{kNodeCommands | only(Command::kRecord) | only(Command::kReplay),
               "config",
               '\0',
               "FILE",
               "The agent's configuration; conf.d/*.ini beside it is read after it. Default: "
               "/etc/eviction-agent/eviction-agent.ini below ROOTFS, if there is one."},
    OptionInfo{only(Command::kValidate),
               "kubelet-version",
               '\0',
               "V",
               "Version of the kubelet, such as v1.32.3+rke2r1. Required."},
    OptionInfo{only(Command::kValidate),
               "capacity",
               '\0',
               "BYTES",
               "Memory of the node, in bytes or as a quantity such as 16Gi. Turns percentages into "
               "bytes and checks that the node has what is reserved. Required."},
    OptionInfo{only(Command::kRun),
               "textfile",
               '\0',
               "FILE.prom",
               "Also writes the metrics to this file at each full look at the node, for the "
               "textfile collector of node_exporter. Its folder has to be there, and is not "
               "looked up below ROOTFS. The file is removed when the daemon ends."},
    OptionInfo{only(Command::kIncidents),
               "since",
               '\0',
               "TIME",
               "Only from this time on: such as 30m, 2h or 7d before now, 2026-11-22, or "
               "2026-11-22T12:00:00Z."},
    OptionInfo{only(Command::kRecord),
               "interval",
               '\0',
               "SECONDS",
               "Between two cheap looks, 1 to 10. Default: 1."},
    OptionInfo{only(Command::kRecord),
               "duration",
               '\0',
               "SECONDS",
               "Ends after so long. Default: at SIGINT or SIGTERM."},
    OptionInfo{only(Command::kReplay),
               "csv",
               '\0',
               "",
               "Prints what was recorded as CSV instead, for other tools. Excludes --config and "
               "--output."},
    OptionInfo{
        only(Command::kSimulate),
        "capacity",
        '\0',
        "BYTES",
        "The memory that the node has, 1Gi to 1Pi, in bytes or as a quantity such as 16Gi. "
        "Default: 128Gi; of a trace: so that 92 % of it are in use at its highest; of a recording: "
        "what it had."},
    OptionInfo{only(Command::kSimulate),
               "mix",
               '\0',
               "containers|mixed|vms",
               "What runs on the node. Default: mixed."},
    OptionInfo{only(Command::kSimulate),
               "weather",
               '\0',
               "calm|bursty|ratcheting|leaking",
               "How its memory behaves. Default: bursty."},
    OptionInfo{only(Command::kSimulate),
               "trace",
               '\0',
               "FILE",
               "Pods follow a recorded course instead: CSV with a header and the columns t_s or "
               "time, pod, and pod_mem_mib or mib. - is standard input."},
    OptionInfo{only(Command::kSimulate),
               "recording",
               '\0',
               "FILE",
               "The node and its pods are those of a recording instead, of the daemon or of "
               "record. FILE.1 is read before it."},
    OptionInfo{only(Command::kSimulate),
               "suite",
               '\0',
               "",
               "Runs 60 nodes instead: 16 to 2048 GiB, each mix, each weather."},
    OptionInfo{only(Command::kSimulate),
               "hours",
               '\0',
               "NUMBER",
               "How long, 1 to 8784. Default: 168. A trace and a recording have their own length."},
    OptionInfo{
        only(Command::kSimulate), "seed", '\0', "NUMBER", "What chance begins with. Default: 1."},
    OptionInfo{only(Command::kSimulate),
               "policy",
               '\0',
               "NAME,...",
               "Only these of rke2-default, kubelet-100Mi, static-6Gi-4Gi, percent-5, percent-10, "
               "percent-7-1Gi, gke, aks, eks, openshift and ours. Default: all."},
    OptionInfo{
        only(Command::kSimulate),
        "weights",
        '\0',
        "A,B,C,D,E",
        "What counts how much as harm: an OOM kill, a needless eviction of a VM, of a "
        "container, a needless spell of MemoryPressure, a restart of the kubelet. Each from 0 to "
        "1000000. Default: 10,3,1,1,1."},
    OptionInfo{only(Command::kSimulate),
               "html",
               '\0',
               "FILE",
               "Writes a page with plots as well, which needs no network to be read."},
    OptionInfo{only(Command::kSimulate),
               "config",
               '\0',
               "FILE",
               "For the policy ours: the agent's configuration. Default: none is read."},
    OptionInfo{
        only(Command::kApply), "dry-run", '\0', "", "Shows what would be done, and does nothing."},
    OptionInfo{kPrintCommands,
               "output",
               'o',
               "table|json|yaml",
               "How the result is written. Default: table."},
    OptionInfo{kWorkCommands | only(Command::kReplay) | only(Command::kSimulate),
               "log-level",
               '\0',
               "debug|info|warning|error",
               "The least severity that is logged, to standard error or to the journal. Default: "
               "info for run, else warning."},
    OptionInfo{kWorkCommands | only(Command::kReplay),
               "path.rootfs",
               '\0',
               "ROOTFS",
               "Where the root of the host's file system is mounted. Default: /."},
    OptionInfo{kLookCommands,
               "path.procfs",
               '\0',
               "DIR",
               "Where the host's proc is mounted. Default: ROOTFS/proc."},
    OptionInfo{kLookCommands,
               "path.sysfs",
               '\0',
               "DIR",
               "Where the host's sys is mounted. Default: ROOTFS/sys."},
    OptionInfo{kAllCommands, "help", 'h', "", "Prints the help of the command."},
    OptionInfo{only(Command::kValidate), "config", '\0', "FILE", "The kubelet's file.", true},
    OptionInfo{only(Command::kValidate), "config-dir", '\0', "DIR", "Its drop-in directory.", true},
    OptionInfo{
        only(Command::kValidate), "eviction-hard", '\0', "LIST", "As memory.available<1Gi.", true},
    OptionInfo{
        only(Command::kValidate), "eviction-soft", '\0', "LIST", "As memory.available<2Gi.", true},
    OptionInfo{only(Command::kValidate),
               "eviction-soft-grace-period",
               '\0',
               "LIST",
               "As memory.available=1m30s.",
               true},
    OptionInfo{only(Command::kValidate),
               "eviction-minimum-reclaim",
               '\0',
               "LIST",
               "As memory.available=512Mi.",
               true},
    OptionInfo{only(Command::kValidate),
               "eviction-max-pod-grace-period",
               '\0',
               "SECONDS",
               "Longest grace of a pod under a soft threshold.",
               true},
    OptionInfo{only(Command::kValidate), "kube-reserved", '\0', "LIST", "As memory=1Gi.", true},
    OptionInfo{only(Command::kValidate), "system-reserved", '\0', "LIST", "As memory=1Gi.", true},
    OptionInfo{only(Command::kValidate),
               "enforce-node-allocatable",
               '\0',
               "LIST",
               "As pods,system-reserved.",
               true},
    OptionInfo{
        only(Command::kValidate), "memory-manager-policy", '\0', "POLICY", "None or Static.", true},
    OptionInfo{
        only(Command::kValidate), "reserved-memory", '\0', "LIST", "As 0:memory=1100Mi.", true},
};

constexpr bool takes(Command command, const OptionInfo& option) {
  return (option.commands & only(command)) != 0;
}

}  // namespace eviction::config
