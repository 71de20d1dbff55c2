// SPDX-License-Identifier: Apache-2.0
#include "agent/target_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/journal_file.h"
#include "config/atomic_file.h"
#include "config/drop_in.h"

namespace eviction::agent {

namespace {

/// Under the default data directories.
constexpr std::array kUsualFiles{
    "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf",
    "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/60-eviction-agent.conf",
    "/etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml",
    "/etc/rancher/k3s/config.yaml.d/99-z50-eviction-agent.yaml"};

struct Place {
  std::string folder;
  std::string name;
};

Place place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::array<std::string, 3> leftovers(const std::string& file) {
  const std::string suffix{config::kTemporarySuffix};
  return {file + suffix, staged_path(file) + suffix, journal_path(file) + suffix};
}

std::string lock_file(const std::string& name) {
  return name + ".lock";
}

tl::unexpected<Error> lock_error(std::string path, int code) {
  return tl::unexpected{as_root({.kind = code == EACCES ? ErrorKind::kDenied : ErrorKind::kIo,
                                 .path = std::move(path),
                                 .what = std::generic_category().message(code)})};
}

/// Where a file of ours may be.
std::set<std::string> possible_files(const std::optional<Kubelet>& kubelet,
                                     const std::string& last_changed) {
  std::set<std::string> files{kUsualFiles.begin(), kUsualFiles.end()};
  if (!last_changed.empty()) {
    files.insert(last_changed);
  }
  if (kubelet && kubelet->target != Target::kNone) {
    files.insert(kubelet->file);
  }
  if (kubelet && !kubelet->arguments_file.empty()) {
    files.insert(kubelet->arguments_file);
  }
  return files;
}

/// Removes one file if it is ours. Whether it was.
Result<bool> remove_ours(const cgroup::Directory& root, const std::string& path, bool has_mark) {
  const auto content = read_file(root, path);
  if (!content) {
    return tl::unexpected{content.error()};
  }
  if (!*content || (has_mark && !config::has_mark(**content))) {
    return false;
  }
  const auto [folder_path, name] = place_of(path);
  const Result<cgroup::Directory> folder = root.open_below(folder_path);
  return folder ? config::remove_durably(*folder, name) : tl::unexpected{folder.error()};
}

}  // namespace

std::string staged_path(const std::string& file) {
  return file + ".staged";
}

Result<std::optional<std::string>> read_file(const cgroup::Directory& root,
                                             const std::string& path) {
  cgroup::Buffer buffer;
  const Result<std::string_view> text = root.read(path, buffer);
  if (text) {
    return std::optional{std::string{*text}};
  }
  if (text.error().kind == ErrorKind::kAbsent) {
    return std::optional<std::string>{};
  }
  return tl::unexpected{text.error()};
}

Result<void> put_file(const cgroup::Directory& root,
                      const std::string& path,
                      const std::optional<std::string>& content) {
  const auto now = read_file(root, path);
  if (!now) {
    return tl::unexpected{now.error()};
  }
  if (*now && !config::has_mark(**now)) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kDenied,
              .path = root.path_of(path),
              .what = "it does not carry the agent's mark, so it is left as it is",
              .remedy = "move the file away if it is not needed"}};
  }
  if (!content) {
    const Result<bool> removed = remove_ours(root, path, true);
    return removed ? Result<void>{} : tl::unexpected{removed.error()};
  }
  const auto [folder_path, name] = place_of(path);
  const Result<cgroup::Directory> folder = config::make_folder(root, folder_path);
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const auto written = config::write_atomically(*folder, name, *content);
  return written ? Result<void>{} : tl::unexpected{written.error()};
}

Result<std::optional<Journal>> interrupted_change(const cgroup::Directory& root,
                                                  const std::optional<Kubelet>& kubelet,
                                                  const std::string& last_changed) {
  Result<std::optional<Journal>> found;
  for (const std::string& file : possible_files(kubelet, last_changed)) {
    auto journal = read_journal(root, file);
    if (journal && *journal && (**journal).phase != Phase::kCommitted) {
      return journal;
    }
    if (!journal && found) {
      found = std::move(journal);
    }
  }
  return found;
}

bool has_leftovers(const cgroup::Directory& root, const std::string& file) {
  cgroup::Buffer buffer;
  return std::ranges::any_of(leftovers(file), [&](const std::string& path) {
    const auto text = root.read(path, buffer);
    return text || text.error().kind != ErrorKind::kAbsent;
  });
}

Result<void> remove_leftovers(const cgroup::Directory& root, const std::string& file) {
  for (const std::string& path : leftovers(file)) {
    const Result<bool> removed = remove_ours(root, path, false);
    if (!removed) {
      return tl::unexpected{removed.error()};
    }
  }
  return {};
}

std::optional<std::string> outdated_file(const cgroup::Directory& root, const Kubelet& kubelet) {
  if (kubelet.arguments_file.empty() || !is_drop_in(kubelet.target)) {
    return std::nullopt;
  }
  const std::string& path = kubelet.arguments_file;
  const auto content = read_file(root, path);
  const bool ours = content && *content && config::has_mark(**content);
  return ours ? std::optional{path} : std::nullopt;
}

Removed remove_target_files(const cgroup::Directory& root,
                            const std::optional<Kubelet>& kubelet,
                            const std::string& last_changed,
                            const std::map<std::string, std::string>& needed) {
  Removed done;
  for (const std::string& file : possible_files(kubelet, last_changed)) {
    // The journal last: with it a rollback that is interrupted, or fails, is seen to be one.
    const std::vector<std::string> paths =
        needed.contains(file) ? std::vector{staged_path(file)}
                              : std::vector{file, staged_path(file), journal_path(file)};
    for (const std::string& path : paths) {
      const Result<bool> was_there = remove_ours(root, path, path != journal_path(file));
      if (!was_there) {
        done.problems.push_back(was_there.error());
        break;
      }
      if (*was_there) {
        done.paths.push_back(root.path_of(path));
      }
    }
    if (const Result<void> swept = remove_leftovers(root, file); !swept) {
      done.problems.push_back(swept.error());
    }
  }
  return done;
}

Result<HostLock> HostLock::take(const cgroup::Directory& root, const std::string& name) {
  const Result<cgroup::Directory> folder = config::make_folder(root, kRunFolder);
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const std::string file = lock_file(name);
  HostLock lock{Descriptor{::openat(
      folder->fd(), file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)}};
  if (lock.file_.get() >= 0 && ::flock(lock.file_.get(), LOCK_EX | LOCK_NB) == 0) {
    return lock;
  }
  if (errno == EWOULDBLOCK) {
    return tl::unexpected{Error{.kind = ErrorKind::kDenied,
                                .path = folder->path_of(file),
                                .what = "another eviction-agent on this host holds it",
                                .remedy = "wait until it has finished, or stop it"}};
  }
  return lock_error(folder->path_of(file), errno);
}

Result<bool> HostLock::is_held(const cgroup::Directory& root, const std::string& name) {
  const Result<cgroup::Directory> folder = root.open_below(kRunFolder);
  if (!folder) {
    if (folder.error().kind == ErrorKind::kAbsent) {
      return false;
    }
    return tl::unexpected{as_root(folder.error())};
  }
  const Descriptor file{
      ::openat(folder->fd(), lock_file(name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (file.get() < 0) {
    return errno == ENOENT ? Result<bool>{false}
                           : lock_error(folder->path_of(lock_file(name)), errno);
  }
  return ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

HostLock::~HostLock() {
  // Closing alone would leave it to a child process that still has the descriptor.
  if (file_.get() >= 0) {
    static_cast<void>(::flock(file_.get(), LOCK_UN));
  }
}

}  // namespace eviction::agent
