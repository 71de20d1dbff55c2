// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "config/kubelet_config.h"
#include "tests/support/temporary_tree.h"

namespace eviction::config {

using Arguments = std::vector<std::string>;
using Files = std::vector<std::pair<std::string, std::string>>;

inline const std::string kHeader =
    "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
inline const Arguments kConfig{"--config=/c.yaml"};
inline const Arguments kDirectory{"--config-dir=/d"};
inline const Arguments kBoth{"--config=/c.yaml", "--config-dir=/d"};

inline LoadedSettings load(int minor,
                           const Arguments& arguments,
                           const Files& files,
                           bool alpha = true) {
  tests::TemporaryTree tree;
  tree.directory("d");
  for (const auto& [path, content] : files) {
    tree.file(path, content);
  }
  const KubeletInvocation invocation{
      .version = {.major = 1, .minor = minor, .patch = {}, .suffix = {}},
      .arguments = arguments,
      .config_dropin_dir_alpha = alpha};
  return load_kubelet_settings(invocation, *cgroup::Directory::open(tree.path()));
}

inline std::string hard_yaml(const std::string& value) {
  return kHeader + "evictionHard:\n  memory.available: " + value + "\n";
}

/// Signals by their first letters (ia: imagefs.available), sources by their file.
inline std::string show(const std::optional<SettingMap>& map) {
  if (!map) {
    return "nil";
  }
  std::string text;
  for (const auto& [key, setting] : *map) {
    const std::size_t dot = key.find('.');
    const std::string name =
        dot == std::string::npos ? key : key.substr(0, 1) + key.substr(dot + 1, 1);
    text += (text.empty() ? "" : " ") + name + "<" + setting.value + " " +
            (setting.source == "kubelet default" ? "*" : setting.source) + ";";
  }
  return text;
}

inline const std::string kOldDefaults = "ia<15% *; ma<100Mi *; na<10% *; ni<5% *;";
inline const std::string kNewDefaults = "ia<15% *; ii<5% *; ma<100Mi *; na<10% *; ni<5% *;";

struct Row {
  std::string name;
  int from;
  int to;
  Arguments arguments;
  Files files;
  std::string hard;  ///< "refused" or what evictionHard comes to
};

inline std::string result(const LoadedSettings& loaded) {
  return loaded.errors.empty() ? show(loaded.settings.eviction_hard) : "refused";
}

inline void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (int minor = row.from; minor <= row.to; ++minor) {
      const LoadedSettings loaded = load(minor, row.arguments, row.files);
      EXPECT_EQ(result(loaded), row.hard)
          << row.name << " in 1." << minor << ": "
          << (loaded.errors.empty() ? std::string{} : loaded.errors.front());
    }
  }
}

}  // namespace eviction::config
