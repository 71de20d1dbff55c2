// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/command.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "agent/growth_file.h"
#include "agent/incident_log.h"
#include "agent/live_node.h"
#include "agent/recording/csv.h"
#include "agent/recording/kept_recording.h"

namespace eviction::agent {

namespace {

/// As often as the daemon at its soonest.
constexpr std::chrono::seconds kWalkInterval{10};

/// A file may be as long as a recording on request, and one record more; CSV as long as memory has
/// room for.
constexpr std::size_t kLongestCsv = std::size_t{1} << 30;

class Recorder {
 public:
  Recorder(const Host& host, const config::AgentConfig& config, systemd::EventLoop& loop)
      : host_{host}, config_{config}, loop_{loop} {}

  Result<std::size_t> run(const RecordRequest& request) {
    const std::filesystem::path path = std::filesystem::absolute(request.file);
    Result<cgroup::Directory> folder = cgroup::Directory::open(path.parent_path().string());
    if (!folder) {
      return tl::unexpected{folder.error()};
    }
    if (Result<void> opened = kept_.open(
            std::move(*folder), path.filename().string(), kRequestedFileLimit, learned());
        !opened) {
      return tl::unexpected{opened.error()};
    }
    interval_ = request.interval;
    end_ = request.duration ? std::optional{since_boot() + *request.duration} : std::nullopt;
    std::vector<systemd::EventSource> sources;
    for (const int signal : {SIGINT, SIGTERM}) {
      auto source = loop_.on_signal(signal, [this] { loop_.exit(0); });
      if (!source) {
        return tl::unexpected{source.error()};
      }
      sources.push_back(std::move(*source));
    }
    auto timer = loop_.after(std::chrono::milliseconds{}, [this] { tick(); });
    if (!timer) {
      return tl::unexpected{timer.error()};
    }
    timer_ = std::move(*timer);
    const Result<int> ended = loop_.run();
    if (failure_ || !ended) {
      return tl::unexpected{failure_ ? *failure_ : ended.error()};
    }
    return moments_;
  }

 private:
  /// By the daemon. Absent: it learned nothing, and a replay keeps what it learned itself.
  [[nodiscard]] std::optional<GrowthCheckpoint> learned() const {
    const Result<GrowthCheckpoint> known =
        host_.root ? learned_growth(*host_.root) : tl::unexpected{host_.root.error()};
    return !known || *known == GrowthCheckpoint{} ? std::nullopt : std::optional{*known};
  }

  void tick() {
    const std::chrono::seconds now = since_boot();
    if (end_ && now >= *end_) {
      loop_.exit(0);
      return;
    }
    Result<void> added = look(now);
    if (added) {
      added = timer_.again(interval_);
    }
    if (!added) {
      failure_ = added.error();
      loop_.exit(1);
    }
  }

  /// A full one, or a cheap one. Errors: of reading /proc/meminfo, and of writing.
  Result<void> look(std::chrono::seconds now) {
    if (!walked_ || now - *walked_ >= kWalkInterval) {
      walked_ = now;
      const Observation seen = observe(host_, config_, buffer_);
      if (seen.meminfo) {
        return add(*seen.meminfo, &seen);
      }
    }
    const Result<cgroup::Meminfo> meminfo = cgroup::read_meminfo(*host_.proc, buffer_);
    return meminfo ? add(*meminfo, nullptr) : tl::unexpected{meminfo.error()};
  }

  /// Looks that were lost are told at the end: those that follow are worth to be kept.
  Result<void> add(const cgroup::Meminfo& meminfo, const Observation* seen) {
    ++moments_;
    Result<void> added = kept_.add({.at = wall_now(),
                                    .since_boot = since_boot(),
                                    .mem_total = meminfo.mem_total,
                                    .mem_available = meminfo.mem_available,
                                    .seen = seen});
    if (!added && added.error().kind == ErrorKind::kVanished) {
      failure_ = added.error();
      return {};
    }
    return added;
  }

  const Host& host_;
  const config::AgentConfig& config_;
  systemd::EventLoop& loop_;
  cgroup::Buffer buffer_;
  KeptRecording kept_;
  systemd::EventSource timer_;
  std::chrono::seconds interval_{1};
  std::optional<std::chrono::seconds> end_;
  std::optional<std::chrono::seconds> walked_;
  std::optional<Error> failure_;
  std::size_t moments_ = 0;
};

/// One file, whatever it is.
Result<std::optional<Error>> read_one(const cgroup::Directory& folder,
                                      const std::string& name,
                                      const std::function<void(const Moment&)>& call) {
  cgroup::Buffer buffer;
  const Result<std::string_view> text = folder.read(name, buffer, kLongestCsv);
  if (!text) {
    return tl::unexpected{text.error()};
  }
  std::optional<Error> problem;
  if (begins_as_recording(*text)) {
    const Result<RecordingSpan> span = read_recording(*text, call);
    if (!span) {
      Error error = span.error();
      error.path = folder.path_of(name);
      return tl::unexpected{std::move(error)};
    }
    problem = span->problem;
  } else if (const Result<void> read = read_csv(*text, call); !read) {
    problem = read.error();
  }
  if (problem) {
    problem->path = folder.path_of(name);
  }
  return problem;
}

}  // namespace

Result<std::size_t> record(const Host& host,
                           const config::AgentConfig& config,
                           const RecordRequest& request,
                           systemd::EventLoop& loop) {
  if (!host.proc) {
    return tl::unexpected{host.proc.error()};
  }
  return Recorder{host, config, loop}.run(request);
}

Result<std::optional<Error>> read_moments(const std::string& file,
                                          const std::function<void(const Moment&)>& call) {
  const std::filesystem::path path = std::filesystem::absolute(file);
  const Result<cgroup::Directory> folder = cgroup::Directory::open(path.parent_path().string());
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const std::string name = path.filename().string();
  Result<std::optional<Error>> older = read_one(*folder, name + std::string{kOlderSuffix}, call);
  Result<std::optional<Error>> newer = read_one(*folder, name, call);
  const auto is_there = [](const Result<std::optional<Error>>& read) {
    return read || read.error().kind != ErrorKind::kAbsent;
  };
  if (!is_there(older)) {
    return newer;
  }
  if (!is_there(newer)) {
    return older;
  }
  std::optional<Error> problem = older ? std::move(*older) : std::move(older.error());
  const std::optional<Error> second = newer ? *newer : newer.error();
  if (problem && second) {
    problem->kind = problem->kind == ErrorKind::kAbsent ? second->kind : problem->kind;
    problem->remedy += (problem->remedy.empty() ? "" : "; ") + to_text(*second);
  } else if (second) {
    problem = second;
  }
  if (!newer) {
    return tl::unexpected{std::move(*problem)};
  }
  return problem;
}

}  // namespace eviction::agent
