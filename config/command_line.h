// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/bytes.h"
#include "cgroup/result.h"
#include "config/kubelet_version.h"
#include "config/utc_time.h"

namespace eviction::config {

enum class Command {
  kRun,
  kPlan,
  kCheck,
  kValidate,
  kStatus,
  kIncidents,
  kApply,
  kRollback,
  kRecord,
  kReplay,
  kSimulate,
  kHelp,
  kVersion,
};

enum class OutputFormat { kTable, kJson, kYaml };

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// What "simulate" is asked for, besides the node's capacity. Names are checked by the command.
struct SimulateOptions {
  std::string mix = "mixed";
  std::string weather = "bursty";
  int hours = 168;
  int seed = 1;
  std::string policies;              ///< names with commas; empty: all
  std::string weights;               ///< five numbers with commas; empty: the default ones
  std::optional<std::string> trace;  ///< a CSV file, "-" for standard input
  std::optional<std::string> recording;
  std::optional<std::string> html;  ///< where the page is written
  bool suite = false;
};

/// What was asked on the command line.
struct CommandLine {
  Command command = Command::kHelp;
  OutputFormat output = OutputFormat::kTable;
  LogLevel log_level = LogLevel::kWarning;
  std::optional<std::string>
      config;  ///< --config of all commands but validate; absent: the default below ROOTFS
  std::string rootfs = "/";
  std::optional<std::string> procfs;  ///< absent: ROOTFS/proc
  std::optional<std::string> sysfs;   ///< absent: ROOTFS/sys

  std::optional<std::string> textfile;  ///< run only: ends in ".prom"

  bool dry_run = false;  ///< apply only
  SimulateOptions simulate;

  std::optional<Bytes> capacity;  ///< never absent for validate; above 0

  std::optional<Since> since;  ///< incidents only; absent: all

  std::optional<std::string> file;               ///< record (never absent) and replay
  std::chrono::seconds interval{1};              ///< record only
  std::optional<std::chrono::seconds> duration;  ///< record only; absent: until it is stopped
  bool csv = false;                              ///< replay only

  // validate only
  std::optional<KubeletVersion> kubelet_version;  ///< never absent for validate
  /// The kubelet's own flags, in the order given ("--eviction-hard=...", "--config=FILE", ...).
  std::vector<std::string> kubelet_arguments;

  std::string help;  ///< for kHelp: the text to print
};

/// arguments: argv without argv[0]. Errors (usage; exit 2): kMalformed with the option, and in
/// remedy the nearest right name or how to ask for help.
[[nodiscard]] Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace eviction::config
