// SPDX-License-Identifier: Apache-2.0
#include "agent/value_proof.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/api_server.h"
#include "agent/configz.h"
#include "agent/http.h"
#include "agent/node_memory.h"
#include "agent/own_json.h"
#include "cgroup/key_value.h"
#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::agent {
namespace {

using std::chrono::nanoseconds;

tl::unexpected<Error> error(ErrorKind kind, std::string path, std::string what) {
  return tl::unexpected{
      Error{.kind = kind, .path = std::move(path), .line = 0, .what = std::move(what)}};
}

/// One of the three maps, by the names of all who have it.
struct Map {
  const char* name;
  std::optional<std::string> MemorySignals::*signal;
  std::optional<config::SettingMap> config::KubeletSettings::*settings;
  std::optional<Bytes> config::MemoryEviction::*wanted;
};

constexpr std::array kMaps{Map{"evictionHard",
                               &MemorySignals::hard,
                               &config::KubeletSettings::eviction_hard,
                               &config::MemoryEviction::hard},
                           Map{"evictionSoft",
                               &MemorySignals::soft,
                               &config::KubeletSettings::eviction_soft,
                               &config::MemoryEviction::soft},
                           Map{"evictionMinimumReclaim",
                               &MemorySignals::reclaim,
                               &config::KubeletSettings::eviction_minimum_reclaim,
                               &config::MemoryEviction::reclaim}};

MemorySignals signals_of(const config::KubeletSettings& settings) {
  MemorySignals signals;
  for (const Map& map : kMaps) {
    const config::SettingMap values = (settings.*map.settings).value_or(config::SettingMap{});
    const auto found = values.find(config::kMemoryAvailable);
    if (found != values.end()) {
      signals.*map.signal = found->second.value;
    }
  }
  return signals;
}

/// What has to be in force: wanted over what files and flags say.
MemorySignals due_signals(const config::MemoryEviction& wanted, MemorySignals loaded) {
  for (const Map& map : kMaps) {
    if (const std::optional<Bytes>& bytes = wanted.*map.wanted) {
      loaded.*map.signal = config::render_quantity(*bytes);
    }
  }
  return loaded;
}

bool is_same(const std::optional<std::string>& left, const std::optional<std::string>& right) {
  if (!left || !right || *left == *right) {
    return left == right;
  }
  const auto first = config::parse_quantity(*left);
  const auto second = config::parse_quantity(*right);
  return first && second && first->bytes == second->bytes;
}

std::string show(const std::optional<std::string>& value) {
  return value ? cgroup::quote(*value) : "not set";
}

/// Where shown is not what is due; empty when it is.
std::string difference(const MemorySignals& due, const MemorySignals& shown) {
  std::string text;
  for (const Map& map : kMaps) {
    if (!is_same(due.*map.signal, shown.*map.signal)) {
      text += fmt::format("{}{} memory.available is {}, {} is due",
                          text.empty() ? "" : "; ",
                          map.name,
                          show(shown.*map.signal),
                          show(due.*map.signal));
    }
  }
  return text;
}

std::string describe(const MemorySignals& signals) {
  return fmt::format("memory.available: hard {}, soft {}, reclaim {}",
                     show(signals.hard),
                     show(signals.soft),
                     show(signals.reclaim));
}

/// What every source is asked.
struct Question {
  const Kubelet& kubelet;
  const config::MemoryEviction& wanted;
  MemorySignals due;
  const cgroup::Directory& root;
  const std::string& token_file;
  std::chrono::milliseconds timeout;
};

nanoseconds to_duration(const timespec& time) {
  return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

nanoseconds now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return to_duration(time);
}

/// When the target's file was last written or renamed, or else when its folder last changed: the
/// file was taken away. Since 1970.
Result<nanoseconds> last_change(const cgroup::Directory& root, const std::string& file) {
  const std::size_t slash = file.rfind('/');
  if (slash == std::string::npos) {
    return error(ErrorKind::kAbsent, {}, "the kubelet has no file that the agent could write");
  }
  const Result<cgroup::Directory> folder = root.open_below(file.substr(0, slash + 1));
  if (!folder) {
    return tl::unexpected{folder.error()};
  }

  struct stat status {};

  const std::string name = file.substr(slash + 1);
  if (::fstatat(folder->fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return std::max(to_duration(status.st_ctim), to_duration(status.st_mtim));
  }
  if (errno != ENOENT || ::fstat(folder->fd(), &status) != 0) {
    return error(ErrorKind::kIo, root.path_of(file), std::generic_category().message(errno));
  }
  return to_duration(status.st_mtim);
}

/// When a process started, since 1970. Rounded down to a clock tick.
nanoseconds started_at(unsigned long long ticks) {
  constexpr unsigned long long kLongest = 1ULL << 32U;  // seconds that no machine runs
  const auto rate = static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK));
  const auto whole = static_cast<std::int64_t>(std::min(ticks / rate, kLongest));
  const auto rest = static_cast<std::int64_t>(ticks % rate * 1'000'000'000U / rate);
  return now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) + std::chrono::seconds{whole} +
         nanoseconds{rest};
}

/// Whether the kubelet started after the last change of its file.
Result<bool> has_read_file(const Question& question) {
  return last_change(question.root, question.kubelet.file).map([&](nanoseconds change) {
    return started_at(question.kubelet.start) > change;
  });
}

Result<Tls> read_authority(const Question& question) {
  constexpr std::size_t kLimit = std::size_t{1} << 20;
  const std::optional<std::string> agent = agent_folder(question.kubelet);
  // Elsewhere the kubelet has made itself an authority of its own.
  const std::string file =
      agent ? *agent + "/server-ca.crt" : question.kubelet.root_dir + "/pki/kubelet.crt";
  cgroup::Buffer buffer;
  return question.root.read(file, buffer, kLimit).map([&agent](std::string_view text) {
    return Tls{.authority = std::string{text},
               .check_name = agent.has_value(),
               .certificate = {},
               .key = {}};
  });
}

Result<std::string> read_token(const std::string& file) {
  constexpr std::size_t kLimit = std::size_t{64} << 10;
  if (file.empty()) {
    return error(ErrorKind::kAbsent, {}, "no token to ask the kubelet's /configz with");
  }
  const Result<cgroup::Directory> own = cgroup::Directory::open("/");
  if (!own) {
    return tl::unexpected{own.error()};
  }
  cgroup::Buffer buffer;
  const Result<std::string_view> text = own->read(file, buffer, kLimit);
  if (!text) {
    return tl::unexpected{text.error()};
  }
  std::optional<std::string> token = parse_token(*text);
  if (!token) {
    return error(ErrorKind::kMalformed, file, "holds no token");
  }
  return std::move(*token);
}

/// The kubelet's own answer.
Result<MemorySignals> get_configz(const Question& question) {
  constexpr std::size_t kLimit = std::size_t{1} << 20;
  const Result<std::string> token = read_token(question.token_file);
  if (!token) {
    return tl::unexpected{token.error()};
  }
  Result<Tls> tls = read_authority(question);
  if (!tls) {
    return tl::unexpected{std::move(tls.error())};
  }
  const std::optional<config::Setting>& port = question.kubelet.loaded.settings.port;
  const auto answer = send(
      HttpRequest{.url = fmt::format("https://127.0.0.1:{}/configz", port ? port->value : "10250"),
                  .headers = {"Accept: application/json", "Authorization: Bearer " + *token},
                  .timeout = question.timeout,
                  .limit = kLimit,
                  .tls = std::move(*tls),
                  .socket = {},
                  .body = {}});
  if (!answer) {
    return tl::unexpected{answer.error().error};
  }
  if (answer->status != 200) {
    const bool denied = answer->status == 401 || answer->status == 403;
    return error(denied ? ErrorKind::kDenied : ErrorKind::kIo,
                 "/configz",
                 fmt::format("the kubelet answers with status {}{}",
                             answer->status,
                             denied ? ": the token may not read nodes/configz" : ""));
  }
  return parse_configz(answer->body);
}

Result<Proof> ask_kubelet(const Question& question) {
  constexpr const char* kSource = "the kubelet's /configz";
  const Result<MemorySignals> shown = get_configz(question);
  if (!shown) {
    return tl::unexpected{shown.error()};
  }
  std::string other = difference(question.due, *shown);
  if (other.empty()) {
    return Proof{Proof::State::kInForce, kSource, describe(*shown)};
  }
  const bool has_read = has_read_file(question).value_or(false);
  return Proof{has_read ? Proof::State::kOther : Proof::State::kNotYet, kSource, std::move(other)};
}

/// Memory of kubeReserved or systemReserved.
Bytes reserved(const std::optional<config::SettingMap>& settings) {
  const config::SettingMap values = settings.value_or(config::SettingMap{});
  const auto found = values.find("memory");
  const auto quantity = found == values.end() ? Result<config::Quantity>{}
                                              : config::parse_quantity(found->second.value);
  return quantity ? quantity->bytes : Bytes{};
}

/// What of the due hard threshold is to be seen in Allocatable. Errors: when that proves nothing.
Result<Bytes> visible_hard(const Question& question) {
  if (question.wanted.soft && !question.wanted.hard) {
    return error(
        ErrorKind::kUnsupported, {}, "Allocatable in the Node object shows no soft threshold");
  }
  if (!question.due.hard) {
    return Bytes{};
  }
  if (question.kubelet.loaded.settings.allocatable_ignores_eviction) {
    return error(ErrorKind::kUnsupported,
                 {},
                 "this kubelet takes no threshold off Allocatable, so the Node object shows none");
  }
  return config::parse_quantity(*question.due.hard).map([](const config::Quantity& quantity) {
    return quantity.bytes;
  });
}

Result<Proof> ask_node(const Question& question) {
  const Result<Bytes> hard = visible_hard(question);
  if (!hard) {
    return tl::unexpected{hard.error()};
  }
  cgroup::Buffer buffer;
  const Result<NodeMemory> node =
      read_own_node(question.root, question.kubelet.arguments, buffer)
          .and_then([](const std::string& text) { return parse_node_allocatable(text); });
  if (!node) {
    return tl::unexpected{node.error()};
  }
  const config::KubeletSettings& settings = question.kubelet.loaded.settings;
  const Bytes kept = reserved(settings.kube_reserved) + reserved(settings.system_reserved);
  const Bytes due = allocatable_memory(*node, kept, *hard);
  const bool same = node->allocatable == due;
  return Proof{same ? Proof::State::kInForce : Proof::State::kNotYet,
               "the Node object",
               fmt::format("allocatable memory is {} bytes, {}{} is what a hard threshold of {} "
                           "leaves",
                           node->allocatable.value(),
                           same ? "which" : "",
                           same ? "" : std::to_string(due.value()),
                           config::render_quantity(*hard))};
}

Result<Proof> look_at_files(const Question& question) {
  const Kubelet& kubelet = question.kubelet;
  const Result<bool> has_read = has_read_file(question);
  if (!has_read) {
    return tl::unexpected{has_read.error()};
  }
  Proof proof{Proof::State::kNotYet, "files and flags, and the start of the kubelet", {}};
  if (!*has_read && kubelet.proven && kubelet.committed == kubelet.file_content) {
    return Proof{Proof::State::kInForce,
                 "the journal",
                 "this run of the kubelet was seen to use it, before the file was taken away and "
                 "came back"};
  }
  if (!*has_read) {
    proof.reason = fmt::format("the kubelet runs since before {} changed", kubelet.file);
    return proof;
  }
  if (!kubelet.loaded.errors.empty()) {
    proof.reason = "the kubelet may not take its files: " + kubelet.loaded.errors.front();
    return proof;
  }
  const MemorySignals loaded = signals_of(kubelet.loaded.settings);
  proof.reason = difference(question.due, loaded);
  proof.state = proof.reason.empty() ? Proof::State::kInForce : Proof::State::kOther;
  if (proof.reason.empty()) {
    proof.reason =
        fmt::format("the kubelet started after {} changed; {}", kubelet.file, describe(loaded));
  }
  return proof;
}

}  // namespace

Proof prove_value(const Kubelet& kubelet,
                  const config::MemoryEviction& wanted,
                  const cgroup::Directory& root,
                  const std::string& token_file,
                  std::chrono::milliseconds timeout) {
  const Question question{.kubelet = kubelet,
                          .wanted = wanted,
                          .due = due_signals(wanted, signals_of(kubelet.loaded.settings)),
                          .root = root,
                          .token_file = token_file,
                          .timeout = timeout};
  std::string skipped;
  for (const auto ask : {&ask_kubelet, &ask_node, &look_at_files}) {
    Result<Proof> proof = ask(question);
    if (proof) {
      proof->reason = skipped + proof->reason;
      return std::move(*proof);
    }
    skipped += to_text(proof.error()) + "; ";
  }
  return Proof{Proof::State::kNotYet, kNobody, skipped + "so nothing tells"};
}

std::string render_proof(const Proof& proof) {
  return nlohmann::json{{"version", kOwnVersion},
                        {"state", static_cast<int>(proof.state)},
                        {"source", proof.source},
                        {"reason", proof.reason}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Proof> parse_proof(std::string_view text) {
  const auto read = [](const nlohmann::json& document) {
    constexpr auto kLast = static_cast<std::int64_t>(Proof::State::kOther);
    return Proof{.state = static_cast<Proof::State>(number_within(document.at("state"), 0, kLast)),
                 .source = document.at("source").get<std::string>(),
                 .reason = document.at("reason").get<std::string>()};
  };
  return parse_own_json<Proof>(
      text, read, Error{.kind = ErrorKind::kMalformed, .path = {}, .what = "no proof"});
}

}  // namespace eviction::agent
