// SPDX-License-Identifier: Apache-2.0
#include "cgroup/kubepods.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

constexpr std::string_view kSlice = ".slice";
constexpr std::string_view kScope = ".scope";
constexpr std::string_view kKubepods = "kubepods";

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  if (text.ends_with(suffix)) {
    text.remove_suffix(suffix.size());
  }
  return text;
}

/// Is text word, or does it end in "-word"?
bool ends_in_word(std::string_view text, std::string_view word) {
  return text.ends_with(word) &&
         (text.size() == word.size() || text[text.size() - word.size() - 1] == '-');
}

bool is_kubepods(std::string_view name) {
  return name == kKubepods ||
         (name.ends_with(kSlice) && ends_in_word(without_suffix(name, kSlice), kKubepods));
}

bool is_hex(char character) {
  return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f') ||
         (character >= 'A' && character <= 'F');
}

/// A UUID with dashes (or what the systemd driver makes of them), or a static pod's 32 digits.
std::optional<std::string> normal_uid(std::string_view text) {
  constexpr std::size_t kUuidLength = 36;
  constexpr std::size_t kHashLength = 32;
  constexpr std::array<std::size_t, 4> kDashes{8, 13, 18, 23};
  std::string uid{text};
  if (text.size() == kUuidLength) {
    for (const std::size_t position : kDashes) {
      if (uid[position] != '-' && uid[position] != '_') {
        return std::nullopt;
      }
      uid[position] = '-';
    }
  } else if (text.size() != kHashLength) {
    return std::nullopt;
  }
  const auto digits = std::count_if(uid.begin(), uid.end(), is_hex);
  return digits == static_cast<std::ptrdiff_t>(kHashLength) ? std::optional{std::move(uid)}
                                                            : std::nullopt;
}

/// Does a systemd slice's name belong to kubepods or one of its QoS classes?
bool is_pod_parent(std::string_view prefix) {
  for (const std::string_view qos : {"-burstable", "-besteffort"}) {
    prefix = without_suffix(prefix, qos);
  }
  return ends_in_word(prefix, kKubepods);
}

/// Of a cgroup.procs file, which is empty where no process is. 0 is a process of another PID
/// namespace.
Result<std::vector<int>> parse_pids(std::string_view text) {
  std::vector<int> pids;
  for (Lines lines{text}; lines.next();) {
    const auto pid = parse_digits(lines.line(), std::numeric_limits<int>::max());
    if (!pid) {
      return tl::make_unexpected(malformed(lines.number(), "no PID in " + quote(lines.line())));
    }
    if (*pid != 0) {
      pids.push_back(static_cast<int>(*pid));
    }
  }
  return pids;
}

std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + '/' + name;
}

/// One walk over a kubepods tree.
class Walk {
 public:
  Walk(const MemoryFiles& files, Buffer& buffer) : files_{files}, buffer_{buffer} {}

  Result<Kubepods> read(const Directory& root, const std::string& path) && {
    const Result<Directory> directory = root.open_below(path);
    if (!directory) {
      return tl::make_unexpected(directory.error());
    }
    const auto names = directory->list_directories();
    if (!names) {
      return tl::make_unexpected(names.error());
    }
    result_.path = path;
    result_.driver = path.ends_with(kSlice) ? CgroupDriver::kSystemd : CgroupDriver::kCgroupfs;
    result_.memory = read_memory(*directory);
    result_.pressure.all = read_pressure_of(*directory);
    result_.reclaim.all = read_reclaim_of(*directory);
    read_pods(*directory, *names, path, QosClass::kGuaranteed);
    const auto burstable = read_class(*directory, *names, "burstable", QosClass::kBurstable);
    const auto besteffort = read_class(*directory, *names, "besteffort", QosClass::kBestEffort);
    if (!burstable || !besteffort) {
      return tl::make_unexpected(burstable ? besteffort.error() : burstable.error());
    }
    result_.pressure.burstable = burstable->pressure;
    result_.pressure.besteffort = besteffort->pressure;
    result_.reclaim.burstable = burstable->reclaim;
    result_.reclaim.besteffort = besteffort->reclaim;
    result_.qos_oom = {burstable->own_oom, besteffort->own_oom};
    return std::move(result_);
  }

 private:
  static bool is_gone(const Error& error) {
    return error.kind == ErrorKind::kAbsent || error.kind == ErrorKind::kVanished;
  }

  /// The value, if it could be read. What is gone is no problem: a kernel without the file, or a
  /// cgroup that ended.
  template <class T>
  std::optional<T> keep(Result<T> result) {
    if (result) {
      return *std::move(result);
    }
    if (!is_gone(result.error())) {
      result_.problems.push_back(std::move(result.error()));
    }
    return std::nullopt;
  }

  /// Absent when the cgroup is gone.
  std::optional<CgroupMemory> read_memory(const Directory& directory) {
    CgroupMemory memory;
    auto current = read_number(directory, files_.current, buffer_);
    if (!current && is_gone(current.error())) {
      return std::nullopt;
    }
    if (const auto bytes = keep(std::move(current))) {
      memory.current = Bytes{*bytes};
    }
    memory.stat = keep(read_memory_stat(directory, buffer_));
    memory.max = keep(read_memory_limit(directory, files_.max, buffer_));
    if (!files_.events.empty()) {
      memory.events = keep(read_memory_events(directory, files_.events, buffer_));
      memory.own_oom = read_own_oom(directory, memory.events);
    }
    return memory;
  }

  /// The file is read only where something was killed for a limit at all: events of a cgroup are
  /// counted in those above it as well.
  std::optional<std::uint64_t> read_own_oom(const Directory& directory,
                                            const std::optional<MemoryEvents>& events) {
    if (events && events->oom == 0) {
      return 0;
    }
    const auto local = keep(read_memory_events(directory, files_.events_local, buffer_));
    return local ? local->oom : std::nullopt;
  }

  std::optional<Pressure> read_pressure_of(const Directory& directory) {
    return keep(read_pressure_if_kept(directory, files_.pressure, buffer_))
        .value_or(std::optional<Pressure>{});
  }

  /// Absent on v1, whose counters are those of the cgroup without those below it.
  std::optional<Vmstat> read_reclaim_of(const Directory& directory) {
    return files_.events_local.empty() ? std::nullopt : keep(read_reclaim(directory, buffer_));
  }

  /// What is read of a QoS class's own cgroup.
  struct Class {
    std::optional<Pressure> pressure;
    std::optional<Vmstat> reclaim;
    std::optional<std::uint64_t> own_oom;
  };

  /// Errors: its pods are not known.
  Result<Class> read_class(const Directory& kubepods,
                           const std::vector<std::string>& names,
                           std::string_view word,
                           QosClass qos) {
    Class found;
    for (const std::string& name : names) {
      if (!ends_in_word(without_suffix(name, kSlice), word)) {
        continue;
      }
      const Result<Directory> directory = kubepods.open_below(name);
      const auto pods =
          directory ? directory->list_directories() : tl::unexpected{directory.error()};
      if (!pods) {
        if (is_gone(pods.error())) {
          continue;
        }
        return tl::make_unexpected(pods.error());
      }
      found.pressure = read_pressure_of(*directory);
      found.reclaim = read_reclaim_of(*directory);
      if (!files_.events_local.empty()) {
        found.own_oom = read_own_oom(*directory, std::nullopt);
      }
      read_pods(*directory, *pods, join(result_.path, name), qos);
    }
    return found;
  }

  void read_pods(const Directory& parent,
                 const std::vector<std::string>& names,
                 const std::string& path,
                 QosClass qos) {
    for (const std::string& name : names) {
      if (auto uid = pod_uid(name)) {
        PodCgroup pod;
        pod.uid = *std::move(uid);
        pod.qos = qos;
        pod.path = join(path, name);
        read_pod(parent, name, std::move(pod));
      }
    }
  }

  void read_pod(const Directory& parent, const std::string& name, PodCgroup pod) {
    const Result<Directory> directory = parent.open_below(name);
    if (!directory && !is_gone(directory.error())) {
      result_.problems.push_back(directory.error());
      result_.pods.push_back(std::move(pod));
      return;
    }
    auto memory = directory ? read_memory(*directory) : std::nullopt;
    if (!memory) {
      ++result_.vanished;
      return;
    }
    pod.memory = *std::move(memory);
    if (const auto containers = keep(directory->list_directories())) {
      for (const std::string& container : *containers) {
        pod.containers.push_back(read_container(*directory, container));
      }
    }
    result_.pods.push_back(std::move(pod));
  }

  ContainerCgroup read_container(const Directory& pod, const std::string& name) {
    constexpr int kLevelsBelow = 3;
    ContainerCgroup container;
    container.name = name;
    container.id = container_id(name);
    read_processes(pod, name, kLevelsBelow, container.pids);
    std::sort(container.pids.begin(), container.pids.end());
    container.pids.erase(std::unique(container.pids.begin(), container.pids.end()),
                         container.pids.end());
    return container;
  }

  /// Of a cgroup and, where it has none of its own, of those below it: a whole systemd in a
  /// container moves everything down, and a threaded cgroup's processes are listed above it.
  void read_processes(const Directory& parent,
                      const std::string& name,
                      int levels_below,
                      std::vector<int>& pids) {
    auto own = read_short_parsed(parent, name + "/cgroup.procs", buffer_, parse_pids);
    if (own && !own->empty()) {
      pids.insert(pids.end(), own->begin(), own->end());
      return;
    }
    if (!own && own.error().kind != ErrorKind::kUnsupported) {
      static_cast<void>(keep(std::move(own)));
    }
    const auto directory = levels_below == 0 ? std::nullopt : keep(parent.open_below(name));
    const auto below = directory ? keep(directory->list_directories()) : std::nullopt;
    for (const std::string& nested : below.value_or(std::vector<std::string>{})) {
      read_processes(*directory, nested, levels_below - 1, pids);
    }
  }

  const MemoryFiles& files_;
  Buffer& buffer_;
  Kubepods result_;
};

/// The cgroups on one level below the root, by path.
struct Level {
  std::vector<std::string> kubepods;
  std::vector<std::string> others;
};

Level next_level(const Directory& root, const std::vector<std::string>& paths) {
  Level level;
  for (const std::string& path : paths) {
    // Ignored because a cgroup that ended or is not ours to see has no kubepods for us.
    const Result<Directory> directory = root.open_below(path);
    const auto names =
        directory ? directory->list_directories() : Result<std::vector<std::string>>{};
    for (const std::string& name : names.value_or(std::vector<std::string>{})) {
      if (!pod_uid(name)) {
        (is_kubepods(name) ? level.kubepods : level.others).push_back(join(path, name));
      }
    }
  }
  return level;
}

std::string fullest(const Hierarchy& hierarchy, const std::vector<std::string>& paths) {
  Buffer buffer;
  std::string best;
  std::int64_t most = -1;
  for (const std::string& path : paths) {
    const std::string file = path + '/' + std::string{hierarchy.files().current};
    const std::int64_t memory = read_number(hierarchy.root, file, buffer).value_or(0);
    if (memory > most) {
      most = memory;
      best = path;
    }
  }
  return best;
}

}  // namespace

std::string_view to_text(QosClass qos) {
  switch (qos) {
    case QosClass::kGuaranteed:
      return "Guaranteed";
    case QosClass::kBurstable:
      return "Burstable";
    case QosClass::kBestEffort:
      return "BestEffort";
  }
  return "BestEffort";
}

std::string_view to_text(CgroupDriver driver) {
  return driver == CgroupDriver::kSystemd ? "systemd" : "cgroupfs";
}

std::optional<Bytes> CgroupMemory::working_set() const {
  if (!current || !stat || !stat->inactive_file) {
    return current;
  }
  return std::max(Bytes{}, *current - *stat->inactive_file);
}

std::optional<Bytes> CgroupMemory::unreclaimable() const {
  if (!current || !stat) {
    return std::nullopt;
  }
  if (!stat->slab_reclaimable) {
    return stat->anon && stat->shmem ? std::optional{*stat->anon + *stat->shmem} : std::nullopt;
  }
  if (!stat->inactive_file || !stat->active_file) {
    return std::nullopt;
  }
  return std::max(Bytes{},
                  *current - *stat->inactive_file - *stat->active_file - *stat->slab_reclaimable);
}

Result<std::string> find_kubepods(const Hierarchy& hierarchy) {
  constexpr int kLevels = 4;
  std::vector<std::string> paths{""};
  for (int depth = 0; depth < kLevels; ++depth) {
    Level level = next_level(hierarchy.root, paths);
    if (!level.kubepods.empty()) {
      return fullest(hierarchy, level.kubepods);
    }
    paths = std::move(level.others);
  }
  return tl::make_unexpected(
      Error{.kind = ErrorKind::kAbsent,
            .path = hierarchy.root.path(),
            .what = "no kubepods cgroup within " + std::to_string(kLevels) + " levels",
            .remedy = "start the kubelet, or check its --cgroup-root"});
}

Result<Kubepods> read_kubepods(const Hierarchy& hierarchy,
                               const std::string& path,
                               Buffer& buffer) {
  return Walk{hierarchy.files(), buffer}.read(hierarchy.root, path);
}

std::optional<std::string> pod_uid(std::string_view cgroup_name) {
  constexpr std::string_view kPod = "pod";
  const std::string_view name = without_suffix(cgroup_name, kSlice);
  // No UID has a 'p', so the last "pod" is the right one.
  const std::size_t pod = name.rfind(kPod);
  if (pod == std::string_view::npos) {
    return std::nullopt;
  }
  const bool systemd = name.size() != cgroup_name.size();
  const bool fits = systemd
                        ? pod > 0 && name[pod - 1] == '-' && is_pod_parent(name.substr(0, pod - 1))
                        : pod == 0;
  return fits ? normal_uid(name.substr(pod + kPod.size())) : std::nullopt;
}

std::optional<std::string> pod_uid_of_path(std::string_view cgroup_path) {
  while (!cgroup_path.empty()) {
    const std::string_view name = cgroup_path.substr(0, cgroup_path.find('/'));
    if (auto uid = pod_uid(name)) {
      return uid;
    }
    cgroup_path.remove_prefix(std::min(name.size() + 1, cgroup_path.size()));
  }
  return std::nullopt;
}

std::string container_id(std::string_view cgroup_name) {
  if (!cgroup_name.ends_with(kScope)) {
    return std::string{cgroup_name};
  }
  const std::string_view name = without_suffix(cgroup_name, kScope);
  const std::size_t dash = name.rfind('-');
  return std::string{dash == std::string_view::npos ? name : name.substr(dash + 1)};
}

}  // namespace eviction::cgroup
