// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// Where the agent keeps what has to outlive it, below the host's root.
inline constexpr std::string_view kStateFolder = "/var/lib/eviction-agent";
/// Appended to the name of a file there that could not be understood.
inline constexpr std::string_view kCorruptSuffix = ".corrupt";

/// With the remedy for one who may not read it, and no other yet.
[[nodiscard]] Error as_root(Error error);

/// The text of a file there, and its path for messages. The text is absent where there is no file.
struct OwnText {
  std::optional<std::string> text;
  std::string path;
};

/// Errors: those of reading it.
[[nodiscard]] Result<OwnText> read_own(const cgroup::Directory& root, const std::string& name);

/// Renames what could not be understood to NAME.corrupt, and says so in the problem's remedy.
[[nodiscard]] Error set_aside(const cgroup::Directory& root,
                              const std::string& name,
                              Error problem);

/// What was set aside and that nobody has looked at yet. Absent: nothing.
[[nodiscard]] std::optional<Error> find_set_aside(const cgroup::Directory& root,
                                                  const std::string& name);

/// What a removal took away, and what it could not.
struct Removed {
  std::vector<std::string> paths;
  std::vector<Error> problems;
};

/// Writes it whole or not at all, and makes the folder where it is missing. Errors: those of
/// write_atomically().
[[nodiscard]] Result<void> save_own(const cgroup::Directory& root,
                                    const std::string& name,
                                    std::string_view text);

/// What a file says, and what was wrong with it. Then, and without a file, the value is a new one.
template <class T>
struct Loaded {
  T value = {};
  std::optional<Error> problem = {};
};

/// What a file says; a new value where there is none. Changes nothing. Errors: those of reading it,
/// and of parse.
template <class T>
[[nodiscard]] Result<T> peek_own(const cgroup::Directory& root,
                                 const std::string& name,
                                 Result<T> (*parse)(std::string_view, const std::string&)) {
  const Result<OwnText> own = read_own(root, name);
  if (!own) {
    return tl::unexpected{own.error()};
  }
  return own->text ? parse(*own->text, own->path) : T{};
}

/// For its owner: a file that cannot be understood is set aside, and is a problem until it is gone.
template <class T>
[[nodiscard]] Loaded<T> load_own(const cgroup::Directory& root,
                                 const std::string& name,
                                 Result<T> (*parse)(std::string_view, const std::string&)) {
  Result<T> value = peek_own(root, name, parse);
  if (value) {
    return {std::move(*value), find_set_aside(root, name)};
  }
  Error problem = std::move(value.error());
  if (problem.kind == ErrorKind::kMalformed) {
    problem = set_aside(root, name, std::move(problem));
  }
  return {{}, std::move(problem)};
}

}  // namespace eviction::agent
