// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <malloc.h>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/apply.h"
#include "agent/check.h"
#include "agent/daemon.h"
#include "agent/incident_json.h"
#include "agent/incident_log.h"
#include "agent/live_node.h"
#include "agent/observation.h"
#include "agent/own_file.h"
#include "agent/plan.h"
#include "agent/policy/decide.h"
#include "agent/recall.h"
#include "agent/recording/command.h"
#include "agent/recording/csv.h"
#include "agent/recording/kept_recording.h"
#include "agent/render.h"
#include "agent/replay.h"
#include "agent/simulate/command.h"
#include "agent/simulate/html_file.h"
#include "agent/state_file.h"
#include "agent/status_file.h"
#include "agent/validate.h"
#include "agent/version.h"
#include "config/agent_config.h"
#include "config/command_line.h"
#include "systemd/event_loop.h"
#include "systemd/journal.h"

namespace eviction::agent {

namespace {

using config::CommandLine;
using config::OutputFormat;
using nlohmann::ordered_json;

enum ExitCode { kDone = 0, kFailed = 1, kUsage = 2, kGuardRefused = 3 };

ExitCode complain(ExitCode code, const std::string& message) {
  static_cast<void>(std::fprintf(stderr, "eviction-agent: %s\n", message.c_str()));
  return code;
}

/// Writes all of the text to standard output, or says why it could not and returns kFailed.
ExitCode write_out(std::string_view text, ExitCode code) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return code;
  }
  return complain(kFailed, "standard output: " + std::generic_category().message(errno));
}

bool wants_colour() {
  return isatty(STDOUT_FILENO) == 1 &&
         std::getenv("NO_COLOR") == nullptr;  // NOLINT(concurrency-mt-unsafe): one thread
}

/// What a command found, in the format that was asked for.
template <class Found>
ExitCode print(const Found& found, OutputFormat format, ExitCode code) {
  switch (format) {
    case OutputFormat::kTable:
      return write_out(to_table(found, wants_colour()), code);
    case OutputFormat::kJson:
      return write_out(
          to_json(found).dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n', code);
    case OutputFormat::kYaml:
      return write_out(to_yaml(to_json(found)), code);
  }
  return kFailed;
}

/// This program, for "version".
struct Program {};

ordered_json to_json(Program /*program*/) {
  return {{"name", "eviction-agent"},
          {"version", kVersion},
          {"compiler", kCompiler},
          {"libsystemd", kLibsystemd},
          {"kubelet_oldest", fmt::format("1.{}", config::kOldestMinor)},
          {"kubelet_newest", fmt::format("1.{}", config::kNewestMinor)}};
}

std::string to_table(Program /*program*/, bool /*colour*/) {
  return fmt::format("eviction-agent {}\n", kVersion);
}

ExitCode exit_code(PlanOutcome outcome) {
  switch (outcome) {
    case PlanOutcome::kApplicable:
      return kDone;
    case PlanOutcome::kNothingToApply:
      return kFailed;
    case PlanOutcome::kRefused:
      return kGuardRefused;
  }
  return kFailed;
}

/// An explicit --config is a path as its caller sees it; the default one lies below the host's
/// root.
config::LoadedConfig load_config(const CommandLine& line, const cgroup::Directory& root) {
  if (!line.config) {
    return config::load_agent_config(root, std::string{config::kConfigPath}, false);
  }
  const Result<cgroup::Directory> here = cgroup::Directory::open("/");
  if (!here) {
    return {.config = {}, .errors = {here.error()}, .files = {}};
  }
  return config::load_agent_config(*here, std::filesystem::absolute(*line.config).string(), true);
}

ExitCode exit_code(ActOutcome outcome) {
  switch (outcome) {
    case ActOutcome::kDone:
      return kDone;
    case ActOutcome::kFailed:
      return kFailed;
    case ActOutcome::kRefused:
      return kGuardRefused;
  }
  return kFailed;
}

/// What an act by hand came to: the text of a done one on standard output, else on standard error.
ExitCode report(const ActReport& report, OutputFormat format) {
  const ExitCode code = exit_code(report.outcome);
  if (format == OutputFormat::kTable) {
    return code == kDone ? write_out(report.text + '\n', code) : complain(code, report.text);
  }
  const std::array<const char*, 3> outcomes{"done", "failed", "refused"};
  const ordered_json document{{"outcome", outcomes.at(static_cast<std::size_t>(report.outcome))},
                              {"text", report.text}};
  return write_out(format == OutputFormat::kJson ? document.dump(2) + '\n' : to_yaml(document),
                   code);
}

/// Bytes at the end of the heap that go back to the kernel when a walk no longer needs them. Left
/// to itself glibc raises the limit with the sizes that it sees freed. Source: mallopt(3).
constexpr int kTrimThreshold = 64 << 10;

ExitCode run_daemon(const CommandLine& line, const Host& host, config::AgentConfig config) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
  static_cast<void>(::mallopt(M_TRIM_THRESHOLD, kTrimThreshold));
  auto loop = systemd::EventLoop::create();
  if (!loop) {
    return complain(kFailed, to_text(loop.error()));
  }
  Daemon daemon{host,
                std::move(config),
                [&line, &host] { return load_config(line, *host.root); },
                *loop,
                line.textfile};
  const Result<void> ended = daemon.run();
  return ended ? kDone : complain(kFailed, to_text(ended.error()));
}

ExitCode show_status(const CommandLine& line) {
  const Result<cgroup::Directory> root = cgroup::Directory::open(line.rootfs);
  if (!root) {
    return complain(kUsage, to_text(root.error()));
  }
  const Result<ordered_json> status = load_status(*root);
  if (!status) {
    return complain(kFailed, to_text(status.error()));
  }
  switch (line.output) {
    case OutputFormat::kTable:
      return write_out(status_table(*status), kDone);
    case OutputFormat::kJson:
      return write_out(status->dump(2) + '\n', kDone);
    case OutputFormat::kYaml:
      return write_out(to_yaml(*status), kDone);
  }
  return kFailed;
}

ExitCode show_incidents(const CommandLine& line) {
  const Result<cgroup::Directory> root = cgroup::Directory::open(line.rootfs);
  if (!root) {
    return complain(kUsage, to_text(root.error()));
  }
  const Result<LoadedIncidents> loaded =
      load_incidents(*root, line.since ? line.since->from(wall_now()) : std::chrono::sys_seconds{});
  if (!loaded) {
    return complain(kFailed, to_text(loaded.error()));
  }
  if (loaded->unreadable != 0) {
    complain(
        kDone,
        fmt::format("{}: {} of its lines are no records and are passed over",
                    root->path_of(std::string{kStateFolder} + '/' + std::string{kIncidentFile}),
                    loaded->unreadable));
  }
  if (line.output == OutputFormat::kTable) {
    return write_out(incidents_table(loaded->incidents), kDone);
  }
  const ordered_json document{{"incidents", loaded->incidents}};
  return write_out(line.output == OutputFormat::kJson ? document.dump(2) + '\n' : to_yaml(document),
                   kDone);
}

ExitCode plan_or_check(const CommandLine& line,
                       const Host& host,
                       const config::AgentConfig& config) {
  cgroup::Buffer buffer;
  NodeHistory history;
  if (const Result<void> recalled = recall(*host.root, history); !recalled) {
    complain(kFailed, to_text(recalled.error()));
  }
  Observation seen = observe(host, config, buffer);
  const Result<Record> record = peek_record(*host.root);
  if (!record) {
    complain(kFailed, to_text(record.error()));
  }
  Circumstances circumstances = circumstances_of(record.value_or(Record{}), wall_now());
  history.add_to(circumstances, seen, seen.uptime);
  const Plan plan = make_plan(std::move(seen), config, circumstances);
  if (line.command == config::Command::kPlan) {
    return print(plan, line.output, exit_code(outcome(plan)));
  }
  const std::vector<Finding> findings = check(plan);
  return print(findings, line.output, fit(findings) ? kDone : kFailed);
}

ExitCode record_node(const CommandLine& line, const Host& host, const config::AgentConfig& config) {
  auto loop = systemd::EventLoop::create();
  if (!loop) {
    return complain(kFailed, to_text(loop.error()));
  }
  const Result<std::size_t> moments =
      record(host,
             config,
             {.file = *line.file, .interval = line.interval, .duration = line.duration},
             *loop);
  return moments ? complain(kDone, fmt::format("{} looks recorded in {}", *moments, *line.file))
                 : complain(kFailed, to_text(moments.error()));
}

/// The commands that look at the node with the agent's configuration.
ExitCode run_on_node(const CommandLine& line) {
  const Host host = open_host(line.procfs.value_or(line.rootfs + "/proc"),
                              line.sysfs.value_or(line.rootfs + "/sys"),
                              line.rootfs);
  if (!host.root) {
    return complain(kUsage, to_text(host.root.error()));
  }
  config::LoadedConfig loaded = load_config(line, *host.root);
  // What the agent wrote has to be removable whatever its configuration has become.
  const bool tolerant = line.command == config::Command::kRollback;
  for (const Error& error : loaded.errors) {
    complain(kUsage, (tolerant ? "warning: " : "") + to_text(error));
  }
  if (!loaded.errors.empty()) {
    if (!tolerant) {
      return kUsage;
    }
    complain(kDone, "warning: rollback goes on with the default configuration");
    loaded.config = {};
  }
  const Progress progress = [](const std::string& text) {
    static_cast<void>(std::fprintf(stderr, "%s\n", text.c_str()));
  };
  if (line.command == config::Command::kRun) {
    return run_daemon(line, host, loaded.config);
  }
  if (line.command == config::Command::kRecord) {
    return record_node(line, host, loaded.config);
  }
  if (line.command == config::Command::kApply) {
    return report(apply(host, loaded.config, line.dry_run, progress), line.output);
  }
  if (line.command == config::Command::kRollback) {
    return report(roll_back(host, loaded.config), line.output);
  }
  return plan_or_check(line, host, loaded.config);
}

/// With the whole file system as root, a relative path is one of the working directory, as it would
/// be for a kubelet that is started here. An empty one is none.
std::vector<std::string> absolute_paths(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    for (const std::string_view flag : {"--config=", "--config-dir="}) {
      if (argument.starts_with(flag) && argument.size() > flag.size()) {
        const std::filesystem::path path = argument.substr(flag.size());
        argument = std::string{flag} + std::filesystem::absolute(path).string();
      }
    }
  }
  return arguments;
}

ExitCode run_validate(const CommandLine& line) {
  const Result<cgroup::Directory> root = cgroup::Directory::open(line.rootfs);
  if (!root) {
    return complain(kUsage, to_text(root.error()));
  }
  const char* const alpha = "KUBELET_CONFIG_DROPIN_DIR_ALPHA";
  const config::KubeletInvocation invocation{
      .version = *line.kubelet_version,
      .arguments =
          line.rootfs == "/" ? absolute_paths(line.kubelet_arguments) : line.kubelet_arguments,
      .config_dropin_dir_alpha = std::getenv(alpha) != nullptr};  // NOLINT(concurrency-mt-unsafe)
  const Verdict verdict = validate(invocation, *root, *line.capacity);
  return print(verdict, line.output, verdict.accepted() ? kDone : kFailed);
}

/// Why reading ended before the end is a failure, unless a crash cut off the last record: that is
/// how a recording may end.
ExitCode exit_code(const std::optional<Error>& problem) {
  return problem && problem->kind != ErrorKind::kAbsent ? kFailed : kDone;
}

ExitCode complain_unread(const CommandLine& line, Error error) {
  if (!line.file && error.kind == ErrorKind::kAbsent) {
    error.remedy = "no daemon has recorded here; name a FILE that eviction-agent record wrote";
  }
  return complain(kFailed, to_text(as_root(std::move(error))));
}

/// Prints each moment as it is read.
ExitCode print_csv(const CommandLine& line, const std::string& file) {
  ExitCode code = write_out(csv_header(), kDone);
  const auto read = read_moments(file, [&code](const Moment& moment) {
    if (code == kDone) {
      code = write_out(csv_row(moment), kDone);
    }
  });
  if (!read) {
    return complain_unread(line, read.error());
  }
  if (*read) {
    complain(kFailed, to_text(**read));
  }
  return code == kDone ? exit_code(*read) : code;
}

ExitCode replay(const CommandLine& line) {
  const Result<cgroup::Directory> root = cgroup::Directory::open(line.rootfs);
  if (!root) {
    return complain(kUsage, to_text(root.error()));
  }
  const std::string file = line.file.value_or(
      root->path_of(std::string{kStateFolder} + '/' + std::string{kRecordingFile}));
  if (line.csv) {
    return print_csv(line, file);
  }
  const config::LoadedConfig loaded = load_config(line, *root);
  for (const Error& error : loaded.errors) {
    complain(kUsage, to_text(error));
  }
  if (!loaded.errors.empty()) {
    return kUsage;
  }
  ReplayRun run{loaded.config};
  auto read = read_moments(file, [&run](const Moment& moment) { run.take(moment); });
  if (!read) {
    return complain_unread(line, read.error());
  }
  run.result().problem = std::move(*read);
  return print(
      run.result(), line.output, run.result().from ? exit_code(run.result().problem) : kFailed);
}

/// Before the nodes run, which may take hours.
Result<void> check_html(const config::SimulateOptions& asked,
                        const std::optional<std::string>& config) {
  std::vector<std::string> inputs;
  if (asked.recording) {
    inputs = {*asked.recording, *asked.recording + std::string{kOlderSuffix}};
  }
  for (const auto& input : {asked.trace, config}) {
    if (input) {
      inputs.push_back(*input);
    }
  }
  return asked.html ? simulate::check_html_file(*asked.html, inputs) : Result<void>{};
}

ExitCode run_simulate(const CommandLine& line) {
  config::LoadedConfig loaded;
  if (line.config) {
    const Result<cgroup::Directory> root = cgroup::Directory::open(line.rootfs);
    loaded = root ? load_config(line, *root) : config::LoadedConfig{{}, {root.error()}, {}};
  }
  for (const Error& error : loaded.errors) {
    complain(kUsage, to_text(error));
  }
  if (!loaded.errors.empty()) {
    return kUsage;
  }
  if (const Result<void> writable = check_html(line.simulate, line.config); !writable) {
    return complain(kUsage, "--html: " + to_text(writable.error()));
  }
  Progress progress;
  if (isatty(STDERR_FILENO) == 1) {
    progress = [](const std::string& text) {
      static_cast<void>(std::fprintf(stderr, "\r\033[K%s", text.c_str()));
    };
  }
  const Result<simulate::Report> report = simulate::simulate(line, loaded.config, progress);
  if (progress) {
    progress("");
  }
  if (!report) {
    return complain(kUsage, to_text(report.error()));
  }
  if (report->problem) {
    complain(kDone, to_text(*report->problem));
  }
  ExitCode code = kDone;
  if (line.simulate.html) {
    const auto written = simulate::write_html_file(*line.simulate.html, simulate::to_html(*report));
    if (!written) {
      code = complain(kFailed, "--html: " + to_text(written.error()));
    }
  }
  return print(*report, line.output, code);
}

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kDebug:
      return spdlog::level::debug;
    case config::LogLevel::kInfo:
      return spdlog::level::info;
    case config::LogLevel::kWarning:
      return spdlog::level::warn;
    case config::LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::warn;
}

ExitCode run(const std::vector<std::string>& arguments) {
  const Result<CommandLine> line = config::parse_command_line(arguments);
  if (!line) {
    return complain(kUsage, to_text(line.error()));
  }
  systemd::set_up_logging(to_spdlog(line->log_level));
  switch (line->command) {
    case config::Command::kRun:
    case config::Command::kPlan:
    case config::Command::kCheck:
    case config::Command::kApply:
    case config::Command::kRollback:
    case config::Command::kRecord:
      return run_on_node(*line);
    case config::Command::kReplay:
      return replay(*line);
    case config::Command::kStatus:
      return show_status(*line);
    case config::Command::kIncidents:
      return show_incidents(*line);
    case config::Command::kValidate:
      return run_validate(*line);
    case config::Command::kSimulate:
      return run_simulate(*line);
    case config::Command::kHelp:
      return write_out(line->help, kDone);
    case config::Command::kVersion:
      return print(Program{}, line->output, kDone);
  }
  return kFailed;
}

}  // namespace

}  // namespace eviction::agent

int main(int argc, char** argv) {
  // A reader that went away is an error of the write, to be reported, not a silent death.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  try {
    return eviction::agent::run({argv + std::min(argc, 1), argv + argc});
  } catch (const std::exception& exception) {
    return eviction::agent::complain(eviction::agent::kFailed, exception.what());
  }
}
