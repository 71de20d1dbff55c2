// SPDX-License-Identifier: Apache-2.0
#include "agent/k3s.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "config/drop_in_files.h"
#include "config/kubelet_flags.h"
#include "config/thresholds.h"
#include "config/yaml_document.h"

namespace eviction::agent {

namespace {

/// What k3s and RKE2 up to 1.31 pass on their own.
std::map<std::string, std::string> default_flags() {
  return {{"eviction-hard", "imagefs.available<5%,nodefs.available<5%"},
          {"eviction-minimum-reclaim", "imagefs.available=10%,nodefs.available=10%"}};
}

/// What bears on eviction and comes from kubelet-arg only, but for those defaults.
constexpr std::array kComposed = {"eviction-hard",
                                  "eviction-minimum-reclaim",
                                  "eviction-soft",
                                  "eviction-soft-grace-period",
                                  "eviction-max-pod-grace-period",
                                  "kube-reserved",
                                  "system-reserved",
                                  "reserved-memory",
                                  "memory-manager-policy",
                                  "enforce-node-allocatable",
                                  "experimental-allocatable-ignore-eviction"};

constexpr const char* kMend = "k3s and RKE2 do not start with this file; mend it";

Error malformed(std::size_t line, std::string what) {
  return Error{ErrorKind::kMalformed, {}, line, std::move(what), kMend};
}

std::size_t line_of(const YAML::Mark& mark) {
  return mark.is_null() ? 0 : static_cast<std::size_t>(mark.line) + 1;
}

/// The values of one key: a list's, or the only one. An empty one counts for nothing.
Result<std::vector<std::string>> values_of(const std::string& key, const YAML::Node& value) {
  std::vector<YAML::Node> nodes;
  if (value.IsSequence()) {
    std::copy(value.begin(), value.end(), std::back_inserter(nodes));
  } else {
    nodes.push_back(value);
  }
  std::vector<std::string> values;
  for (const YAML::Node& node : nodes) {
    if (!node.IsScalar() && !node.IsNull()) {
      return tl::unexpected(
          malformed(line_of(node.Mark()), key + " holds something that is no string"));
    }
    if (node.IsScalar() && !node.Scalar().empty()) {
      values.push_back(node.Scalar());
    }
  }
  return values;
}

/// Of a key that is set to one value.
std::string* option_of(const std::string& key, K3sOptions& options) {
  return key == "data-dir"                     ? &options.data_dir
         : key == "docker"                     ? &options.docker
         : key == "container-runtime-endpoint" ? &options.container_runtime_endpoint
                                               : nullptr;
}

/// appends: the key was written with a '+'.
void apply_values(const std::string& key,
                  bool appends,
                  std::vector<std::string> values,
                  K3sOptions& options) {
  if (std::string* const option = option_of(key, options)) {
    *option = values.empty() ? std::string{} : values.back();
    return;
  }
  if (!appends) {
    options.kubelet_args.clear();
  }
  std::move(values.begin(), values.end(), std::back_inserter(options.kubelet_args));
}

Result<void> apply_document(const YAML::Node& document, K3sOptions& options) {
  if (!document.IsMap() && !document.IsNull()) {
    return tl::unexpected(malformed(1, "not a map of k3s' flags"));
  }
  for (const auto& item : document) {
    std::string key = item.first.IsScalar() ? item.first.Scalar() : std::string{};
    const bool appends = key.ends_with('+');
    key.resize(key.size() - (appends ? 1 : 0));
    if (key != "kubelet-arg" && option_of(key, options) == nullptr) {
      continue;
    }
    auto values = values_of(key, item.second);
    if (!values) {
      return tl::unexpected(std::move(values.error()));
    }
    apply_values(key, appends, std::move(*values), options);
  }
  return {};
}

void apply_file(const cgroup::Directory& root,
                const std::string& path,
                const config::FilesInstead& instead,
                K3sConfig& config,
                cgroup::Buffer& buffer) {
  constexpr std::size_t kConfigLimit = std::size_t{1} << 20;
  const auto found = instead.find(path);
  const Result<std::string_view> text = found != instead.end()
                                            ? Result<std::string_view>{*found->second}
                                            : root.read(path, buffer, kConfigLimit);
  if (!text) {
    if (text.error().kind != ErrorKind::kAbsent) {
      config.errors.push_back(text.error());
    }
    return;
  }
  if (Result<void> applied = apply_k3s_config(*text, config.options); !applied) {
    applied.error().path = root.path_of(path);
    config.errors.push_back(std::move(applied.error()));
  }
}

bool is_config_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name.ends_with(".yaml") || name.ends_with(".yml");
}

/// /etc/rancher/k3s/config.yaml
std::string default_config_file(const K3sStart& start) {
  return "/etc/rancher/" + start.program + "/config.yaml";
}

/// In the order in which they are read.
std::set<std::string> config_files(const cgroup::Directory& root,
                                   const std::string& path,
                                   const config::FilesInstead& instead,
                                   std::vector<Error>& errors) {
  const Result<cgroup::Directory> folder = root.open_below(path);
  const auto entries = folder ? folder->list() : tl::unexpected(folder.error());
  std::set<std::string> files;
  if (!entries && entries.error().kind != ErrorKind::kAbsent) {
    errors.push_back(entries.error());
  }
  for (const cgroup::Directory::Entry& entry :
       entries ? *entries : std::vector<cgroup::Directory::Entry>{}) {
    if (!entry.directory && is_config_name(entry.name)) {
      files.insert(path + '/' + entry.name);
    }
  }
  for (const auto& [file, content] : instead) {
    if (content) {
      files.insert(file);
    } else {
      files.erase(file);
    }
  }
  return files;
}

/// k3s' own flags: what follows "server" or "agent".
std::vector<std::string> flags_of(const K3sStart& start, std::vector<Error>& problems) {
  const std::vector<std::string>& command = start.command;
  const auto verb = std::find_if(command.begin(), command.end(), [](const std::string& word) {
    return word == "server" || word == "agent";
  });
  const bool variable = std::any_of(command.begin(), command.end(), [](const std::string& word) {
    return word.find('$') != std::string::npos;
  });
  if (!command.empty() && (verb == command.end() || variable)) {
    problems.push_back(Error{ErrorKind::kUnsupported,
                             {},
                             0,
                             "ExecStart of " + start.program +
                                 "'s unit runs a script or uses a variable, so flags may be in it "
                                 "that the agent does not see",
                             "move its flags to " + default_config_file(start)});
  }
  return verb == command.end() ? std::vector<std::string>{}
                               : std::vector<std::string>{std::next(verb), command.end()};
}

/// All values of a flag with one or two dashes, "--name=value" or "--name value".
std::vector<std::string> values_of_flag(const std::vector<std::string>& flags,
                                        std::string_view name) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    std::string_view flag = flags[i];
    flag.remove_prefix(std::min(flag.find_first_not_of('-'), flag.size()));
    if (flag.size() == flags[i].size() || !flag.starts_with(name)) {
      continue;
    }
    flag.remove_prefix(name.size());
    if (flag.starts_with('=')) {
      values.emplace_back(flag.substr(1));
    } else if (flag.empty() && i + 1 < flags.size()) {
      values.push_back(flags[++i]);
    }
  }
  return values;
}

/// The value of a flag that needs none: "--name" -> "true", "--name=value". Empty: it is not there.
std::string value_of_switch(const std::vector<std::string>& flags, std::string_view name) {
  std::string value;
  for (std::string_view flag : flags) {
    const std::size_t dashes = flag.find_first_not_of('-');
    if (dashes == 0 || dashes == std::string_view::npos) {
      continue;
    }
    flag.remove_prefix(dashes);
    if (flag == name) {
      value = "true";
    } else if (flag.starts_with(name) && flag.substr(name.size()).starts_with('=')) {
      value = flag.substr(name.size() + 1);
    }
  }
  return value;
}

/// Source: Go strconv.ParseBool; a file's true is written so.
bool is_true(std::string_view value) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  return std::ranges::find(kTrue, value) != kTrue.end();
}

/// The socket that k3s up to 1.31 gives its kubelet as a flag, and from 1.32 on in a drop-in of its
/// own. With docker, container-runtime-endpoint is that of docker itself. Absent: its containerd's.
/// Source: k3s pkg/agent/run.go, pkg/agent/cridockerd, pkg/daemons/agent/agent_linux.go (1.24 to
/// 1.36).
std::optional<std::string> runtime_endpoint(const K3sOptions& options) {
  constexpr std::string_view kScheme = "unix://";
  if (is_true(options.docker)) {
    return "unix:///run/k3s/cri-dockerd/cri-dockerd.sock";
  }
  if (options.container_runtime_endpoint.empty()) {
    return std::nullopt;
  }
  const bool whole = options.container_runtime_endpoint.starts_with(kScheme);
  return std::string{whole ? "" : kScheme} + options.container_runtime_endpoint;
}

std::string last_or(const std::vector<std::string>& values, const std::string& otherwise) {
  return values.empty() ? otherwise : values.back();
}

/// "--name=value", "name=value" -> "name".
std::string_view flag_name(std::string_view argument) {
  argument.remove_prefix(argument.starts_with("--") ? 2 : 0);
  return argument.substr(0, argument.find('='));
}

/// "--name=value", "name+=value" -> "name".
std::string plain_name(std::string_view argument) {
  const std::string_view written = flag_name(argument);
  return std::string{written.substr(0, written.find_last_not_of("+-") + 1)};
}

bool is_there(const cgroup::Directory& root, const std::string& path) {
  const Result<cgroup::Directory> directory = root.open_below(path);
  return directory || directory.error().kind != ErrorKind::kAbsent;
}

/// As our file has them: the periods, which are always these; amounts that nobody else would set.
std::vector<std::string> own_arguments() {
  return {"eviction-hard=memory.available<1",
          "eviction-minimum-reclaim=memory.available=1",
          "eviction-soft=memory.available<1",
          "eviction-soft-grace-period=memory.available=1s",
          "eviction-max-pod-grace-period=0"};
}

/// What the kubelet makes of them for each flag of own_arguments() that is there.
std::map<std::string, std::string> memory_values(const std::vector<std::string>& kubelet_args) {
  config::KubeletSettings settings;
  const config::KubeletFlags flags =
      config::parse_kubelet_flags(merge_kubelet_args({}, kubelet_args));
  (void)config::apply_kubelet_flags(flags, settings);
  std::map<std::string, std::string> values;
  const auto take = [&values](const char* flag, const std::optional<config::SettingMap>& map) {
    if (map && map->contains(config::kMemoryAvailable)) {
      values[flag] = map->at(config::kMemoryAvailable).value;
    }
  };
  take("eviction-hard", settings.eviction_hard);
  take("eviction-minimum-reclaim", settings.eviction_minimum_reclaim);
  take("eviction-soft", settings.eviction_soft);
  take("eviction-soft-grace-period", settings.eviction_soft_grace_period);
  if (settings.eviction_max_pod_grace_period) {
    values["eviction-max-pod-grace-period"] = settings.eviction_max_pod_grace_period->value;
  }
  return values;
}

bool is_config_flag(const std::string& argument) {
  return flag_name(argument) == "config" || flag_name(argument) == "config-dir";
}

}  // namespace

Result<void> apply_k3s_config(std::string_view text, K3sOptions& options) {
  // yaml-cpp takes some of what k3s, which reads as libyaml does, would not.
  if (auto strict = config::parse_yaml_document(text, {}); !strict) {
    return tl::unexpected(malformed(strict.error().line, std::move(strict.error().what)));
  }
  try {
    return apply_document(YAML::Load(std::string{text}), options);
  } catch (const YAML::Exception& exception) {
    return tl::unexpected(malformed(line_of(exception.mark), exception.msg));
  }
}

K3sConfig read_k3s_config(const cgroup::Directory& root,
                          const K3sStart& start,
                          const config::FilesInstead& instead,
                          cgroup::Buffer& buffer) {
  K3sConfig config;
  const std::vector<std::string> flags = flags_of(start, config.problems);
  std::string file = start.config_file;
  if (file.empty()) {
    file = last_or(values_of_flag(flags, "config"),
                   last_or(values_of_flag(flags, "c"), default_config_file(start)));
  }
  config.folder = file + ".d";
  K3sOptions& options = config.options;
  options.data_dir = start.data_dir;
  apply_file(root, file, {}, config, buffer);
  for (const std::string& part : config_files(root, config.folder, instead, config.errors)) {
    apply_file(root, part, instead, config, buffer);
  }
  options.data_dir = last_or(values_of_flag(flags, "data-dir"),
                             last_or(values_of_flag(flags, "d"), options.data_dir));
  options.container_runtime_endpoint = last_or(values_of_flag(flags, "container-runtime-endpoint"),
                                               options.container_runtime_endpoint);
  if (std::string docker = value_of_switch(flags, "docker"); !docker.empty()) {
    options.docker = std::move(docker);
  }
  std::ranges::move(values_of_flag(flags, "kubelet-arg"), std::back_inserter(options.kubelet_args));
  return config;
}

std::map<std::string, std::string> overriding_arguments(const cgroup::Directory& root,
                                                        const K3sStart& start,
                                                        const std::string& file,
                                                        cgroup::Buffer& buffer) {
  const std::map<std::string, std::string> own = memory_values(own_arguments());
  std::map<std::string, std::string> overriding;
  const auto compare = [&](const K3sConfig& config, const std::string& last) {
    const std::map<std::string, std::string> values = memory_values(config.options.kubelet_args);
    for (const auto& [flag, value] : own) {
      const auto found = values.find(flag);
      if (found == values.end() || found->second != value) {
        overriding.emplace(flag, last);
      }
    }
  };
  K3sConfig config;
  config.options.kubelet_args = own_arguments();
  const std::string folder = file.substr(0, file.rfind('/'));
  for (const std::string& other : config_files(root, folder, {}, config.errors)) {
    if (other > file) {
      apply_file(root, other, {}, config, buffer);
      compare(config, other);
    }
  }
  std::ranges::move(values_of_flag(flags_of(start, config.problems), "kubelet-arg"),
                    std::back_inserter(config.options.kubelet_args));
  compare(config, "--kubelet-arg in ExecStart of its unit");
  return overriding;
}

std::vector<std::string> merge_kubelet_args(std::map<std::string, std::string> defaults,
                                            const std::vector<std::string>& kubelet_args) {
  std::map<std::string, std::vector<std::string>> merged;
  for (const std::string& argument : kubelet_args) {
    const std::string_view written = flag_name(argument);
    const std::string name = plain_name(argument);
    std::vector<std::string>& values = merged[name];
    if (const auto replaced = defaults.extract(name); replaced && name != written) {
      values.push_back(replaced.mapped());
    }
    const std::size_t equals = argument.find('=');
    values.insert(written.ends_with('-') ? values.begin() : values.end(),
                  equals == std::string::npos ? "true" : argument.substr(equals + 1));
  }
  for (auto& [name, value] : defaults) {
    merged[name].push_back(std::move(value));
  }
  std::vector<std::string> arguments;
  for (const auto& [name, values] : merged) {
    for (const std::string& value : values) {
      arguments.push_back(std::string{"--"}.append(name).append("=").append(value));
    }
  }
  return arguments;
}

K3sKubelet compose_k3s(const cgroup::Directory& root, const K3sConfig& config) {
  K3sKubelet kubelet;
  if (!config.options.data_dir.empty()) {
    kubelet.data_dir = config::normal_path(config.options.data_dir);
  }
  const std::string folder = kubelet.data_dir + "/agent/etc/kubelet.conf.d";
  kubelet.has_agent = is_there(root, kubelet.data_dir + "/agent");
  kubelet.config_dir = is_there(root, folder);
  std::vector<std::string> kubelet_args = config.options.kubelet_args;
  if (kubelet.config_dir) {
    // k3s copies these files into its own drop-in directory instead of passing the flags on.
    std::erase_if(kubelet_args, is_config_flag);
  }
  std::map<std::string, std::string> defaults = {{"config-dir", folder}};
  if (!kubelet.config_dir) {
    defaults = default_flags();
    if (auto endpoint = runtime_endpoint(config.options)) {
      defaults["container-runtime-endpoint"] = std::move(*endpoint);
    }
  }
  kubelet.arguments = merge_kubelet_args(std::move(defaults), kubelet_args);
  return kubelet;
}

std::vector<std::string> compose_rke2(const std::vector<std::string>& arguments,
                                      const K3sConfig& config) {
  std::set<std::string> composed{kComposed.begin(), kComposed.end()};
  for (const std::string& argument : config.options.kubelet_args) {
    composed.insert(plain_name(argument));
  }
  std::vector<std::string> next;
  std::ranges::copy_if(arguments, std::back_inserter(next), [&](const std::string& argument) {
    return !composed.contains(plain_name(argument));
  });
  std::ranges::move(merge_kubelet_args(default_flags(), config.options.kubelet_args),
                    std::back_inserter(next));
  return next;
}

}  // namespace eviction::agent
