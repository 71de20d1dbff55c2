// SPDX-License-Identifier: Apache-2.0
#include "agent/service_unit.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace eviction::agent {

namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kQuotes = "'\"";

/// Best first. Source: systemd.unit(5) UNIT FILE LOAD PATH.
constexpr std::array<std::string_view, 5> kUnitFolders = {"/etc/systemd/system",
                                                          "/run/systemd/system",
                                                          "/usr/local/lib/systemd/system",
                                                          "/usr/lib/systemd/system",
                                                          "/lib/systemd/system"};

std::string_view trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

/// A line with those that continue it; comments between them are no part of it.
std::string take_line(std::string_view& rest) {
  std::string line;
  for (bool more = true; more && !rest.empty();) {
    std::string_view part = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    part = trim(part);
    if (part.starts_with('#') || part.starts_with(';')) {
      more = !line.empty();
      continue;
    }
    more = part.ends_with('\\');
    part.remove_suffix(more ? 1 : 0);
    line.append(part).append(more ? " " : "");
  }
  return line;
}

/// "%%" stands for one sign.
void unescape_percent(std::string& word) {
  for (std::size_t at = word.find("%%"); at != std::string::npos; at = word.find("%%", at + 1)) {
    word.erase(at, 1);
  }
}

/// Cuts the word off a text that begins with one.
std::string take_word(std::string_view& text) {
  std::string word;
  char quote = '\0';
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size()) {
      word.push_back(text[++at]);
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (quote == '\0' && kQuotes.find(c) != std::string_view::npos) {
      quote = c;
    } else if (quote == '\0' && kBlank.find(c) != std::string_view::npos) {
      break;
    } else {
      word.push_back(c);
    }
  }
  text.remove_prefix(at);
  unescape_percent(word);
  return word;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    words.push_back(take_word(text));
  }
  return words;
}

/// Drop-ins of all folders in the order of their names; the best folder's copy of a name counts.
Result<std::vector<std::string>> list_drop_ins(const cgroup::Directory& root,
                                               const std::string& unit) {
  std::map<std::string, std::string> paths;
  for (const std::string_view folder : kUnitFolders) {
    const std::string path = std::string{folder} + '/' + unit + ".d";
    const Result<cgroup::Directory> directory = root.open_below(path);
    if (!directory) {
      if (directory.error().kind == ErrorKind::kAbsent) {
        continue;
      }
      return tl::unexpected(directory.error());
    }
    const auto entries = directory->list();
    if (!entries) {
      return tl::unexpected(entries.error());
    }
    for (const cgroup::Directory::Entry& entry : *entries) {
      if (entry.name.ends_with(".conf")) {
        paths.emplace(entry.name, path + '/' + entry.name);
      }
    }
  }
  std::vector<std::string> sorted;
  sorted.reserve(paths.size());
  for (auto& [name, path] : paths) {
    sorted.push_back(std::move(path));
  }
  return sorted;
}

Result<std::string> find_unit(const cgroup::Directory& root,
                              const std::string& unit,
                              cgroup::Buffer& buffer) {
  for (const std::string_view folder : kUnitFolders) {
    std::string path = std::string{folder} + '/' + unit;
    const Result<std::string_view> text = root.read(path, buffer);
    if (text) {
      return path;
    }
    if (text.error().kind != ErrorKind::kAbsent) {
      return tl::unexpected(text.error());
    }
  }
  return tl::unexpected(
      Error{ErrorKind::kAbsent, root.path_of(kUnitFolders.front()), 0, "no unit " + unit, {}});
}

}  // namespace

std::optional<std::string> service_of_path(std::string_view cgroup_path) {
  while (!cgroup_path.empty()) {
    const std::string_view name = cgroup_path.substr(0, cgroup_path.find('/'));
    if (name.ends_with(".service")) {
      return std::string{name};
    }
    cgroup_path.remove_prefix(std::min(name.size() + 1, cgroup_path.size()));
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> parse_exec_start(std::string_view text) {
  std::optional<std::vector<std::string>> command;
  while (!text.empty()) {
    const std::string line = take_line(text);
    const std::size_t equals = std::min(line.find('='), line.size());
    if (trim(std::string_view{line}.substr(0, equals)) == "ExecStart" && equals < line.size()) {
      command = split_words(std::string_view{line}.substr(equals + 1));
    }
  }
  return command;
}

Result<std::vector<std::string>> read_exec_start(const cgroup::Directory& root,
                                                 const std::string& unit,
                                                 cgroup::Buffer& buffer) {
  const Result<std::string> main = find_unit(root, unit, buffer);
  if (!main) {
    return tl::unexpected(main.error());
  }
  const auto drop_ins = list_drop_ins(root, unit);
  if (!drop_ins) {
    return tl::unexpected(drop_ins.error());
  }
  std::vector<std::string> paths = {*main};
  paths.insert(paths.end(), drop_ins->begin(), drop_ins->end());
  std::vector<std::string> command;
  for (const std::string& path : paths) {
    const Result<std::string_view> text = root.read(path, buffer);
    if (!text) {
      return tl::unexpected(text.error());
    }
    if (auto words = parse_exec_start(*text)) {
      command = std::move(*words);
    }
  }
  if (command.empty()) {
    return tl::unexpected(
        Error{ErrorKind::kAbsent, root.path_of(*main), 0, "the unit has no ExecStart", {}});
  }
  return command;
}

}  // namespace eviction::agent
