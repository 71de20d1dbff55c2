// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/command_table.h"

namespace eviction::config {

/// The whole of --help: commands, options, exit codes, configuration keys and files.
[[nodiscard]] std::string general_help();

/// What a command does, and its options.
[[nodiscard]] std::string command_help(const CommandInfo& command);

}  // namespace eviction::config
