// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "agent/csv_lines.h"
#include "cgroup/key_value.h"

namespace eviction::agent {

namespace {

/// All that a line can say: an amount, or a counter.
using Number = std::optional<std::int64_t>;

/// No amount, time or counter is larger: sums of them must not overflow.
constexpr std::int64_t kMost = std::int64_t{1} << 50;
constexpr std::int64_t kMostSeconds = 253'402'300'799;  // the end of the year 9999

Number of(const std::optional<Bytes>& bytes) {
  return bytes ? Number{bytes->value()} : std::nullopt;
}

Number of(const std::optional<std::uint64_t>& count) {
  return count ? Number{static_cast<std::int64_t>(std::min<std::uint64_t>(*count, kMost))}
               : std::nullopt;
}

struct Column {
  std::string name;
  std::function<Number(const Observation&)> get;
  std::function<void(Observation&, std::int64_t)> set;
};

/// The sum over the pods of a class; absent where one pod has none.
Number sum(const Observation& seen,
           WorkloadClass workload,
           const std::function<std::optional<Bytes>(const Pod&)>& get) {
  Bytes total;
  for (const Pod& pod : seen.pods) {
    const std::optional<Bytes> bytes = pod.workload == workload ? get(pod) : Bytes{};
    if (!bytes) {
      return std::nullopt;
    }
    total += *bytes;
  }
  return seen.pods_known ? Number{total.value()} : std::nullopt;
}

/// The one pod that stands for a class.
Pod& pod_of(Observation& seen, WorkloadClass workload) {
  seen.pods_known = true;
  const auto found = std::ranges::find(seen.pods, workload, &Pod::workload);
  if (found != seen.pods.end()) {
    return *found;
  }
  Pod& pod = seen.pods.emplace_back();
  pod.workload = workload;
  pod.uid = to_text(workload);
  return pod;
}

struct PodAmount {
  const char* name;
  std::optional<Bytes> Pod::*bytes;
};

constexpr std::array kPodAmounts{PodAmount{"usage_bytes", &Pod::usage},
                                 PodAmount{"working_set_bytes", &Pod::working_set},
                                 PodAmount{"unreclaimable_bytes", &Pod::unreclaimable},
                                 PodAmount{"limit_bytes", &Pod::limit}};

void add_class(std::vector<Column>& all, WorkloadClass workload) {
  const std::string prefix = std::string{to_text(workload)} + '_';
  for (const PodAmount& amount : kPodAmounts) {
    std::optional<Bytes> Pod::*const member = amount.bytes;
    all.push_back({prefix + amount.name,
                   [workload, member](const Observation& seen) {
                     return sum(seen, workload, [member](const Pod& pod) { return pod.*member; });
                   },
                   [workload, member](Observation& seen, std::int64_t number) {
                     pod_of(seen, workload).*member = Bytes{number};
                   }});
  }
  const auto request = [](const Pod& pod) {
    return pod.request ? std::optional{pod.request->high} : std::nullopt;
  };
  all.push_back(
      {prefix + "request_bytes",
       [workload, request](const Observation& seen) { return sum(seen, workload, request); },
       [workload](Observation& seen, std::int64_t number) {
         pod_of(seen, workload).request =
             MemoryRequest{Bytes{number}, Bytes{number}, RequestSource::kApi};
       }});
}

const cgroup::Meminfo& meminfo(const Observation& seen) {
  static const cgroup::Meminfo none{};
  return seen.meminfo ? *seen.meminfo : none;
}

const cgroup::MemoryStat& root(const Observation& seen) {
  static const cgroup::MemoryStat none{};
  return seen.root_stat ? *seen.root_stat : none;
}

const cgroup::Vmstat& vmstat(const Observation& seen) {
  static const cgroup::Vmstat none{};
  return seen.vmstat ? *seen.vmstat : none;
}

template <class T>
T& there(std::optional<T>& value) {
  return value ? *value : value.emplace();
}

std::vector<Column> make_columns() {
  using O = Observation;
  using N = std::int64_t;
  std::vector<Column> all{
      {"mem_free_bytes",
       [](const O& o) { return o.meminfo ? of(o.meminfo->mem_free) : Number{}; },
       [](O& o, N n) { there(o.meminfo).mem_free = Bytes{n}; }},
      {"kreclaimable_bytes",
       [](const O& o) {
         return of(meminfo(o).kreclaimable ? meminfo(o).kreclaimable : meminfo(o).s_reclaimable);
       },
       [](O& o, N n) { there(o.meminfo).kreclaimable = Bytes{n}; }},
      {"swap_free_bytes",
       [](const O& o) { return of(meminfo(o).swap_free); },
       [](O& o, N n) { there(o.meminfo).swap_free = Bytes{n}; }},
      {"anon_bytes",
       [](const O& o) { return of(root(o).anon); },
       [](O& o, N n) { there(o.root_stat).anon = Bytes{n}; }},
      {"file_bytes",
       [](const O& o) { return of(root(o).file); },
       [](O& o, N n) { there(o.root_stat).file = Bytes{n}; }},
      {"active_file_bytes",
       [](const O& o) { return of(root(o).active_file); },
       [](O& o, N n) { there(o.root_stat).active_file = Bytes{n}; }},
      {"inactive_file_bytes",
       [](const O& o) { return of(root(o).inactive_file); },
       [](O& o, N n) { there(o.root_stat).inactive_file = Bytes{n}; }},
      {"kubepods_current_bytes",
       [](const O& o) { return o.kubepods ? of(o.kubepods->current) : Number{}; },
       [](O& o, N n) { there(o.kubepods).current = Bytes{n}; }},
      {"kubepods_max_bytes",
       [](const O& o) {
         return o.kubepods && o.kubepods->max ? of(o.kubepods->max->bytes) : Number{};
       },
       [](O& o, N n) { there(there(o.kubepods).max).bytes = Bytes{n}; }},
      {"oom_kill",
       [](const O& o) { return of(vmstat(o).oom_kill); },
       [](O& o, N n) { there(o.vmstat).oom_kill = static_cast<std::uint64_t>(n); }},
      {"allocstall",
       [](const O& o) { return of(vmstat(o).allocstall); },
       [](O& o, N n) { there(o.vmstat).allocstall = static_cast<std::uint64_t>(n); }},
      {"pgscan_direct",
       [](const O& o) { return of(vmstat(o).pgscan_direct); },
       [](O& o, N n) { there(o.vmstat).pgscan_direct = static_cast<std::uint64_t>(n); }},
      {"workingset_refault_file",
       [](const O& o) { return of(vmstat(o).workingset_refault_file); },
       [](O& o, N n) { there(o.vmstat).workingset_refault_file = static_cast<std::uint64_t>(n); }},
      {"pressure_some_microseconds",
       [](const O& o) { return o.pressure ? Number{o.pressure->some.total.count()} : Number{}; },
       [](O& o, N n) { there(o.pressure).some.total = std::chrono::microseconds{n}; }},
  };
  for (const WorkloadClass workload : kWorkloadClasses) {
    add_class(all, workload);
  }
  return all;
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all = make_columns();
  return all;
}

constexpr std::array kHead{
    "time", "since_boot_seconds", "full", "mem_total_bytes", "mem_available_bytes"};

std::string text_of(const Number& number) {
  return number ? std::to_string(*number) : std::string{};
}

/// Whole, within 0 and kMost; digits after a decimal point do not count.
Number parse_number(std::string_view cell) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const std::string_view rest = cell.substr(static_cast<std::size_t>(end - cell.data()));
  const bool whole =
      rest.empty() ||
      (rest.starts_with('.') && rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
  return error == std::errc{} && whole && value >= 0 && value <= kMost ? Number{value}
                                                                       : std::nullopt;
}

/// One line, its cells by the names of their columns.
class Row {
 public:
  Row(const std::map<std::string_view, std::size_t>& names,
      const std::vector<std::string_view>& cells)
      : names_{names}, cells_{cells} {}

  /// Absent: no such column, an empty cell, or (and then problem() tells) no number up to most.
  [[nodiscard]] Number number(std::string_view name, std::int64_t most = kMost) {
    const std::string_view cell = text(name);
    const Number value = parse_number(cell);
    if (value ? *value > most : !cell.empty()) {
      refuse(name, "is " + cgroup::quote(cell) + ", no number from 0 to " + std::to_string(most));
    }
    return value;
  }

  /// As number(), but an empty cell is a problem, too.
  [[nodiscard]] Number needed(std::string_view name) {
    if (text(name).empty()) {
      refuse(name, "is empty");
    }
    return number(name);
  }

  [[nodiscard]] std::string_view text(std::string_view name) const {
    const auto found = names_.find(name);
    return found != names_.end() && found->second < cells_.size() ? cells_[found->second]
                                                                  : std::string_view{};
  }

  /// Of "time" as seconds since 1970 or as a date, or of "t_s".
  [[nodiscard]] Number time() {
    if (const auto at = parse_csv_time(text("time"))) {
      return at->time_since_epoch().count();
    }
    if (text("time").empty() && text("t_s").empty()) {
      refuse("time", "is empty");
    }
    return number(text("time").empty() ? "t_s" : "time", kMostSeconds);
  }

  /// The first cell that is none, and why. Empty: all that were asked for are in order.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void refuse(std::string_view name, std::string_view why) {
    if (problem_.empty()) {
      problem_ = std::string{name}.append(" ").append(why);
    }
  }

  const std::map<std::string_view, std::size_t>& names_;
  const std::vector<std::string_view>& cells_;
  std::string problem_;
};

/// The root cgroup's counts of pages are those of /proc/meminfo; what of its files is in no list of
/// files is shared memory. Without anonymous memory and page cache nothing tells what the kernel
/// holds: what is not available is then taken to be held by processes, and the kubelet to see what
/// the kernel does.
void complete_meminfo(Observation& seen, Bytes available) {
  cgroup::Meminfo& meminfo = *seen.meminfo;
  if (seen.root_stat && seen.root_stat->anon && seen.root_stat->file) {
    const cgroup::MemoryStat& counted = *seen.root_stat;
    meminfo.anon_pages = counted.anon;
    meminfo.active_file = counted.active_file;
    meminfo.inactive_file = counted.inactive_file;
    if (counted.active_file && counted.inactive_file) {
      const Bytes listed = *counted.active_file + *counted.inactive_file;
      meminfo.shmem = std::max(*counted.file - listed, Bytes{});
    }
    return;
  }
  seen.root_stat.reset();
  meminfo.mem_free = available;
  meminfo.anon_pages = std::max(meminfo.mem_total - available, Bytes{});
}

/// Empty: call was called. Else which cell is none.
std::string tell(Row row, const std::function<void(const Moment&)>& call) {
  const Number time = row.time();
  const Number since_boot = row.number("since_boot_seconds", kMostSeconds);
  const Number full = row.number("full");
  const Number total = row.needed("mem_total_bytes");
  const Number available = row.needed("mem_available_bytes");
  if (!row.problem().empty()) {
    return row.problem();
  }
  Moment moment{.at = std::chrono::sys_seconds{std::chrono::seconds{*time}},
                .since_boot = std::chrono::seconds{since_boot.value_or(*time)},
                .mem_total = Bytes{*total},
                .mem_available = Bytes{*available}};
  Observation seen;
  if (full.value_or(1) != 0) {
    seen.cgroup_mode = cgroup::CgroupMode::kV2;
    seen.meminfo.emplace();
    seen.meminfo->mem_total = moment.mem_total;
    seen.meminfo->mem_free = *moment.mem_available;
    seen.meminfo->mem_available = moment.mem_available;
    for (const Column& column : columns()) {
      if (const Number number = row.number(column.name)) {
        column.set(seen, *number);
      }
    }
    complete_meminfo(seen, *moment.mem_available);
    moment.seen = &seen;
  }
  if (row.problem().empty()) {
    call(moment);
  }
  return row.problem();
}

/// "time, mem_total_bytes"; empty: all that are needed are there.
std::string missing_columns(const std::map<std::string_view, std::size_t>& names) {
  std::string missing = names.contains("time") || names.contains("t_s") ? "" : "time";
  for (const char* name : {"mem_total_bytes", "mem_available_bytes"}) {
    if (!names.contains(name)) {
      missing += (missing.empty() ? "" : ", ") + std::string{name};
    }
  }
  return missing;
}

tl::unexpected<Error> wrong(std::size_t line, std::string what, std::string remedy = {}) {
  return tl::unexpected{
      Error{.kind = ErrorKind::kMalformed,
            .path = {},
            .line = line,
            .what = std::move(what),
            .remedy = remedy.append("eviction-agent replay --csv shows how it is written")}};
}

}  // namespace

std::string csv_header() {
  std::string line;
  for (const char* name : kHead) {
    line += (line.empty() ? "" : ",") + std::string{name};
  }
  for (const Column& column : columns()) {
    line += ',' + column.name;
  }
  return line + '\n';
}

std::string csv_row(const Moment& moment) {
  std::string line =
      std::to_string(moment.at.time_since_epoch().count()) + ',' +
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(moment.since_boot).count()) +
      (moment.seen == nullptr ? ",0," : ",1,") + std::to_string(moment.mem_total.value()) + ',' +
      text_of(of(moment.mem_available));
  for (const Column& column : columns()) {
    line += ',';
    if (moment.seen != nullptr) {
      line += text_of(column.get(*moment.seen));
    }
  }
  return line + '\n';
}

Result<void> read_csv(std::string_view text, const std::function<void(const Moment&)>& call) {
  std::map<std::string_view, std::size_t> names;
  for (CsvLines lines{text}; lines.next();) {
    if (names.empty()) {
      for (std::size_t i = 0; i < lines.cells().size(); ++i) {
        names.emplace(lines.cells()[i], i);
      }
      if (const std::string missing = missing_columns(names); !missing.empty()) {
        return wrong(lines.number(), "there is no column " + missing);
      }
    } else if (std::string problem = tell(Row{names, lines.cells()}, call); !problem.empty()) {
      return wrong(lines.number(),
                   std::move(problem),
                   "what comes before it is used, what follows it is not; ");
    }
  }
  return names.empty() ? wrong(1, "it is empty") : Result<void>{};
}

}  // namespace eviction::agent
