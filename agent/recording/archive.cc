// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/archive.h"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace eviction::agent {

namespace {

/// T with or without const: one list of fields serves reading and writing.
template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

template <class T>
concept Number = std::integral<T> || std::is_enum_v<T>;

template <class A, Is<cgroup::Meminfo> T>
void fields(A& archive, T& value) {
  archive(value.mem_total, value.mem_free, value.mem_available, value.buffers, value.cached);
  archive(value.swap_cached, value.active_file, value.inactive_file, value.anon_pages, value.shmem);
  archive(value.kreclaimable, value.slab, value.s_reclaimable, value.s_unreclaim);
  archive(value.kernel_stack, value.page_tables, value.sec_page_tables, value.percpu);
  archive(value.swap_total, value.swap_free, value.zswap, value.zswapped, value.hugetlb);
}

template <class A, Is<cgroup::Vmstat> T>
void fields(A& archive, T& value) {
  archive(value.oom_kill, value.allocstall, value.pgscan_direct, value.pgscan_kswapd);
  archive(value.workingset_refault_anon, value.workingset_refault_file);
  archive(value.pswpin, value.pswpout);
}

template <class A, Is<cgroup::Zone> T>
void fields(A& archive, T& value) {
  archive(value.node, value.name, value.free, value.boost, value.min, value.low, value.high);
  archive(value.managed, value.protection);
}

template <class A, Is<cgroup::Zoneinfo> T>
void fields(A& archive, T& value) {
  archive(value.zones);
}

template <class A, Is<cgroup::PressureLine> T>
void fields(A& archive, T& value) {
  archive(value.avg10, value.avg60, value.avg300, value.total);
}

template <class A, Is<cgroup::Pressure> T>
void fields(A& archive, T& value) {
  archive(value.some, value.full);
}

template <class A, Is<cgroup::HugepagePool> T>
void fields(A& archive, T& value) {
  archive(value.page_size, value.total, value.free, value.reserved);
}

template <class A, Is<cgroup::MemoryStat> T>
void fields(A& archive, T& value) {
  archive(value.anon, value.file, value.inactive_file, value.active_file, value.shmem);
  archive(value.slab_reclaimable, value.slab_unreclaimable);
}

template <class A, Is<cgroup::MemoryLimit> T>
void fields(A& archive, T& value) {
  archive(value.bytes);
}

template <class A, Is<cgroup::MemoryEvents> T>
void fields(A& archive, T& value) {
  archive(value.low, value.high, value.max, value.oom, value.oom_kill, value.oom_group_kill);
}

template <class A, Is<cgroup::CgroupMemory> T>
void fields(A& archive, T& value) {
  archive(value.current, value.max, value.stat, value.events, value.own_oom);
}

template <class A, Is<MemoryRequest> T>
void fields(A& archive, T& value) {
  archive(value.low, value.high, value.source);
}

template <class A, Is<Resize> T>
void fields(A& archive, T& value) {
  archive(value.since);
}

template <class A, Is<OomCounts> T>
void fields(A& archive, T& value) {
  archive(value.kills, value.limits, value.own_limit);
}

template <class A, Is<Pod> T>
void fields(A& archive, T& value) {
  archive(value.uid, value.name_space, value.name, value.workload, value.qos, value.usage);
  archive(value.working_set, value.unreclaimable, value.resize, value.request, value.limit);
  archive(value.priority, value.pressure, value.oom, value.vm_uid);
}

template <class A, Is<config::KubeletVersion> T>
void fields(A& archive, T& value) {
  archive(value.major, value.minor, value.patch, value.suffix);
}

template <class A, Is<config::Setting> T>
void fields(A& archive, T& value) {
  archive(value.value, value.source);
}

template <class A, Is<config::KubeletSettings> T>
void fields(A& archive, T& value) {
  archive(value.eviction_hard, value.eviction_soft, value.eviction_soft_grace_period);
  archive(value.eviction_minimum_reclaim, value.kube_reserved, value.system_reserved);
  archive(value.reserved_memory, value.eviction_max_pod_grace_period);
  archive(value.eviction_pressure_transition_period, value.memory_manager_policy);
  archive(value.cgroup_driver, value.cgroup_root, value.port, value.healthz_bind_address);
  archive(value.healthz_port, value.container_runtime_endpoint, value.enforce_node_allocatable);
  archive(value.allocatable_ignores_eviction);
}

template <class A, Is<config::LoadedSettings> T>
void fields(A& archive, T& value) {
  archive(value.settings, value.errors, value.warnings);
}

template <class A, Is<Error> T>
void fields(A& archive, T& value) {
  archive(value.kind, value.path, value.line, value.what, value.remedy);
}

template <class A, Is<Kubelet> T>
void fields(A& archive, T& value) {
  archive(value.pid, value.embedded, value.arguments, value.supervisor, value.start);
  archive(value.version, value.version_source, value.target, value.target_reason, value.file);
  archive(value.arguments_file, value.file_content, value.root_dir, value.loaded);
  archive(value.without_file);
  archive(value.overridden, value.committed, value.proven, value.withdrawn, value.problems);
}

template <class A, Is<Observation> T>
void fields(A& archive, T& value) {
  archive(value.meminfo, value.vmstat, value.zoneinfo, value.pressure, value.hugepages);
  archive(value.kernel, value.uptime, value.cgroup_mode, value.root_stat, value.root_usage);
  archive(value.kubepods_path, value.driver, value.kubepods, value.pods, value.pods_known);
  archive(value.kubelet);
}

class Writer {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }

  std::string bytes;

 private:
  template <Number T>
  void put(const T& value) {
    auto number = static_cast<std::uint64_t>(value);
    const std::size_t width = sizeof(T) == 1 ? 1 : sizeof number;
    for (std::size_t i = 0; i < width; ++i, number >>= 8) {
      bytes += static_cast<char>(number & 0xff);
    }
  }

  void put(const Bytes& value) { put(value.value()); }

  void put(const std::string& text) {
    put(text.size());
    bytes += text;
  }

  template <class Rep, class Period>
  void put(const std::chrono::duration<Rep, Period>& time) {
    put(time.count());
  }

  void put(const std::chrono::sys_seconds& time) { put(time.time_since_epoch()); }

  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) {
      put(*value);
    }
  }

  template <class T>
  void put(const std::vector<T>& list) {
    put(list.size());
    for (const T& value : list) {
      put(value);
    }
  }

  template <class K, class V>
  void put(const std::map<K, V>& map) {
    put(map.size());
    for (const auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }

  template <class T>
  requires std::is_class_v<T>

  void put(const T& value) { fields(*this, value); }
};

/// After the first thing that is not there everything reads as nothing, and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_{bytes} {}

  template <class... T>
  void operator()(T&... values) {
    (take(values), ...);
  }

  [[nodiscard]] bool ended_well() const { return ok_ && bytes_.empty(); }

 private:
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::uint64_t number(std::size_t width) {
    if (bytes_.size() < width) {
      fail();
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = width; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes_[i]);
    }
    bytes_.remove_prefix(width);
    return value;
  }

  /// A number of things, each of which takes a byte or more.
  std::size_t count() {
    const std::uint64_t value = number(sizeof(std::uint64_t));
    if (value > bytes_.size()) {
      fail();
      return 0;
    }
    return value;
  }

  void take(bool& value) {
    const std::uint64_t number_read = number(1);
    value = number_read == 1;
    if (number_read > 1) {
      fail();
    }
  }

  template <Number T>
  void take(T& value) {
    const auto whole = static_cast<std::int64_t>(number(sizeof(T) == 1 ? 1 : sizeof(std::int64_t)));
    value = static_cast<T>(whole);
    constexpr std::int64_t kMostValues = 16;
    const bool fits = std::is_enum_v<T> ? whole >= 0 && whole < kMostValues
                                        : static_cast<std::int64_t>(value) == whole;
    if (!fits) {
      fail();
    }
  }

  /// Sums and products of amounts must not overflow.
  void take(Bytes& value) {
    constexpr std::int64_t kMost = std::int64_t{1} << 53;
    std::int64_t amount = 0;
    take(amount);
    if (amount < -kMost || amount > kMost) {
      fail();
      amount = 0;
    }
    value = Bytes{amount};
  }

  void take(std::string& text) {
    const std::size_t size = count();
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }

  /// No clock of ours is beyond the year 9999.
  template <class Rep, class Period>
  void take(std::chrono::duration<Rep, Period>& time) {
    constexpr std::int64_t kMost = std::int64_t{253'402'300'799} * Period::den;
    std::int64_t ticks = 0;
    take(ticks);
    if (ticks < 0 || ticks > kMost) {
      fail();
      ticks = 0;
    }
    time = std::chrono::duration<Rep, Period>{ticks};
  }

  void take(std::chrono::sys_seconds& time) {
    std::chrono::seconds since{};
    take(since);
    time = std::chrono::sys_seconds{since};
  }

  template <class T>
  void take(std::optional<T>& value) {
    bool there = false;
    take(there);
    value.reset();
    if (there) {
      take(value.emplace());
    }
  }

  template <class T>
  void take(std::vector<T>& list) {
    list.clear();
    for (std::size_t left = count(); left > 0 && ok_; --left) {
      take(list.emplace_back());
    }
  }

  /// Its keys are in order, each once, as a map was written.
  template <class K, class V>
  void take(std::map<K, V>& map) {
    map.clear();
    for (std::size_t left = count(); left > 0 && ok_; --left) {
      K key{};
      take(key);
      if (!map.empty() && !(map.rbegin()->first < key)) {
        return fail();
      }
      take(map.emplace_hint(map.end(), std::move(key), V{})->second);
    }
  }

  template <class T>
  requires std::is_class_v<T>

  void take(T& value) { fields(*this, value); }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace

std::string to_archive(const Observation& observation) {
  Writer writer;
  fields(writer, observation);
  return std::move(writer.bytes);
}

Result<Observation> from_archive(std::string_view bytes) {
  Reader reader{bytes};
  // On the heap: of one on the stack GCC 12 believes that it may be used before it is made.
  const auto observation = std::make_unique<Observation>();
  fields(reader, *observation);
  if (!reader.ended_well()) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kMalformed, .path = {}, .what = "it is no recorded observation"}};
  }
  return std::move(*observation);
}

}  // namespace eviction::agent
