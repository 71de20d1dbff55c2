// SPDX-License-Identifier: Apache-2.0
#include "config/agent_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "config/ini_document.h"
#include "config/wording.h"

namespace eviction::config {

namespace {

constexpr std::array kKeys{
    KeyInfo{
        "agent",
        "mode",
        &AgentConfig::mode,
        "stage",
        "What the daemon does with the value it computes. observe: shows it. stage: also keeps it "
        "beside the file it is meant for, under a name that nobody reads, so that "
        "\"eviction-agent apply\" can put it in force. enforce: puts it in force itself, which "
        "restarts the kubelet."},
    KeyInfo{"agent",
            "restarts-per-day",
            NumberField{&AgentConfig::restarts_per_day, 0, 24},
            "2",
            "How often at most the agent may restart the kubelet within 24 hours."},
    KeyInfo{
        "sizing",
        "risk",
        PercentField{&AgentConfig::risk_permyriad, 1, 1000},
        "0.1%",
        "Accepted chance that memory falls further within one reaction time of the kubelet than "
        "the threshold allows for. A smaller risk makes a larger threshold."},
    KeyInfo{"sizing",
            "growth-ceiling",
            PercentField{&AgentConfig::growth_ceiling_permyriad, 100, 5000},
            "10%",
            "Largest share of the node's memory that the threshold may allow for growth. What the "
            "kernel needs before it kills comes on top and has no ceiling."},
    KeyInfo{"kubelet",
            "version",
            &AgentConfig::kubelet_version,
            "",
            "Version of the kubelet whose rules apply. Empty: the version found on the node."},
    KeyInfo{"kubelet",
            "target",
            &AgentConfig::target,
            "auto",
            "Which file the threshold is meant for. auto: found from the running kubelet and its "
            "supervisor. rke2-dropin, k3s-dropin, kubelet-dropin: a file in the kubelet's drop-in "
            "directory (RKE2 and k3s from 1.32). rke2-args, k3s-args: a kubelet-arg file in "
            "config.yaml.d (RKE2 and k3s to 1.31). none: advise only."},
    KeyInfo{"kubelet",
            "override",
            &AgentConfig::override_foreign,
            "no",
            "Whether a memory signal that somebody else has set may be replaced."},
    KeyInfo{"kubelet",
            "allow-version",
            &AgentConfig::allow_unknown_version,
            "no",
            "Whether to act on a kubelet whose version is not in the table of known ones."},
    KeyInfo{
        "kubelet",
        "restart-unit",
        &AgentConfig::restart_unit,
        "no",
        "Whether to restart the whole service, RKE2 or k3s, where the kubelet alone cannot be made "
        "to read its new value: with the targets k3s-dropin, k3s-args and rke2-args."},
};

struct NamedMode {
  std::string_view name;
  Mode mode;
};

constexpr std::array kModes{NamedMode{"observe", Mode::kObserve},
                            NamedMode{"stage", Mode::kStage},
                            NamedMode{"enforce", Mode::kEnforce}};

struct NamedTarget {
  std::string_view name;
  TargetChoice target;
};

constexpr std::array kTargets{NamedTarget{"auto", TargetChoice::kAuto},
                              NamedTarget{"rke2-dropin", TargetChoice::kRke2Dropin},
                              NamedTarget{"k3s-dropin", TargetChoice::kK3sDropin},
                              NamedTarget{"kubelet-dropin", TargetChoice::kKubeletDropin},
                              NamedTarget{"rke2-args", TargetChoice::kRke2Args},
                              NamedTarget{"k3s-args", TargetChoice::kK3sArgs},
                              NamedTarget{"none", TargetChoice::kNone}};

std::optional<int> parse_digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool all = !text.empty() && text.front() != '-' && end == text.data() + text.size();
  return all && error == std::errc{} ? std::optional{value} : std::nullopt;
}

/// "12%" or "0.25%" in parts per 10000.
std::optional<int> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string decimals{point == std::string_view::npos ? "0" : text.substr(point + 1)};
  if (whole.size() > 3 || decimals.empty() || decimals.size() > 2) {
    return std::nullopt;
  }
  decimals.resize(2, '0');
  const std::optional<int> percent = parse_digits(whole);
  const std::optional<int> hundredths = parse_digits(decimals);
  if (!percent || !hundredths) {
    return std::nullopt;
  }
  return *percent * 100 + *hundredths;
}

std::string render_percent(int permyriad) {
  std::string text = std::to_string(permyriad / 100);
  if (const int hundredths = permyriad % 100; hundredths != 0) {
    text += hundredths < 10 ? ".0" : ".";
    text += std::to_string(hundredths % 10 == 0 ? hundredths / 10 : hundredths);
  }
  return text + '%';
}

/// Each of these: whether the value is an allowed one; the configuration is unchanged if not.
bool set_field(AgentConfig& config, const PercentField& percent, std::string_view value) {
  const std::optional<int> permyriad = parse_percent(value);
  if (!permyriad || *permyriad < percent.least || *permyriad > percent.most) {
    return false;
  }
  config.*percent.field = *permyriad;
  return true;
}

bool set_field(AgentConfig& config, const NumberField& number, std::string_view value) {
  const std::optional<int> parsed = parse_digits(value);
  if (!parsed || *parsed < number.least || *parsed > number.most) {
    return false;
  }
  config.*number.field = *parsed;
  return true;
}

bool set_field(AgentConfig& config, Mode AgentConfig::*field, std::string_view value) {
  const auto* const found = std::ranges::find(kModes, value, &NamedMode::name);
  if (found == kModes.end()) {
    return false;
  }
  config.*field = found->mode;
  return true;
}

bool set_field(AgentConfig& config, bool AgentConfig::*field, std::string_view value) {
  if (value != "yes" && value != "no") {
    return false;
  }
  config.*field = value == "yes";
  return true;
}

bool set_field(AgentConfig& config, TargetChoice AgentConfig::*field, std::string_view value) {
  const auto* const found = std::ranges::find(kTargets, value, &NamedTarget::name);
  if (found == kTargets.end()) {
    return false;
  }
  config.*field = found->target;
  return true;
}

bool set_field(AgentConfig& config,
               std::optional<KubeletVersion> AgentConfig::*field,
               std::string_view value) {
  if (value.empty()) {
    config.*field = std::nullopt;
    return true;
  }
  Result<KubeletVersion> version = parse_kubelet_version(value);
  if (!version) {
    return false;
  }
  config.*field = std::move(*version);
  return true;
}

std::string in_section(std::string_view section, std::string_view key) {
  return '[' + std::string{section} + "] " + std::string{key};
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const KeyInfo& info : kKeys) {
    if (names.empty() || names.back() != info.section) {
      names.push_back(info.section);
    }
  }
  return names;
}

bool is_section(std::string_view name) {
  return std::ranges::find(kKeys, name, &KeyInfo::section) != kKeys.end();
}

std::vector<std::string_view> key_names(std::string_view section) {
  std::vector<std::string_view> names;
  for (const KeyInfo& info : kKeys) {
    if (info.section == section) {
      names.push_back(info.key);
    }
  }
  return names;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += text.empty() ? "" : ", ";
    text += word;
  }
  return text;
}

std::string remedy_for_section(std::string_view section) {
  const std::vector<std::string_view> names = section_names();
  if (const auto name = nearest(section, names)) {
    return "did you mean [" + std::string{*name} + "]?";
  }
  return "the sections are: " + joined(names);
}

std::string remedy_for_key(std::string_view section, std::string_view key) {
  if (const auto* const elsewhere = std::ranges::find(kKeys, key, &KeyInfo::key);
      elsewhere != kKeys.end()) {
    return "it belongs in [" + std::string{elsewhere->section} + ']';
  }
  const std::vector<std::string_view> names = key_names(section);
  if (const auto name = nearest(key, names)) {
    return "did you mean " + std::string{*name} + '?';
  }
  return "the keys of [" + std::string{section} + "] are: " + joined(names);
}

/// The configuration while its files are read, the later over the earlier.
class Loading {
 public:
  void read_file(const cgroup::Directory& directory, const std::string& name, bool required) {
    cgroup::Buffer buffer;
    const Result<std::string_view> text = directory.read(name, buffer, kIniLimit);
    if (text) {
      loaded_.files.push_back(directory.path_of(name));
      take_document(parse_ini(*text, loaded_.files.back()));
    } else if (required || text.error().kind != ErrorKind::kAbsent) {
      loaded_.errors.push_back(text.error());
    }
  }

  void read_drop_ins(const cgroup::Directory& root, const std::string& path) {
    const Result<cgroup::Directory> directory = root.open_below(path);
    if (!directory) {
      if (directory.error().kind != ErrorKind::kAbsent) {
        loaded_.errors.push_back(directory.error());
      }
      return;
    }
    const auto entries = directory->list();
    if (!entries) {
      loaded_.errors.push_back(entries.error());
      return;
    }
    for (const cgroup::Directory::Entry& entry : *entries) {
      if (entry.name.ends_with(".ini") && !entry.name.starts_with('.')) {
        read_file(*directory, entry.name, true);
      }
    }
  }

  LoadedConfig result() { return std::move(loaded_); }

 private:
  void take_document(IniDocument document) {
    errors_ = std::move(document.errors);
    first_lines_.clear();
    for (const IniSection& section : document.sections) {
      if (!is_section(section.name)) {
        fail(section.line,
             '[' + section.name + "] is no section of this file",
             remedy_for_section(section.name));
      }
    }
    for (const IniEntry& entry : document.entries) {
      if (is_section(entry.section)) {
        take_entry(entry);
      }
    }
    std::ranges::stable_sort(errors_, {}, &Error::line);
    std::ranges::move(errors_, std::back_inserter(loaded_.errors));
  }

  void take_entry(const IniEntry& entry) {
    const std::string name = in_section(entry.section, entry.key);
    const auto* const info = std::ranges::find_if(kKeys, [&entry](const KeyInfo& known) {
      return known.section == entry.section && known.key == entry.key;
    });
    if (info == kKeys.end()) {
      fail(entry.line, name + ": no such key", remedy_for_key(entry.section, entry.key));
      return;
    }
    if (const auto [first, added] = first_lines_.emplace(name, entry.line); !added) {
      fail(entry.line,
           name + ": given twice, first on line " + std::to_string(first->second),
           "keep one of the two");
      return;
    }
    const auto set = [this, &entry](const auto& field) {
      return set_field(loaded_.config, field, entry.value);
    };
    if (!std::visit(set, info->field)) {
      fail(entry.line,
           name + ": " + in_quotes(entry.value) + " is not allowed",
           "allowed: " + allowed_values(*info));
    }
  }

  void fail(std::size_t line, std::string what, std::string remedy) {
    errors_.push_back(
        {ErrorKind::kMalformed, loaded_.files.back(), line, std::move(what), std::move(remedy)});
  }

  LoadedConfig loaded_;
  std::vector<Error> errors_;                       ///< of the file that is being read
  std::map<std::string, std::size_t> first_lines_;  ///< of each of its keys
};

}  // namespace

std::string_view to_text(Mode mode) {
  return std::ranges::find(kModes, mode, &NamedMode::mode)->name;
}

std::span<const KeyInfo> agent_config_keys() {
  return kKeys;
}

std::string allowed_values(const KeyInfo& key) {
  struct Rendering {
    std::string operator()(const PercentField& percent) const {
      return render_percent(percent.least) + " to " + render_percent(percent.most) +
             " with at most two decimals";
    }

    std::string operator()(const NumberField& number) const {
      return std::to_string(number.least) + " to " + std::to_string(number.most);
    }

    std::string operator()(Mode AgentConfig::*) const {
      std::vector<std::string_view> names;
      std::ranges::transform(kModes, std::back_inserter(names), &NamedMode::name);
      return joined(names);
    }

    std::string operator()(bool AgentConfig::*) const { return "yes, no"; }

    std::string operator()(TargetChoice AgentConfig::*) const {
      std::vector<std::string_view> names;
      std::ranges::transform(kTargets, std::back_inserter(names), &NamedTarget::name);
      return joined(names);
    }

    std::string operator()(std::optional<KubeletVersion> AgentConfig::*) const {
      return "a version such as 1.32, 1.32.3 or v1.32.3+rke2r1, or empty";
    }
  };

  return std::visit(Rendering{}, key.field);
}

LoadedConfig load_agent_config(const cgroup::Directory& root,
                               const std::string& path,
                               bool required) {
  Loading loading;
  loading.read_file(root, path, required);
  loading.read_drop_ins(root, path.substr(0, path.rfind('/') + 1) + "conf.d");
  return loading.result();
}

}  // namespace eviction::config
