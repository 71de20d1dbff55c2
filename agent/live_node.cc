// SPDX-License-Identifier: Apache-2.0
#include "agent/live_node.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "agent/api_view.h"
#include "agent/journal_file.h"
#include "agent/kubelet_health.h"
#include "agent/kubelet_log.h"
#include "agent/kubelet_signal.h"
#include "agent/policy/restart_guards.h"
#include "agent/service_unit.h"
#include "agent/target_files.h"
#include "agent/value_proof.h"
#include "cgroup/process.h"
#include "config/atomic_file.h"
#include "config/drop_in.h"

namespace eviction::agent {

namespace {

/// The kubelet answers from memory on the loopback interface: what takes longer is ill.
constexpr std::chrono::milliseconds kHealthTime{500};
constexpr std::string_view kHealthy = "healthy";
constexpr std::chrono::milliseconds kAnswerTime{2000};
/// Between two questions of a transaction to the kubelet or the API server, each of which takes a
/// process: while something is waited for, and in the watch, which lasts.
constexpr std::chrono::seconds kAskInterval{2};
constexpr std::chrono::seconds kWatchAskInterval{5};

/// Since boot.
std::chrono::seconds started_at(const Kubelet& kubelet) {
  return std::chrono::seconds{static_cast<long long>(kubelet.start) / ::sysconf(_SC_CLK_TCK)};
}

/// Until a transaction that waits for a whole service gives up.
constexpr std::chrono::seconds kJobDeadline = 3 * kServiceLimit;

bool restarts_by_unit(Target target) {
  return target != Target::kRke2Dropin && target != Target::kNone;
}

}  // namespace

std::chrono::seconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec};
}

std::chrono::sys_seconds wall_now() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string read_boot_id(const Host& host) {
  cgroup::Buffer buffer;
  return host.proc ? cgroup::read_boot_id(*host.proc, buffer).value_or("") : std::string{};
}

Result<std::vector<std::string>> running_pods(const cgroup::Directory& sys,
                                              cgroup::Buffer& buffer) {
  const Result<cgroup::Hierarchy> hierarchy = cgroup::open_hierarchy(sys);
  const Result<std::string> path =
      hierarchy ? cgroup::find_kubepods(*hierarchy) : tl::unexpected{hierarchy.error()};
  const Result<cgroup::Kubepods> tree =
      path ? cgroup::read_kubepods(*hierarchy, *path, buffer) : tl::unexpected{path.error()};
  if (!tree) {
    return tl::unexpected{tree.error()};
  }
  std::vector<std::string> running;
  for (const cgroup::PodCgroup& pod : tree->pods) {
    const bool has_process = std::ranges::any_of(
        pod.containers,
        [](const cgroup::ContainerCgroup& container) { return !container.pids.empty(); });
    if (has_process) {
      running.push_back(pod.uid);
    }
  }
  std::ranges::sort(running);
  return running;
}

Result<Journal> LiveNode::intend(const std::optional<std::string>& content) {
  const Result<Kubelet> found = kubelet();
  if (!found) {
    return tl::unexpected{found.error()};
  }
  if (!host_.sys) {
    return tl::unexpected{host_.sys.error()};
  }
  Result<std::vector<std::string>> pods = running_pods(*host_.sys, buffer_);
  if (!pods) {
    return tl::unexpected{pods.error()};
  }
  Journal journal;
  journal.since = since_boot();
  journal.boot_id = read_boot_id(host_);
  journal.file = found->file;
  journal.before = found->file_content;
  const auto known = read_journal(*host_.root, found->file);
  if (known && !*known && found->file_content == content) {
    // A value that nobody remembers to have put in force is none to go back to.
    journal.before.reset();
  }
  journal.after = content;
  journal.kubelet = {journal.boot_id, found->start};
  journal.whole_service = is_whole_service(found->target);
  journal.pods = std::move(*pods);
  return journal;
}

void LiveNode::forget_restarts() {
  units_.reset();
  unit_failure_.reset();
  restart_pending_ = false;
}

std::vector<std::string> LiveNode::kubelet_warnings_since(
    std::chrono::system_clock::time_point since) {
  const Result<Kubelet> found = kubelet();
  if (!found) {
    return {};
  }
  auto lines = read_kubelet_warnings(*found, *host_.root, since);
  return lines ? std::move(*lines) : std::vector<std::string>{};
}

Facts LiveNode::look(const Journal& journal) {
  Facts facts;
  facts.now = since_boot();
  facts.boot_id = read_boot_id(host_);
  if (auto content = read_file(*host_.root, journal.file)) {
    facts.file_known = true;
    facts.file = std::move(*content);
  }
  const std::chrono::seconds every =
      journal.phase == Phase::kWatch ? kWatchAskInterval : kAskInterval;
  const Result<Kubelet> found = kubelet();
  if (found) {
    facts.kubelet = KubeletRun{facts.boot_id, found->start};
    facts.kubelet_age = facts.now - started_at(*found);
    facts.healthy = healthy(*found, every);
  }
  facts.restart_impossible = unit_failure_;
  facts.restart_pending = restart_pending_;
  const bool proves = journal.phase == Phase::kProof || journal.phase == Phase::kWatch;
  if (proves && found && journal.after) {
    facts.proof = proof_of(journal, *found, every);
  }
  if (found && journal.phase != Phase::kPutBack) {
    note_ended(*found, kWatchAskInterval);
  }
  if (journal.phase == Phase::kWatch && host_.sys) {
    facts.lost = lost_pods(journal, found ? &*found : nullptr);
  }
  return facts;
}

Proof LiveNode::proof_of(const Journal& journal,
                         const Kubelet& kubelet,
                         std::chrono::milliseconds every) {
  const auto wanted = config::parse_own_file(*journal.after, journal.file);
  if (!wanted) {
    return {.reason = to_text(wanted.error())};
  }
  return proof(kubelet, *wanted, every).value_or(Proof{.reason = "it is being asked"});
}

bool LiveNode::healthy(const Kubelet& kubelet, std::chrono::milliseconds every) {
  const auto answer = health_.latest(std::to_string(kubelet.start), every, [&] {
    const Result<KubeletHealth> health = kubelet_health(kubelet, kHealthTime);
    // Where it is switched off, that the kubelet runs has to do.
    const bool well = health ? health->healthy : health.error().kind == ErrorKind::kUnsupported;
    return well ? std::string{kHealthy} : std::string{};
  });
  return answer && *answer && **answer == kHealthy;
}

std::optional<Proof> LiveNode::proof(const Kubelet& kubelet,
                                     const config::MemoryEviction& wanted,
                                     std::chrono::milliseconds every) {
  // Another start of the kubelet and another content make it another question.
  const std::string subject =
      std::to_string(kubelet.start) + ' ' + kubelet.file_content.value_or(std::string{});
  const auto answer = proof_.latest(subject, every, [&] {
    return render_proof(prove_value(kubelet, wanted, *host_.root, kTokenFile, kAnswerTime));
  });
  if (!answer) {
    return std::nullopt;
  }
  Result<Proof> proof = answer->and_then([](const std::string& text) { return parse_proof(text); });
  if (!proof) {
    return Proof{
        .state = Proof::State::kNotYet, .source = kNobody, .reason = to_text(proof.error())};
  }
  return std::move(*proof);
}

std::optional<std::vector<std::string>> LiveNode::lost_pods(const Journal& journal,
                                                            const Kubelet* kubelet) {
  const auto running = running_pods(*host_.sys, buffer_);
  if (!running) {
    return std::nullopt;
  }
  std::vector<std::string> lost;
  std::ranges::set_difference(journal.pods, *running, std::back_inserter(lost));
  if (lost.empty() || kubelet == nullptr) {
    return lost;
  }
  note_ended(*kubelet, kAskInterval);
  std::erase_if(lost, [this](const std::string& uid) { return ended_.contains(uid); });
  return lost;
}

/// Jobs end, and people delete pods, while a transaction runs; soon after, the API server knows
/// nothing of them any more.
void LiveNode::note_ended(const Kubelet& kubelet, std::chrono::milliseconds every) {
  const auto answer = api_.latest(
      "pods", every, [&] { return render_api_view(ask_api_server(*host_.root, kubelet)); });
  if (!answer || !*answer) {
    return;
  }
  if (const Result<ApiView> view = parse_api_view(**answer)) {
    ended_.insert(view->pods.ended.begin(), view->pods.ended.end());
  }
}

Result<void> LiveNode::save(const Journal& journal) {
  const std::string path = journal_path(journal.file);
  const std::size_t slash = path.rfind('/');
  const Result<cgroup::Directory> folder = config::make_folder(*host_.root, path.substr(0, slash));
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const auto written =
      config::write_atomically(*folder, path.substr(slash + 1), render_journal(journal));
  return written ? Result<void>{} : tl::unexpected{written.error()};
}

Result<void> LiveNode::remove_journal(const std::string& file) {
  const std::string path = journal_path(file);
  const std::size_t slash = path.rfind('/');
  const Result<cgroup::Directory> folder = host_.root->open_below(path.substr(0, slash));
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  return remove_leftovers(*host_.root, file).and_then([&]() -> Result<void> {
    return config::remove_durably(*folder, path.substr(slash + 1)).map([](bool) {});
  });
}

Result<void> LiveNode::write(const std::string& file, const std::optional<std::string>& content) {
  return put_file(*host_.root, file, content);
}

Result<void> LiveNode::restart_kubelet() {
  const Result<Kubelet> found = kubelet();
  if (!found) {
    return tl::unexpected{found.error()};
  }
  if (const std::string forbidden = restart_forbidden(*found, config_); !forbidden.empty()) {
    return tl::unexpected{Error{.kind = ErrorKind::kUnsupported, .path = {}, .what = forbidden}};
  }
  if (Result<void> remembered = before_restart_(); !remembered) {
    return remembered;
  }
  return restarts_by_unit(found->target) ? restart_unit(*found)
                                         : terminate_kubelet(*host_.proc, *found);
}

Result<Kubelet> LiveNode::kubelet() {
  if (!host_.proc || !host_.root) {
    return tl::unexpected{host_.proc ? host_.root.error() : host_.proc.error()};
  }
  return find_kubelet(*host_.proc, *host_.root, config_, buffer_);
}

Result<void> LiveNode::restart_unit(const Kubelet& kubelet) {
  const Result<std::string> cgroup = cgroup::read_cgroup_path(*host_.proc, kubelet.pid, buffer_);
  const std::optional<std::string> unit = cgroup ? service_of_path(*cgroup) : std::nullopt;
  if (!unit) {
    return tl::unexpected{Error{.kind = ErrorKind::kUnsupported,
                                .path = host_.proc->path_of(std::to_string(kubelet.pid)),
                                .what = "the kubelet runs in no service of systemd's",
                                .remedy = "restart it by hand, and set [agent] mode = stage"}};
  }
  // Anew for each restart: months may lie between two, and a connection that broke stays broken.
  auto connected = systemd::SdBusUnitManager::connect_system(loop_, kJobDeadline);
  if (!connected) {
    return tl::unexpected{connected.error()};
  }
  units_ = std::move(*connected);
  unit_failure_.reset();
  Result<void> begun = units_->restart(*unit, [this](const Result<void>& ended) {
    // Silence is no failure: the kubelet itself shows within its limit what came of it.
    if (!ended && ended.error().kind == ErrorKind::kVanished) {
      return;
    }
    restart_pending_ = false;
    if (!ended) {
      unit_failure_ = to_text(ended.error());
    }
  });
  restart_pending_ = begun.has_value();
  return begun;
}

}  // namespace eviction::agent
