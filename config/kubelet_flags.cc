// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_flags.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "config/go_parse.h"
#include "config/kubelet_config.h"
#include "config/quantity.h"

namespace eviction::config {
namespace {

using Errors = std::vector<std::string>;

constexpr std::string_view kIgnoreEviction = "experimental-allocatable-ignore-eviction";
constexpr std::string_view kEnforce = "enforce-node-allocatable";
constexpr std::string_view kReservedMemory = "reserved-memory";

struct MapFlag {
  std::string_view name;
  char separator;
  std::optional<SettingMap> KubeletSettings::*member;
};

constexpr std::array kMapFlags = std::to_array<MapFlag>({
    {"eviction-hard", '<', &KubeletSettings::eviction_hard},
    {"eviction-minimum-reclaim", '=', &KubeletSettings::eviction_minimum_reclaim},
    {"eviction-soft", '<', &KubeletSettings::eviction_soft},
    {"eviction-soft-grace-period", '=', &KubeletSettings::eviction_soft_grace_period},
    {"kube-reserved", '=', &KubeletSettings::kube_reserved},
    {"system-reserved", '=', &KubeletSettings::system_reserved},
});

struct ScalarFlag {
  std::string_view name;
  std::optional<Setting> KubeletSettings::*member;
};

constexpr std::array kScalarFlags = std::to_array<ScalarFlag>({
    {"cgroup-driver", &KubeletSettings::cgroup_driver},
    {"cgroup-root", &KubeletSettings::cgroup_root},
    {"container-runtime-endpoint", &KubeletSettings::container_runtime_endpoint},
    {"eviction-max-pod-grace-period", &KubeletSettings::eviction_max_pod_grace_period},
    {"eviction-pressure-transition-period", &KubeletSettings::eviction_pressure_transition_period},
    {"healthz-bind-address", &KubeletSettings::healthz_bind_address},
    {"healthz-port", &KubeletSettings::healthz_port},
    {"memory-manager-policy", &KubeletSettings::memory_manager_policy},
    {"port", &KubeletSettings::port},
});

/// The name of a flag without dashes; the kubelet takes '_' for '-'.
std::string normal_name(std::string_view name) {
  while (!name.empty() && name.front() == '-') {
    name.remove_prefix(1);
  }
  std::string normal{name};
  std::replace(normal.begin(), normal.end(), '_', '-');
  return normal;
}

/// Whether a flag of ours takes a value, which may then be the next argument.
bool takes_value(std::string_view name) {
  const auto same = [name](const auto& flag) { return flag.name == name; };
  return name == "config" || name == "config-dir" || name == kEnforce || name == kReservedMemory ||
         std::any_of(kMapFlags.begin(), kMapFlags.end(), same) ||
         std::any_of(kScalarFlags.begin(), kScalarFlags.end(), same);
}

struct Flag {
  std::string name;
  std::optional<std::string> value;
};

/// All flags with their values; wanted is one more that takes a value. What begins like a flag but
/// is none keeps its dashes.
std::vector<Flag> scan(const std::vector<std::string>& arguments, std::string_view wanted) {
  std::vector<Flag> flags;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string_view argument = arguments[i];
    if (argument.size() < 3 || argument.substr(0, 2) != "--") {
      continue;
    }
    if (argument[2] == '-' || argument[2] == '=') {
      flags.push_back(Flag{std::string{argument}, std::nullopt});
      continue;
    }
    const std::size_t equals = argument.find('=');
    Flag flag{normal_name(argument.substr(0, equals)), std::nullopt};
    if (equals != std::string_view::npos) {
      flag.value = argument.substr(equals + 1);
    } else if ((takes_value(flag.name) || flag.name == wanted) && i + 1 < arguments.size()) {
      flag.value = arguments[++i];
    }
    flags.push_back(std::move(flag));
  }
  return flags;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) {
    return {};
  }
  return std::string{text.substr(first, text.find_last_not_of(kSpace) - first + 1)};
}

class Applier {
 public:
  explicit Applier(KubeletSettings& settings) : settings_{settings} {}

  void apply(const std::string& name, const std::string& value) {
    const bool first = seen_.insert(name).second;
    for (const MapFlag& flag : kMapFlags) {
      if (flag.name == name) {
        apply_map(flag, value, first);
      }
    }
    for (const ScalarFlag& flag : kScalarFlags) {
      if (flag.name == name) {
        settings_.*flag.member = Setting{value, "--" + name};
      }
    }
    if (name == "eviction-max-pod-grace-period") {
      const std::optional<std::int64_t> seconds = parse_go_int(value);
      expect(seconds && *seconds <= std::numeric_limits<std::int32_t>::max() &&
                 *seconds >= std::numeric_limits<std::int32_t>::min(),
             name,
             value,
             "a whole number of seconds");
    } else if (name == "eviction-pressure-transition-period") {
      expect(parse_go_duration(value).has_value(), name, value, "a duration like 5m");
    } else if (name == kEnforce) {
      apply_enforced(value, first);
    } else if (name == kReservedMemory) {
      apply_reserved_memory(value, first);
    } else if (name == kIgnoreEviction) {
      apply_ignore(value);
    }
  }

  [[nodiscard]] Errors& errors() { return errors_; }

 private:
  bool expect(bool right, std::string_view name, std::string_view value, std::string_view wanted) {
    if (!right) {
      errors_.push_back(fmt::format("--{}: \"{}\" is not {}", name, value, wanted));
    }
    return right;
  }

  void apply_map(const MapFlag& flag, const std::string& value, bool first) {
    std::optional<SettingMap>& map = settings_.*flag.member;
    if (first || !map) {
      map.emplace();
    }
    for (const std::string_view pair : split(value, ',')) {
      if (pair.empty()) {
        continue;
      }
      const std::size_t separator = pair.find(flag.separator);
      if (expect(separator != std::string_view::npos,
                 flag.name,
                 pair,
                 fmt::format("a pair of the form KEY{}VALUE", flag.separator))) {
        (*map)[trimmed(pair.substr(0, separator))] =
            Setting{trimmed(pair.substr(separator + 1)), fmt::format("--{}", flag.name)};
      }
    }
  }

  void apply_enforced(const std::string& value, bool first) {
    std::vector<std::string>& enforced = settings_.enforce_node_allocatable;
    if (first) {
      enforced.clear();
    }
    if (value.empty()) {
      return;
    }
    for (const std::string_view name : split(value, ',')) {
      enforced.emplace_back(name);
    }
  }

  void apply_reserved_memory(const std::string& value, bool first) {
    if (first) {
      settings_.reserved_memory.emplace();
    }
    if (value.empty()) {
      return;
    }
    for (const std::string_view reservation : split(value, ';')) {
      const std::vector<std::string_view> parts = split(reservation, ':');
      const std::optional<std::int64_t> node =
          parts.size() == 2 ? parse_go_int(parts.front()) : std::nullopt;
      if (!expect(node.has_value(), kReservedMemory, reservation, "NODE:TYPE=QUANTITY,...")) {
        continue;
      }
      for (const std::string_view limit : split(parts.back(), ',')) {
        add_reservation(std::to_string(*node), limit);
      }
    }
  }

  void add_reservation(const std::string& node, std::string_view limit) {
    const std::vector<std::string_view> parts = split(limit, '=');
    const bool known = parts.front() == "memory" || parts.front().rfind("hugepages-", 0) == 0;
    if (expect(parts.size() == 2 && known && parse_quantity(parts.back()).has_value(),
               kReservedMemory,
               limit,
               "memory=QUANTITY or hugepages-SIZE=QUANTITY") &&
        parts.front() == "memory") {
      (*settings_.reserved_memory)[node] =
          Setting{std::string{parts.back()}, fmt::format("--{}", kReservedMemory)};
    }
  }

  void apply_ignore(const std::string& value) {
    constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "FALSE", "False"};
    const bool is_true = std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end();
    const bool is_false = std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end();
    expect(is_true || is_false, kIgnoreEviction, value, "true or false");
    settings_.allocatable_ignores_eviction = is_true;
  }

  KubeletSettings& settings_;
  std::set<std::string> seen_;
  Errors errors_;
};

}  // namespace

KubeletFlags parse_kubelet_flags(const std::vector<std::string>& arguments) {
  KubeletFlags flags;
  for (Flag& flag : scan(arguments, {})) {
    if (flag.name == kIgnoreEviction) {
      flags.settings.emplace_back(flag.name, flag.value.value_or("true"));
      continue;
    }
    if (flag.name.front() == '-') {
      flags.errors.push_back(fmt::format("{}: this is no flag", flag.name));
    }
    if (!takes_value(flag.name)) {
      continue;
    }
    if (!flag.value) {
      flags.errors.push_back(fmt::format("--{}: it needs a value", flag.name));
    } else if (flag.name == "config") {
      flags.config = *flag.value;
    } else if (flag.name == "config-dir") {
      flags.config_dir = *flag.value;
      flags.has_config_dir = true;
    } else {
      flags.settings.emplace_back(flag.name, *flag.value);
    }
  }
  return flags;
}

std::vector<std::string> apply_kubelet_flags(const KubeletFlags& flags, KubeletSettings& settings) {
  Applier applier{settings};
  for (const auto& [name, value] : flags.settings) {
    applier.apply(name, value);
  }
  return std::move(applier.errors());
}

std::optional<std::string> flag_value(const std::vector<std::string>& arguments,
                                      const std::string& name) {
  const std::string wanted = normal_name(name);
  std::optional<std::string> value;
  for (Flag& flag : scan(arguments, wanted)) {
    if (flag.name == wanted) {
      value = std::move(flag.value);
    }
  }
  return value;
}

}  // namespace eviction::config
