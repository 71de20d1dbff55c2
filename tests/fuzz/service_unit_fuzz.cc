// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/service_unit.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

/// The text as one quoted word of a unit file.
std::string quoted(std::string_view text) {
  std::string word = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      word += '\\';
    }
    word += c == '%' ? "%%" : std::string{c};
  }
  return word + "\"";
}

}  // namespace

// A unit file: a later ExecStart= replaces an earlier one, and a quoted word comes back as it was.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction::agent;  // NOLINT(google-build-using-namespace): a program of one
                                    // function
  const std::string text{reinterpret_cast<const char*>(data), size};
  static_cast<void>(parse_exec_start(text));
  if (const std::optional<std::string> service = service_of_path(text)) {
    require(text.find(*service) != std::string::npos && service->ends_with(".service"));
  }
  if (text.find_first_of(std::string_view{"\n\r\0", 3}) == std::string::npos) {
    const auto command = parse_exec_start("[Service]\nExecStart=/old x\nExecStart=/bin/a " +
                                          quoted(text) + " end\n");
    require(command.has_value());
    require(*command == std::vector<std::string>{"/bin/a", text, "end"});
  }
  return 0;
}
