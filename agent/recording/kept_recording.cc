// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/kept_recording.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "agent/incident_log.h"
#include "agent/own_file.h"
#include "cgroup/write_all.h"
#include "config/atomic_file.h"

namespace eviction::agent {

namespace {

/// How many bytes there are before a last record that was cut off. Errors: kMalformed, also where
/// whole records follow on a damaged one.
Result<std::size_t> readable_part(std::string_view text) {
  if (kRecordingMagic.starts_with(text)) {
    return 0;
  }
  const Result<RecordingSpan> span = read_recording(text, [](const Moment&) {});
  if (!span) {
    return tl::unexpected{span.error()};
  }
  if (!span->problem || span->problem->kind == ErrorKind::kAbsent) {
    return span->whole_bytes;
  }
  Error damage = *span->problem;
  damage.remedy = "move the file away; replay reads what was recorded before that";
  return tl::unexpected{std::move(damage)};
}

}  // namespace

tl::unexpected<Error> KeptRecording::failure(int code) {
  file_ = {};
  const bool denied = code == EACCES || code == EPERM || code == EROFS;
  return tl::unexpected{Error{.kind = denied ? ErrorKind::kDenied : ErrorKind::kIo,
                              .path = folder_->path_of(name_),
                              .what = std::generic_category().message(code)}};
}

Result<void> KeptRecording::open(const cgroup::Directory& root) {
  Result<cgroup::Directory> folder = config::make_folder(root, std::string{kStateFolder});
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  root_ = &root;
  return open(std::move(*folder), std::string{kRecordingFile}, kRecordingFileLimit);
}

Result<void> KeptRecording::open(cgroup::Directory folder,
                                 std::string name,
                                 std::size_t limit,
                                 const std::optional<GrowthCheckpoint>& learned) {
  folder_ = std::move(folder);
  name_ = std::move(name);
  limit_ = limit;
  return begin(learned);
}

/// Opens the file behind its last whole record.
Result<void> KeptRecording::begin(const std::optional<GrowthCheckpoint>& learned) {
  if (Result<void> older = check_older(); !older) {
    return older;
  }
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  file_ = Descriptor{::openat(folder_->fd(), name_.c_str(), kFlags, S_IRUSR | S_IWUSR)};
  if (file_.get() < 0) {
    return failure(errno);
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return failure(errno);
    }
    file_ = {};
    return tl::unexpected{Error{.kind = ErrorKind::kDenied,
                                .path = folder_->path_of(name_),
                                .what = "another eviction-agent adds to it",
                                .remedy = "stop it, or name another file"}};
  }
  cgroup::Buffer buffer;
  const Result<std::string_view> text = folder_->read(name_, buffer, limit_ + kLongestRecord);
  const Result<std::size_t> whole = text ? readable_part(*text) : tl::unexpected{text.error()};
  if (!whole) {
    file_ = {};
    Error error = whole.error();
    error.path = folder_->path_of(name_);
    const bool none = error.kind == ErrorKind::kMalformed || error.kind == ErrorKind::kTooLarge;
    return tl::unexpected{none && root_ != nullptr ? set_aside(*root_, name_, std::move(error))
                                                   : std::move(error)};
  }
  if (::ftruncate(file_.get(), static_cast<off_t>(*whole)) != 0) {
    return failure(errno);
  }
  size_ = *whole;
  const std::string mark = writer_.begin(
      size_ == 0, growth_ == nullptr ? learned : std::optional{growth_->checkpoint()});
  full_ = size_ != 0 && size_ + mark.size() > limit_;
  return full_ ? Result<void>{} : append(mark);
}

/// Whether the older file is one that may be replaced, or is not there.
Result<void> KeptRecording::check_older() const {
  const std::string older = name_ + std::string{kOlderSuffix};
  cgroup::Buffer buffer;
  const Result<std::string_view> head = folder_->read_head(older, buffer, kRecordingMagic.size());
  if (head ? begins_as_recording(*head) || kRecordingMagic.starts_with(*head)
           : head.error().kind == ErrorKind::kAbsent) {
    return {};
  }
  Error error = head ? Error{.kind = ErrorKind::kMalformed,
                             .path = folder_->path_of(older),
                             .what = "it is no recording of eviction-agent"}
                     : head.error();
  error.remedy = "move it away: " + name_ + " takes its place when it is full";
  return tl::unexpected{std::move(error)};
}

Result<void> KeptRecording::roll() {
  Result<void> moved = check_older();
  if (!moved) {
    return moved;
  }
  const std::string older = name_ + std::string{kOlderSuffix};
  moved = config::rename_durably(*folder_, name_, older);
  if (!moved) {
    moved.error().path = folder_->path_of(older);
    return moved;
  }
  return begin();
}

Result<void> KeptRecording::append(const std::string& bytes) {
  const int code = write_all(file_.get(), bytes);
  if (code != 0) {
    return failure(code);
  }
  size_ += bytes.size();
  return {};
}

bool KeptRecording::in_place() const {
  struct stat named {};

  struct stat opened {};

  return ::fstatat(folder_->fd(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(file_.get(), &opened) == 0 && named.st_dev == opened.st_dev &&
         named.st_ino == opened.st_ino && static_cast<std::size_t>(named.st_size) == size_;
}

Result<void> KeptRecording::add(const Moment& moment) {
  if (!folder_) {
    return {};
  }
  const bool lost = file_.get() >= 0 && !in_place();
  if (lost) {
    file_ = {};
  }
  Result<void> added = put(moment);
  if (!added || !lost) {
    return added;
  }
  return tl::unexpected{
      Error{.kind = ErrorKind::kVanished,
            .path = folder_->path_of(name_),
            .what = "it was removed, replaced or changed by another program while it was added to",
            .remedy = "what was recorded before may be lost; the recording goes on"}};
}

Result<void> KeptRecording::put(const Moment& moment) {
  if (file_.get() < 0) {
    if (Result<void> again = begin(); !again) {
      return again;
    }
  }
  if (!full_) {
    const std::string record = writer_.add(moment);
    full_ = size_ + record.size() > limit_;
    if (!full_) {
      return append(record);
    }
  }
  if (Result<void> rolled = roll(); !rolled) {
    return rolled;
  }
  return append(writer_.add(moment));
}

}  // namespace eviction::agent
