// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"
#include "config/kubelet_version.h"
#include "config/listen_address.h"

namespace eviction::config {

/// Which file the value is put in; "auto" looks at the running kubelet and its supervisor.
enum class TargetChoice {
  kAuto,
  kRke2Dropin,
  kK3sDropin,
  kKubeletDropin,
  kRke2Args,
  kK3sArgs,
  kNone
};

/// What "run" does with the value it computes.
enum class Mode {
  kObserve,  ///< never writes a file of the kubelet
  kStage,    ///< keeps the value beside its target, for "apply"
  kEnforce,  ///< puts it in force
};

/// "observe", "stage", "enforce".
[[nodiscard]] std::string_view to_text(Mode mode);

/// The agent's own configuration, each field with the default it has without any file.
struct AgentConfig {
  /// [agent] mode.
  Mode mode = Mode::kStage;
  /// [agent] restarts-per-day: most restarts of the kubelet by the agent in 24 hours.
  int restarts_per_day = 2;
  /// [agent] restart-spread: minutes after its configuration was read, and node and kubelet
  /// settled, within which each node's daemon has its turn to begin with restarts. 0: at once.
  int restart_spread_minutes = 10;
  /// [sizing] risk: accepted share, in parts per 10000, of what the node loses near running out
  /// that is lost in falls within one reaction time larger than the growth allowed for. The default
  /// does the least harm in the suite of tests/simulate.
  int risk_permyriad = 1000;
  /// [sizing] growth-ceiling: largest share of RAM, in parts per 10000, that growth may take.
  int growth_ceiling_permyriad = 1000;
  /// [kubelet] version: overrides what is found on the node.
  std::optional<KubeletVersion> kubelet_version;
  /// [kubelet] target: which file is written, and how.
  TargetChoice target = TargetChoice::kAuto;
  /// [kubelet] override: replace a memory signal that somebody else has set.
  bool override_foreign = false;
  /// [kubelet] allow-version: act on a kubelet version that the table of known ones does not have.
  bool allow_unknown_version = false;
  /// [kubelet] restart-unit: restart the whole service where the kubelet alone cannot be.
  bool restart_unit = false;
  /// [metrics] listen: where metrics are served; empty: nowhere.
  std::vector<ListenAddress> metrics_listen = {{false, "127.0.0.1", 9847}};
  /// [metrics] tls-certificate, tls-key: PEM files; both or none.
  std::string metrics_tls_certificate;
  std::string metrics_tls_key;
  /// [metrics] tls-client-ca: PEM file; empty: clients need no certificate.
  std::string metrics_tls_client_ca;
  /// [metrics] basic-auth-file: empty: clients need no password.
  std::string metrics_basic_auth_file;
  /// [metrics] top-pods: how many pods besides VMs have samples of their own.
  int metrics_top_pods = 10;
};

/// A share of at most two decimals ("0.25%"); the limits, in parts per 10000, are allowed values.
struct PercentField {
  int AgentConfig::*field;
  int least;
  int most;
};

/// A whole number between the limits, both allowed.
struct NumberField {
  int AgentConfig::*field;
  int least;
  int most;
};

/// Where a key's value goes, and with it how it is written.
using KeyField = std::variant<PercentField,
                              NumberField,
                              Mode AgentConfig::*,
                              bool AgentConfig::*,
                              TargetChoice AgentConfig::*,
                              std::optional<KubeletVersion> AgentConfig::*,
                              std::vector<ListenAddress> AgentConfig::*,
                              std::string AgentConfig::*>;  ///< a path from /, or empty

/// One key of eviction-agent.ini. The loader, --help, the man page and the sample file are all made
/// from this table.
struct KeyInfo {
  std::string_view section;
  std::string_view key;
  KeyField field;
  std::string_view default_value;  ///< as it would be written; may be empty
  std::string_view doc;            ///< one or more sentences
};

/// In the order of the sections, no section in two places.
[[nodiscard]] std::span<const KeyInfo> agent_config_keys();

/// Sets the key's field. False when the value is not an allowed one; then nothing is changed.
[[nodiscard]] bool set_value(AgentConfig& config, const KeyInfo& key, std::string_view value);

/// The values a key takes, for messages and manuals: "yes, no", "0.01% to 10%".
[[nodiscard]] std::string allowed_values(const KeyInfo& key);

/// Where the configuration is looked for, below the host's root.
inline constexpr std::string_view kConfigPath = "/etc/eviction-agent/eviction-agent.ini";

/// A configuration, or every error of every file: file, line, key, and the allowed values.
struct LoadedConfig {
  AgentConfig config;
  std::vector<Error> errors;       ///< by file, and by line in it; config is not for use with any
  std::vector<std::string> files;  ///< those that were read, in order
};

/// Reads path and then conf.d/*.ini beside it in bytewise order; a later file overrides an earlier
/// one, a key twice in one file is an error. A missing main file is no error unless required;
/// hidden files and other names in conf.d are passed over.
[[nodiscard]] LoadedConfig load_agent_config(const cgroup::Directory& root,
                                             const std::string& path,
                                             bool required);

}  // namespace eviction::config
