// SPDX-License-Identifier: Apache-2.0
#include "config/help_text.h"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/agent_config.h"

namespace eviction::config {
namespace {

using testing::HasSubstr;

void expect_narrow(const std::string& text) {
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(GeneralHelp, HasEveryCommandKeyAndExitCode) {
  const std::string help = general_help();
  for (const CommandInfo& command : kCommands) {
    EXPECT_THAT(help, HasSubstr("\n  " + std::string{command.name} + '\n'));
  }
  for (const KeyInfo& info : agent_config_keys()) {
    EXPECT_THAT(help,
                HasSubstr('[' + std::string{info.section} + "] " + std::string{info.key} + '\n'));
  }
  for (const char code : {'0', '1', '2', '3'}) {
    EXPECT_THAT(help, HasSubstr(std::string{"\n  "} + code + "  "));
  }
  EXPECT_THAT(help, HasSubstr(std::string{kConfigPath}));
  expect_narrow(help);
}

TEST(CommandHelp, HasTheOptionsThatTheCommandTakesAndNoOther) {
  for (const CommandInfo& command : kCommands) {
    const std::string help = command_help(command);
    for (const OptionInfo& option : kOptions) {
      SCOPED_TRACE(std::string{command.name} + " --" + std::string{option.name});
      const std::string row = "--" + std::string{option.name} +
                              (option.argument.empty() ? "" : " ") + std::string{option.argument} +
                              "\n            " + std::string{option.doc.substr(0, 15)};
      EXPECT_EQ(help.find(row) != std::string::npos, takes(command.command, option));
    }
    expect_narrow(help);
  }
}

}  // namespace
}  // namespace eviction::config
