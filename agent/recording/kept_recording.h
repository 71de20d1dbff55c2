// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/recording/recording.h"
#include "cgroup/descriptor.h"
#include "cgroup/directory.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// What the daemon records, in kStateFolder; the file before it has kOlderSuffix.
inline constexpr std::string_view kRecordingFile = "recording.bin";
/// The two files together take no more than twice this.
inline constexpr std::size_t kRecordingFileLimit = std::size_t{4} << 20;

/// A recording on the disk that is added to: two files, the older of which goes when the newer one
/// is full. Each record is written at once, and left to the kernel to bring to the disk: a crash of
/// the agent costs nothing that was written, a power cut the last seconds. A last record that was
/// cut off is cut away when the file is opened again. One process adds to it at a time. Where the
/// older file is none of ours nothing is recorded.
class KeptRecording {
 public:
  /// growth: what is learned meanwhile; has to outlive it. Each file, and each start of the agent
  /// in it, begins with what is known by then. Null: nothing is learned meanwhile.
  explicit KeptRecording(const GrowthHistory* growth = nullptr) : growth_{growth} {}

  /// The daemon's own; root has to outlive it. What is no recording, or is damaged before its last
  /// record, is set aside, here and in add(). Errors: those of making and reading the files; each
  /// add() tries again.
  [[nodiscard]] Result<void> open(const cgroup::Directory& root);
  /// Any file; one that is there and is none, or is damaged so, is left alone. learned: what is
  /// known of growth now, for whoever learns nothing meanwhile; a file that follows when this one
  /// is full begins without, as whoever reads both has learned more by then. Errors: as open().
  [[nodiscard]] Result<void> open(cgroup::Directory folder,
                                  std::string name,
                                  std::size_t limit,
                                  const std::optional<GrowthCheckpoint>& learned = {});

  /// Errors: those of writing; kVanished where the moment was added, but the file was no longer
  /// what was written: what was added before may be lost. Nothing without open().
  [[nodiscard]] Result<void> add(const Moment& moment);

 private:
  [[nodiscard]] Result<void> begin(const std::optional<GrowthCheckpoint>& learned = {});
  [[nodiscard]] Result<void> put(const Moment& moment);
  /// Whether the name leads to the open file, and that has what was written and nothing more.
  [[nodiscard]] bool in_place() const;
  [[nodiscard]] Result<void> check_older() const;
  [[nodiscard]] Result<void> roll();
  [[nodiscard]] Result<void> append(const std::string& bytes);
  [[nodiscard]] tl::unexpected<Error> failure(int code);

  const GrowthHistory* growth_;
  const cgroup::Directory* root_ = nullptr;  ///< null: the file is not the daemon's own
  std::optional<cgroup::Directory> folder_;
  std::string name_;
  std::size_t limit_ = 0;
  Descriptor file_;
  std::size_t size_ = 0;
  bool full_ = false;  ///< what follows goes to the next file, or nowhere
  RecordingWriter writer_;
};

}  // namespace eviction::agent
