// SPDX-License-Identifier: Apache-2.0
#include "agent/own_file.h"

#include "config/atomic_file.h"

namespace eviction::agent {

namespace {

std::string path_of(const std::string& name) {
  return std::string{kStateFolder} + '/' + name;
}

}  // namespace

Error as_root(Error error) {
  if (error.kind == ErrorKind::kDenied && error.remedy.empty()) {
    error.remedy = "run it as root";
  }
  return error;
}

Result<OwnText> read_own(const cgroup::Directory& root, const std::string& name) {
  cgroup::Buffer buffer;
  const Result<std::string_view> text = root.read(path_of(name), buffer);
  if (text) {
    return OwnText{.text = std::string{*text}, .path = root.path_of(path_of(name))};
  }
  if (text.error().kind == ErrorKind::kAbsent) {
    return OwnText{};
  }
  return tl::unexpected{as_root(text.error())};
}

Error set_aside(const cgroup::Directory& root, const std::string& name, Error problem) {
  const std::string aside = name + std::string{kCorruptSuffix};
  const Result<cgroup::Directory> folder = root.open_below(kStateFolder);
  if (folder && config::rename_durably(*folder, name, aside)) {
    problem.remedy = "set aside as " + folder->path_of(aside) + "; the record begins anew";
  }
  return problem;
}

std::optional<Error> find_set_aside(const cgroup::Directory& root, const std::string& name) {
  cgroup::Buffer buffer;
  const std::string path = path_of(name) + std::string{kCorruptSuffix};
  const auto there = root.read(path, buffer);
  if (!there && there.error().kind == ErrorKind::kAbsent) {
    return std::nullopt;
  }
  return Error{.kind = ErrorKind::kMalformed,
               .path = root.path_of(path),
               .what = "a record of the agent that could not be understood was set aside here",
               .remedy = "remove it; the record began anew"};
}

Result<void> save_own(const cgroup::Directory& root,
                      const std::string& name,
                      std::string_view text) {
  const Result<cgroup::Directory> folder = config::make_folder(root, std::string{kStateFolder});
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const auto written = config::write_atomically(*folder, name, text);
  return written ? Result<void>{} : tl::unexpected{written.error()};
}

}  // namespace eviction::agent
