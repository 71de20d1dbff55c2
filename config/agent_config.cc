// SPDX-License-Identifier: Apache-2.0
#include "config/agent_config.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "config/ini_document.h"
#include "config/wording.h"

namespace eviction::config {

namespace {

std::string in_section(std::string_view section, std::string_view key) {
  return '[' + std::string{section} + "] " + std::string{key};
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const KeyInfo& info : agent_config_keys()) {
    if (names.empty() || names.back() != info.section) {
      names.push_back(info.section);
    }
  }
  return names;
}

bool is_section(std::string_view name) {
  const std::span<const KeyInfo> keys = agent_config_keys();
  return std::ranges::find(keys, name, &KeyInfo::section) != keys.end();
}

std::vector<std::string_view> key_names(std::string_view section) {
  std::vector<std::string_view> names;
  for (const KeyInfo& info : agent_config_keys()) {
    if (info.section == section) {
      names.push_back(info.key);
    }
  }
  return names;
}

std::string remedy_for_section(std::string_view section) {
  const std::vector<std::string_view> names = section_names();
  if (const auto name = nearest(section, names)) {
    return "did you mean [" + std::string{*name} + "]?";
  }
  return "the sections are: " + joined(names);
}

std::string remedy_for_key(std::string_view section, std::string_view key) {
  const std::span<const KeyInfo> keys = agent_config_keys();
  if (const auto elsewhere = std::ranges::find(keys, key, &KeyInfo::key); elsewhere != keys.end()) {
    return "it belongs in [" + std::string{elsewhere->section} + ']';
  }
  const std::vector<std::string_view> names = key_names(section);
  if (const auto name = nearest(key, names)) {
    return "did you mean " + std::string{*name} + '?';
  }
  return "the keys of [" + std::string{section} + "] are: " + joined(names);
}

/// The error of reading what is there by name only. Absent: it is not there at all.
std::optional<Error> dangling(const cgroup::Directory& directory, const std::string& name) {
  const Result<std::string> target = directory.read_link(name);
  if (!target) {
    return std::nullopt;
  }
  return Error{.kind = ErrorKind::kAbsent,
               .path = directory.path_of(name),
               .what = "a symbolic link to " + in_quotes(*target) + ", which is not there",
               .remedy = "make what it leads to, or remove the link"};
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
    } else {
      take_failure(text.error(), directory, name, required);
    }
  }

  void read_drop_ins(const cgroup::Directory& root, const std::string& path) {
    const Result<cgroup::Directory> directory = root.open_below(path);
    if (!directory) {
      take_failure(directory.error(), root, path, false);
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

  LoadedConfig result() {
    check_tls();
    return std::move(loaded_);
  }

 private:
  /// What is not there, a dangling link apart, is an error only if required.
  void take_failure(const Error& error,
                    const cgroup::Directory& directory,
                    const std::string& name,
                    bool required) {
    const bool absent = error.kind == ErrorKind::kAbsent;
    const auto link = absent ? dangling(directory, name) : std::nullopt;
    if (link || required || !absent) {
      loaded_.errors.push_back(link.value_or(error));
    }
  }

  /// Keys that need each other may stand in different files.
  void check_tls() {
    const AgentConfig& config = loaded_.config;
    const bool certificate = !config.metrics_tls_certificate.empty();
    if (!loaded_.files.empty() && certificate == config.metrics_tls_key.empty()) {
      loaded_.errors.push_back({ErrorKind::kMalformed,
                                loaded_.files.back(),
                                0,
                                "[metrics] tls-certificate and tls-key: one is set without the "
                                "other",
                                "set both, or neither"});
    } else if (!certificate && !config.metrics_tls_client_ca.empty()) {
      loaded_.errors.push_back({ErrorKind::kMalformed,
                                loaded_.files.back(),
                                0,
                                "[metrics] tls-client-ca: there is no TLS without tls-certificate",
                                "set tls-certificate and tls-key"});
    }
  }

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
    const std::span<const KeyInfo> keys = agent_config_keys();
    const auto info = std::ranges::find_if(keys, [&entry](const KeyInfo& known) {
      return known.section == entry.section && known.key == entry.key;
    });
    if (info == keys.end()) {
      fail(entry.line, name + ": no such key", remedy_for_key(entry.section, entry.key));
      return;
    }
    if (const auto [first, added] = first_lines_.emplace(name, entry.line); !added) {
      fail(entry.line,
           name + ": given twice, first on line " + std::to_string(first->second),
           "keep one of the two");
      return;
    }
    if (!set_value(loaded_.config, *info, entry.value)) {
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

LoadedConfig load_agent_config(const cgroup::Directory& root,
                               const std::string& path,
                               bool required) {
  Loading loading;
  loading.read_file(root, path, required);
  loading.read_drop_ins(root, path.substr(0, path.rfind('/') + 1) + "conf.d");
  return loading.result();
}

}  // namespace eviction::config
