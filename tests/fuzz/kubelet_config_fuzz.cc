// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/kubelet_config.h"
#include "config/thresholds.h"
#include "tests/support/temporary_tree.h"

// A configuration file and a drop-in, parted by a line "=====", through loading and parsing, for a
// kubelet of each way of merging. Refused settings leave no thresholds.
// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace eviction;  // NOLINT(google-build-using-namespace): a program of one function
  static const tests::TemporaryTree tree;
  static const cgroup::Directory root = *cgroup::Directory::open(tree.path());
  constexpr std::string_view kSeparator = "\n=====\n";
  const std::string text{reinterpret_cast<const char*>(data), size};
  const std::size_t end = text.find(kSeparator);
  const bool both = end != std::string::npos;
  std::filesystem::create_directories(tree.path("d"));
  std::ofstream{tree.path("c.yaml"), std::ios::binary} << text.substr(0, end);
  std::ofstream{tree.path("d/1.conf"), std::ios::binary}
      << (both ? text.substr(end + kSeparator.size()) : "");
  for (const int minor : {24, 28, 29, 32, 36}) {
    config::KubeletInvocation invocation{
        .version = {.major = 1, .minor = minor, .patch = {}, .suffix = {}},
        .arguments = {"--config=/c.yaml"},
        .config_dropin_dir_alpha = true};
    if (both) {
      invocation.arguments.emplace_back("--config-dir=/d");
    }
    const config::LoadedSettings loaded = config::load_kubelet_settings(invocation, root);
    const config::ParsedThresholds parsed =
        config::parse_thresholds(loaded.settings, invocation.version);
    if (!parsed.errors.empty() && !parsed.thresholds.empty()) {
      std::abort();
    }
    static_cast<void>(
        config::check_node_allocatable(loaded.settings, parsed, Bytes{std::int64_t{4} << 30}));
  }
  return 0;
}
