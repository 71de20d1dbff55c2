// SPDX-License-Identifier: Apache-2.0
// Prints what the manual and the sample configuration say of the keys. Runs at build time only.
#include <iostream>
#include <string>
#include <string_view>

#include "config/agent_config.h"
#include "config/wording.h"

namespace {

using eviction::config::agent_config_keys;
using eviction::config::allowed_values;
using eviction::config::KeyInfo;
using eviction::config::wrapped;

constexpr std::size_t kSampleWidth = 80;

std::string default_of(const KeyInfo& info) {
  return info.default_value.empty() ? "empty" : std::string{info.default_value};
}

/// Text in which scdoc sees no markup.
std::string scdoc_escaped(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    if (std::string_view{"\\_*#<>[]|."}.find(byte) != std::string_view::npos) {
      result += '\\';
    }
    result += byte;
  }
  return result;
}

/// Sections and keys in scdoc(5).
void print_manual() {
  std::string_view section;
  for (const KeyInfo& info : agent_config_keys()) {
    if (info.section != section) {
      section = info.section;
      std::cout << "## [" << section << "]\n\n";
    }
    std::cout << '*' << info.key << "* =\n"
              << '\t' << scdoc_escaped(info.doc) << "\n\n"
              << "\tAllowed: " << scdoc_escaped(allowed_values(info)) << ". Default: *"
              << scdoc_escaped(default_of(info)) << "*.\n\n";
  }
}

/// A configuration with every key commented out.
void print_sample() {
  std::cout << "# Configuration of eviction-agent. Each key is shown with its default.\n"
               "# See eviction-agent.ini(5). Files in conf.d beside this one are read after it.\n";
  std::string_view section;
  for (const KeyInfo& info : agent_config_keys()) {
    if (info.section != section) {
      section = info.section;
      std::cout << "\n[" << section << "]\n";
    }
    std::cout << '\n'
              << wrapped(info.doc, "# ", kSampleWidth)
              << wrapped("Allowed: " + allowed_values(info) + '.', "# ", kSampleWidth) << '#'
              << info.key << (info.default_value.empty() ? " =" : " = ") << info.default_value
              << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "man") {
    print_manual();
  } else if (what == "sample") {
    print_sample();
  } else {
    std::cerr << "usage: render_docs man|sample\n";
    return 2;
  }
  return std::cout.flush() ? 0 : 1;
}
