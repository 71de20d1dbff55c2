// SPDX-License-Identifier: Apache-2.0
#include "config/help_text.h"

#include "config/agent_config.h"
#include "config/wording.h"

namespace eviction::config {

namespace {

constexpr std::string_view kDocIndent = "        ";

std::string render_option(const OptionInfo& option) {
  std::string text =
      option.letter == '\0' ? "      --" : std::string{"  -"} + option.letter + ", --";
  text += option.name;
  if (!option.argument.empty()) {
    text += ' ' + std::string{option.argument};
  }
  return text + '\n' + wrapped(option.doc, "            ");
}

/// The options of a command: its own, or the kubelet's flags that it takes.
std::string render_options(Command command, bool kubelet_flags) {
  std::string text;
  for (const OptionInfo& option : kOptions) {
    if (takes(command, option) && option.kubelet_flag == kubelet_flags) {
      text += render_option(option);
    }
  }
  return text;
}

std::string render_keys() {
  std::string text;
  for (const KeyInfo& info : agent_config_keys()) {
    const std::string default_value{info.default_value.empty() ? "empty" : info.default_value};
    text += "  [" + std::string{info.section} + "] " + std::string{info.key} + '\n';
    text += wrapped(info.doc, kDocIndent);
    text += wrapped("Allowed: " + allowed_values(info) + ". Default: " + default_value + '.',
                    kDocIndent);
  }
  return text;
}

std::string render_exit_codes() {
  return "Exit codes:\n"
         "  0  done; plan: a value could be applied; check: fit; validate: accepted\n"
         "  1  failed or found wanting; check: a finding is an error; validate: refused\n"
         "  2  the command line or the configuration is wrong\n"
         "  3  a guard refuses; nothing was changed\n";
}

}  // namespace

std::string general_help() {
  std::string text =
      "Usage: eviction-agent COMMAND [OPTIONS]\n\n"
      "Finds the memory eviction threshold that lets this node's kubelet evict a pod\n"
      "before the kernel kills one, and puts it in force.\n\n"
      "Commands:\n";
  for (const CommandInfo& command : kCommands) {
    text += "  " + std::string{command.name} + '\n' + wrapped(command.summary, kDocIndent);
  }
  text += "\nOptions of most commands:\n" + render_options(Command::kPlan, false);
  text += "\nThe options of one: eviction-agent COMMAND --help\n\n";
  text += render_exit_codes();
  text += "\nConfiguration keys:\n" + render_keys();
  text += "\nFiles:\n  " + std::string{kConfigPath} + '\n' +
          wrapped("The configuration. It need not exist.", kDocIndent);
  text += "  /etc/eviction-agent/conf.d/*.ini\n" +
          wrapped(
              "Read after it in the order of their names; what comes later counts. Names that "
              "begin with a dot are passed over.",
              kDocIndent);
  return text + "\nManual pages: eviction-agent(8), eviction-agent.ini(5)\n";
}

std::string command_help(const CommandInfo& command) {
  std::string text = "Usage: eviction-agent " + std::string{command.name};
  if (!command.synopsis.empty()) {
    text += ' ' + std::string{command.synopsis};
  }
  text += "\n\n" + wrapped(command.summary, "");
  if (!command.details.empty()) {
    text += wrapped(command.details, "");
  }
  text += "\nOptions:\n" + render_options(command.command, false);
  if (const std::string flags = render_options(command.command, true); !flags.empty()) {
    text += "\nKubelet flags, each as often as needed and in the kubelet's own syntax:\n" + flags;
  }
  return text + '\n' + render_exit_codes();
}

}  // namespace eviction::config
