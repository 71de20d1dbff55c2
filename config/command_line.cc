// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <boost/program_options.hpp>

#include "config/command_table.h"
#include "config/help_text.h"
#include "config/quantity.h"
#include "config/wording.h"

namespace eviction::config {

namespace {

namespace po = boost::program_options;

template <class Value>
struct Choice {
  std::string_view name;
  Value value;
};

constexpr std::array kOutputs{Choice<OutputFormat>{"table", OutputFormat::kTable},
                              Choice<OutputFormat>{"json", OutputFormat::kJson},
                              Choice<OutputFormat>{"yaml", OutputFormat::kYaml}};

constexpr std::array kLogLevels{Choice<LogLevel>{"debug", LogLevel::kDebug},
                                Choice<LogLevel>{"info", LogLevel::kInfo},
                                Choice<LogLevel>{"warning", LogLevel::kWarning},
                                Choice<LogLevel>{"error", LogLevel::kError}};

Error usage_error(std::string what, std::string remedy) {
  return {ErrorKind::kMalformed, "", 0, std::move(what), std::move(remedy)};
}

std::string see_help(const CommandInfo& command) {
  return "see eviction-agent " + std::string{command.name} + " --help";
}

const CommandInfo* find_command(std::string_view name) {
  const auto* const found = std::ranges::find(kCommands, name, &CommandInfo::name);
  return found == kCommands.end() ? nullptr : found;
}

/// The option that is written like this, "--output" or "-o"; a null pointer if there is none.
const OptionInfo* find_option(Command command, std::string_view written) {
  const auto* const found = std::ranges::find_if(kOptions, [&](const OptionInfo& option) {
    const bool is_short = option.letter != '\0' && written == std::string{'-', option.letter};
    return takes(command, option) && (is_short || written == "--" + std::string{option.name});
  });
  return found == kOptions.end() ? nullptr : found;
}

Error unknown_command(std::string_view name) {
  std::vector<std::string_view> names;
  std::ranges::transform(kCommands, std::back_inserter(names), &CommandInfo::name);
  const auto meant = nearest(name, names);
  return usage_error(
      "unknown command " + in_quotes(name),
      meant ? "did you mean " + std::string{*meant} + '?' : "see eviction-agent --help");
}

/// An option that the command does not take; token: as it was written, "--capacity=1Gi" or "-x".
Error unknown_option(const CommandInfo& command, const std::string& token) {
  const std::string option = token.substr(0, token.find('='));
  if (find_option(command.command, option) != nullptr) {
    return usage_error(option + " takes no value", see_help(command));
  }
  for (const CommandInfo& other : kCommands) {
    if (find_option(other.command, option) != nullptr) {
      return usage_error(std::string{command.name} + " takes no " + option,
                         "it is an option of " + std::string{other.name});
    }
  }
  std::vector<std::string_view> names;
  for (const OptionInfo& known : kOptions) {
    if (takes(command.command, known)) {
      names.push_back(known.name);
    }
  }
  const std::size_t name = std::min(option.find_first_not_of('-'), option.size());
  const auto meant = nearest(option.substr(name), names);
  return usage_error("unknown option " + in_quotes(option),
                     meant ? "did you mean --" + std::string{*meant} + '?' : see_help(command));
}

po::options_description describe(Command command) {
  po::options_description description;
  for (const OptionInfo& option : kOptions) {
    if (!takes(command, option)) {
      continue;
    }
    std::string name{option.name};
    if (option.letter != '\0') {
      name += std::string{","} + option.letter;
    }
    if (option.argument.empty()) {
      description.add_options()(name.c_str(), "");
    } else {
      description.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  return description;
}

/// Takes "--name=value" or "--name" "value" off the tokens if it is an option with a value. As with
/// the kubelet's own flags the value is whatever is there, be it empty or another option's name;
/// Boost's parser of long options refuses both.
std::vector<po::option> take_long_option(Command command, std::vector<std::string>& tokens) {
  const std::string& token = tokens.front();
  if (!token.starts_with("--")) {
    return {};
  }
  const std::size_t equals = token.find('=');
  const bool joined = equals != std::string::npos;
  const OptionInfo* const info = find_option(command, token.substr(0, equals));
  if (info == nullptr || info->argument.empty() || (!joined && tokens.size() == 1)) {
    return {};
  }
  po::option option;
  option.string_key = info->name;
  option.value = {joined ? token.substr(equals + 1) : tokens[1]};
  tokens.erase(tokens.begin(), tokens.begin() + (joined ? 1 : 2));
  return {option};
}

Result<std::vector<po::option>> parse_options(const CommandInfo& command,
                                              const std::vector<std::string>& tokens) {
  namespace style = po::command_line_style;
  const po::options_description description = describe(command.command);
  po::command_line_parser parser{tokens};
  parser.options(description)
      .style(style::unix_style & ~style::allow_guessing)
      .extra_style_parser([&command](std::vector<std::string>& rest) {
        return take_long_option(command.command, rest);
      });
  try {
    return parser.run().options;
  } catch (const po::unknown_option& error) {
    return tl::unexpected{unknown_option(command, error.get_option_name())};
  } catch (const po::invalid_command_line_syntax& error) {
    const bool missing = error.kind() == po::invalid_syntax::missing_parameter;
    return tl::unexpected{usage_error(
        in_quotes(error.get_option_name()) + (missing ? " needs a value" : " takes no value"),
        see_help(command))};
  } catch (const po::error& error) {
    return tl::unexpected{usage_error(error.what(), see_help(command))};
  }
}

using Outcome = Result<void>;

template <class Value, std::size_t size>
Outcome set_choice(Value& field,
                   const OptionInfo& option,
                   const std::string& text,
                   const std::array<Choice<Value>, size>& choices) {
  const auto* const found = std::ranges::find(choices, text, &Choice<Value>::name);
  if (found == choices.end()) {
    return tl::unexpected{
        usage_error("--" + std::string{option.name} + ": unknown " + in_quotes(text),
                    "allowed: " + std::string{option.argument})};
  }
  field = found->value;
  return {};
}

Outcome set_kubelet_version(CommandLine& line, const std::string& text) {
  Result<KubeletVersion> version = parse_kubelet_version(text);
  if (!version) {
    return tl::unexpected{usage_error("--kubelet-version: " + in_quotes(text) + " is no version",
                                      "allowed: such as 1.32, 1.32.3 or v1.32.3+rke2r1")};
  }
  line.kubelet_version = std::move(*version);
  return {};
}

Outcome set_capacity(CommandLine& line, const std::string& text) {
  constexpr double kMostSimulated = 1LL << 50;
  if (line.command == Command::kSimulate && quantity_magnitude(text) > kMostSimulated) {
    return tl::unexpected{usage_error("--capacity: " + in_quotes(text) + " is more than 1 PiB",
                                      "allowed: 1Gi to 1Pi")};
  }
  const Result<Quantity> capacity = parse_quantity(text);
  if (!capacity || capacity->bytes <= Bytes{}) {
    return tl::unexpected{usage_error("--capacity: " + in_quotes(text) + " is no amount of memory",
                                      "allowed: bytes above 0, or a quantity such as 16Gi")};
  }
  line.capacity = capacity->bytes;
  return {};
}

Outcome set_number(
    int& field, const OptionInfo& option, const std::string& text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return tl::unexpected{usage_error(
        "--" + std::string{option.name} + ": " + in_quotes(text) + " is out of range",
        "allowed: whole numbers from " + std::to_string(least) + " to " + std::to_string(most))};
  }
  field = number;
  return {};
}

Outcome set_simulate(SimulateOptions& simulate, const OptionInfo& option, const std::string& text) {
  constexpr int kHoursOfALeapYear = 8784;
  if (option.name == "hours") {
    return set_number(simulate.hours, option, text, 1, kHoursOfALeapYear);
  }
  if (option.name == "seed") {
    return set_number(simulate.seed, option, text, 0, std::numeric_limits<int>::max());
  }
  if (text.empty()) {
    return tl::unexpected{usage_error("--" + std::string{option.name} + " is empty",
                                      "leave it out, or give a value")};
  }
  if (option.name == "trace") {
    simulate.trace = text;
  } else if (option.name == "recording") {
    simulate.recording = text;
  } else if (option.name == "html") {
    simulate.html = text;
  } else if (option.name == "mix") {
    simulate.mix = text;
  } else if (option.name == "weather") {
    simulate.weather = text;
  } else if (option.name == "policy") {
    simulate.policies = text;
  } else {
    simulate.weights = text;
  }
  return {};
}

Outcome set_path(CommandLine& line, std::string_view option, const std::string& text) {
  if (text.empty()) {
    return tl::unexpected{
        usage_error("--" + std::string{option} + " is empty", "leave it out, or give a path")};
  }
  if (option == "config") {
    line.config = text;
  } else if (option == "path.rootfs") {
    line.rootfs = text;
  } else if (option == "path.procfs") {
    line.procfs = text;
  } else {
    line.sysfs = text;
  }
  return {};
}

Outcome set_textfile(CommandLine& line, const std::string& text) {
  if (!text.ends_with(".prom")) {
    return tl::unexpected{usage_error("--textfile: " + in_quotes(text) + " does not end in .prom",
                                      "node_exporter reads no other names")};
  }
  line.textfile = text;
  return {};
}

Outcome set_since(CommandLine& line, const std::string& text) {
  Result<Since> since = parse_since(text);
  if (!since) {
    return tl::unexpected{usage_error("--since: " + since.error().what, since.error().remedy)};
  }
  line.since = *since;
  return {};
}

/// A whole number of seconds within the bounds.
Result<std::chrono::seconds> parse_seconds(const OptionInfo& option,
                                           const std::string& text,
                                           int least,
                                           int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return tl::unexpected{usage_error(
        "--" + std::string{option.name} + ": " + in_quotes(text) + " is out of range",
        "allowed: whole seconds from " + std::to_string(least) + " to " + std::to_string(most))};
  }
  return std::chrono::seconds{number};
}

Outcome set_time(CommandLine& line, const OptionInfo& option, const std::string& text) {
  const bool interval = option.name == "interval";
  constexpr int kYear = 366 * 24 * 3600;
  const auto seconds = parse_seconds(option, text, 1, interval ? 10 : kYear);
  if (!seconds) {
    return tl::unexpected{seconds.error()};
  }
  if (interval) {
    line.interval = *seconds;
  } else {
    line.duration = *seconds;
  }
  return {};
}

Outcome set_option(CommandLine& line, const OptionInfo& option, const std::string& text) {
  if (option.kubelet_flag) {
    line.kubelet_arguments.push_back("--" + std::string{option.name} + '=' + text);
    return {};
  }
  if (option.name == "output") {
    return set_choice(line.output, option, text, kOutputs);
  }
  if (option.name == "log-level") {
    return set_choice(line.log_level, option, text, kLogLevels);
  }
  if (option.name == "kubelet-version") {
    return set_kubelet_version(line, text);
  }
  if (option.name == "capacity") {
    return set_capacity(line, text);
  }
  if (option.name == "since") {
    return set_since(line, text);
  }
  if (option.name == "textfile") {
    return set_textfile(line, text);
  }
  if (option.name == "interval" || option.name == "duration") {
    return set_time(line, option, text);
  }
  if (line.command == Command::kSimulate && option.name != "config") {
    return set_simulate(line.simulate, option, text);
  }
  return set_path(line, option.name, text);
}

CommandLine help_line(std::string text) {
  CommandLine line;
  line.help = std::move(text);
  return line;
}

/// "help" with what follows it.
Result<CommandLine> parse_help(const std::vector<std::string>& topics) {
  if (topics.empty()) {
    return help_line(general_help());
  }
  if (topics.size() > 1) {
    return tl::unexpected{usage_error("unexpected argument " + in_quotes(topics[1]),
                                      "help takes one command at most")};
  }
  const CommandInfo* const command = find_command(topics[0]);
  if (command == nullptr) {
    return tl::unexpected{unknown_command(topics[0])};
  }
  return help_line(command_help(*command));
}

/// What is no option: the file of a command that takes one.
Outcome set_argument(CommandLine& line, const CommandInfo& command, const std::string& text) {
  const bool takes_file = line.command == Command::kRecord || line.command == Command::kReplay;
  if (!takes_file || line.file || text.empty()) {
    return tl::unexpected{usage_error(
        "unexpected argument " + in_quotes(text),
        std::string{command.name} + (takes_file ? " takes one file; " : " takes options only; ") +
            see_help(command))};
  }
  line.file = text;
  return {};
}

Outcome add_option(CommandLine& line,
                   const OptionInfo& info,
                   const po::option& option,
                   std::set<std::string>& given) {
  if (!info.kubelet_flag && !given.insert(option.string_key).second) {
    return tl::unexpected{
        usage_error("--" + option.string_key + " is given twice", "keep one of the two")};
  }
  if (info.argument.empty()) {
    bool& flag = info.name == "suite" ? line.simulate.suite
                 : info.name == "csv" ? line.csv
                                      : line.dry_run;
    flag = true;
    return {};
  }
  return set_option(line, info, option.value.front());
}

/// What a command cannot do without.
Outcome check_complete(const CommandLine& line) {
  if (line.command == Command::kValidate && !line.kubelet_version) {
    return tl::unexpected{usage_error("validate needs --kubelet-version",
                                      "give the kubelet's version, such as v1.32.3+rke2r1")};
  }
  if (line.command == Command::kValidate && !line.capacity) {
    return tl::unexpected{
        usage_error("validate needs --capacity", "give the node's memory, such as 16Gi")};
  }
  if (line.command == Command::kRecord && !line.file) {
    return tl::unexpected{usage_error("record needs a file", "write eviction-agent record FILE")};
  }
  return {};
}

/// Options of simulate of which one would be passed over.
Outcome check_together(const std::set<std::string>& given) {
  struct Pair {
    const char* one;
    const char* other;
  };

  constexpr std::array kApart{Pair{"trace", "recording"},
                              Pair{"suite", "trace"},
                              Pair{"suite", "recording"},
                              Pair{"suite", "capacity"},
                              Pair{"suite", "mix"},
                              Pair{"suite", "weather"},
                              Pair{"trace", "hours"},
                              Pair{"trace", "mix"},
                              Pair{"trace", "weather"},
                              Pair{"recording", "hours"},
                              Pair{"recording", "mix"},
                              Pair{"recording", "weather"},
                              Pair{"csv", "output"},
                              Pair{"csv", "config"}};
  for (const Pair& pair : kApart) {
    if (given.contains(pair.one) && given.contains(pair.other)) {
      return tl::unexpected{usage_error(std::string{"--"} + pair.one + " excludes --" + pair.other,
                                        "keep one of the two")};
    }
  }
  return {};
}

Result<CommandLine> apply_options(const CommandInfo& command,
                                  const std::vector<po::option>& options) {
  CommandLine line;
  line.command = command.command;
  line.log_level = line.command == Command::kRun ? LogLevel::kInfo : LogLevel::kWarning;
  std::set<std::string> given;
  for (const po::option& option : options) {
    const OptionInfo* const info = find_option(command.command, "--" + option.string_key);
    if (info == nullptr) {
      if (const Outcome set = set_argument(line, command, option.original_tokens.front()); !set) {
        return tl::unexpected{set.error()};
      }
      continue;
    }
    if (info->name == "help") {
      return help_line(command_help(command));
    }
    if (const Outcome outcome = add_option(line, *info, option, given); !outcome) {
      return tl::unexpected{outcome.error()};
    }
  }
  if (const Outcome complete = check_complete(line); !complete) {
    return tl::unexpected{complete.error()};
  }
  if (const Outcome together = check_together(given); !together) {
    return tl::unexpected{together.error()};
  }
  return line;
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    return tl::unexpected{usage_error("no command is given", "see eviction-agent --help")};
  }
  std::string name = arguments.front();
  if (name == "-h" || name == "--help") {
    name = "help";
  } else if (name == "-V" || name == "--version") {
    name = "version";
  }
  if (name.starts_with('-')) {
    return tl::unexpected{usage_error("the command comes before " + in_quotes(name),
                                      "write eviction-agent COMMAND [OPTIONS]")};
  }
  const CommandInfo* const command = find_command(name);
  if (command == nullptr) {
    return tl::unexpected{unknown_command(name)};
  }
  const std::vector<std::string> rest{arguments.begin() + 1, arguments.end()};
  if (command->command == Command::kHelp && (rest.empty() || !rest.front().starts_with('-'))) {
    return parse_help(rest);
  }
  const Result<std::vector<po::option>> options = parse_options(*command, rest);
  if (!options) {
    return tl::unexpected{options.error()};
  }
  return apply_options(*command, *options);
}

}  // namespace eviction::config
