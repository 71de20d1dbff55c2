// SPDX-License-Identifier: Apache-2.0
#include "agent/status_file.h"

#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "agent/json_fields.h"
#include "agent/live_node.h"
#include "agent/page.h"
#include "agent/render.h"
#include "agent/target_files.h"
#include "config/atomic_file.h"
#include "config/utc_time.h"

namespace eviction::agent {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kStatusFile = "status.json";

void put_transaction(ordered_json& object, const Status& status) {
  if (!status.transaction) {
    put_absent(object, "transaction", "none is under way");
  } else {
    object["transaction"] = {{"phase", to_text(status.transaction->phase)},
                             {"file", status.transaction->file},
                             {"pods", status.transaction->pods.size()}};
  }
  object["transaction_reason"] = status.transaction_reason;
}

void put_in_force(ordered_json& object, const Status& status) {
  if (!status.in_force) {
    put_absent(
        object,
        "in_force",
        "no value of the agent's is in the kubelet's file, or the kubelet was not asked yet");
  } else {
    object["in_force"] = {{"state", to_text(status.in_force->state)},
                          {"source", status.in_force->source},
                          {"reason", status.in_force->reason}};
  }
}

ordered_json record_json(const Status& status) {
  ordered_json record{{"restarts_last_day", restarts_within_a_day(status.record, status.at)},
                      {"failures", status.record.failures}};
  if (status.record.last_failure) {
    record["last_failure"] = config::to_utc(*status.record.last_failure);
    record["last_failure_reason"] = status.record.last_failure_reason;
  }
  record["refused"] = restart_refused(status.record, status.at);
  return record;
}

void put_number(ordered_json& object,
                const std::string& key,
                const std::optional<double>& number,
                std::string_view reason) {
  if (number) {
    object[key] = *number;
  } else {
    put_absent(object, key, reason);
  }
}

void put_time(ordered_json& object,
              const std::string& key,
              const std::optional<std::chrono::seconds>& time) {
  if (time) {
    object[key] = time->count();
  } else {
    put_absent(object, key, "later than the longest horizon, or no probability is known");
  }
}

std::string bytes_at(const ordered_json& document, const char* pointer) {
  const ordered_json::json_pointer where{pointer};
  return document.contains(where) && document[where].is_number_integer()
             ? to_human(Bytes{document[where].get<std::int64_t>()})
             : std::string{"-"};
}

std::int64_t number_at(const ordered_json& document, const char* pointer) {
  const ordered_json::json_pointer where{pointer};
  return document.contains(where) && document[where].is_number_integer()
             ? document[where].get<std::int64_t>()
             : 0;
}

std::string row(std::string_view head, const std::string& text) {
  return paragraph(fmt::format("{:<13}", head), text.empty() ? "-" : text);
}

std::string growth_text(const ordered_json& status) {
  const ordered_json::json_pointer weight{"/plan/sizing/growth/learned_weight"};
  return fmt::format("{}: prior {}, learned {} with weight {:.0f} %",
                     bytes_at(status, "/plan/sizing/growth/bytes"),
                     bytes_at(status, "/plan/sizing/growth/prior_bytes"),
                     bytes_at(status, "/plan/sizing/growth/learned_bytes"),
                     status.contains(weight) && status[weight].is_number()
                         ? 100 * status[weight].get<double>()
                         : 0);
}

/// "30s 1 %, 1min 2 %, 5min 12 %, 15min unknown".
std::string forecast_text(const ordered_json& status) {
  const ordered_json::json_pointer where{"/forecast/horizons"};
  std::string text;
  for (const ordered_json& horizon :
       status.contains(where) ? status[where] : ordered_json::array()) {
    const ordered_json& probability = horizon.at("probability");
    text += (text.empty() ? "" : ", ") +
            to_horizon(std::chrono::seconds{horizon.at("horizon_seconds").get<int>()}) + ' ' +
            (probability.is_number() ? fmt::format("{:.1f} %", 100 * probability.get<double>())
                                     : std::string{"unknown"});
  }
  return text;
}

std::string guards_rows(const ordered_json& status) {
  std::string rows;
  const ordered_json::json_pointer where{"/plan/guards"};
  if (!status.contains(where)) {
    return rows;
  }
  for (const ordered_json& guard : status[where]) {
    const ordered_json& ok = guard.at("ok");
    if (!ok.is_boolean() || !ok.get<bool>()) {
      rows += row(rows.empty() ? "guards" : "",
                  (ok.is_null() ? "?  " : "NO ") + text_at(guard, "/name") + ": " +
                      text_at(guard, "/reason"));
    }
  }
  return rows.empty() ? row("guards", "all hold") : rows;
}

/// How long ago it was written. Absent: it does not say.
std::optional<std::chrono::seconds> age_of(const ordered_json& status) {
  const auto written = config::parse_utc(text_at(status, "/written"));
  return written ? std::optional{wall_now() - *written} : std::nullopt;
}

}  // namespace

ordered_json to_json(const Forecast& forecast) {
  ordered_json horizons = ordered_json::array();
  for (const HorizonForecast& horizon : forecast.horizons) {
    ordered_json object{{"horizon_seconds", horizon.horizon.count()}};
    put_number(object, "probability", horizon.probability, horizon.absent);
    constexpr const char* kNoScore = "nothing that was predicted is over yet";
    put_number(object, "brier", horizon.brier, kNoScore);
    put_number(object, "base_rate_brier", horizon.base_rate_brier, kNoScore);
    horizons.push_back(std::move(object));
  }
  ordered_json document{{"horizons", std::move(horizons)}};
  put_time(document, "median_seconds", forecast.median);
  put_time(document, "worst_decile_seconds", forecast.worst_decile);
  return document;
}

ordered_json to_json(const Status& status, const Plan& plan) {
  ordered_json object{
      {"pid", status.pid},
      {"written", config::to_utc(status.at)},
      {"mode", config::to_text(status.mode)},
      {"decision", {{"act", to_text(status.decision.act)}, {"reason", status.decision.reason}}}};
  put_transaction(object, status);
  put_in_force(object, status);
  object["record"] = record_json(status);
  object["forecast"] = to_json(status.forecast);
  object["early_warning"] = {{"on", status.warning}, {"reason", status.warning_reason}};
  object["problems"] = status.problems;
  object["plan"] = to_json(plan);
  return object;
}

Result<void> save_status(const cgroup::Directory& root, const Status& status, const Plan& plan) {
  const Result<cgroup::Directory> folder = config::make_folder(root, kRunFolder);
  if (!folder) {
    return tl::unexpected{folder.error()};
  }
  const std::string text =
      to_json(status, plan).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
  const auto written = config::write_atomically(*folder, kStatusFile, text);
  return written ? Result<void>{} : tl::unexpected{written.error()};
}

Result<ordered_json> load_status(const cgroup::Directory& root) {
  const std::string path = std::string{kRunFolder} + '/' + kStatusFile;
  const Result<bool> runs = HostLock::is_held(root, kRunLock);
  if (!runs) {
    return tl::unexpected{runs.error()};
  }
  if (!*runs) {
    return tl::unexpected{Error{.kind = ErrorKind::kAbsent,
                                .path = {},
                                .what = "no daemon runs on this node",
                                .remedy = "systemctl start eviction-agent, or eviction-agent run"}};
  }
  cgroup::Buffer buffer;
  const Result<std::string_view> text = root.read(path, buffer);
  if (!text) {
    Error error = text.error();
    if (error.kind == ErrorKind::kAbsent) {
      error.what = "the daemon that runs on this node could not write it yet";
      error.remedy = "if it lasts, make room on that file system; the daemon's log says more";
    }
    return tl::unexpected{std::move(error)};
  }
  ordered_json status = ordered_json::parse(*text, nullptr, false);
  if (!status.is_object()) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = root.path_of(path),
                                .what = "it is no status of eviction-agent",
                                .remedy = "restart the daemon"}};
  }
  if (const auto age = age_of(status); !age || *age > kOldestLook) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kAbsent,
              .path = root.path_of(path),
              .what = age ? fmt::format("the daemon wrote this {} s ago, more than {} s",
                                        age->count(),
                                        std::chrono::seconds{kOldestLook}.count())
                          : "it does not say when it was written",
              .remedy = "look whether that file system is full, and at the daemon's log; else "
                        "restart the daemon"}};
  }
  return status;
}

std::string status_table(const ordered_json& status) {
  std::string text =
      row("daemon",
          fmt::format("pid {}, mode {}, as of {}",
                      number_at(status, "/pid"),
                      text_at(status, "/mode"),
                      text_at(status, "/written"))) +
      row("decision",
          text_at(status, "/decision/act") + ": " + text_at(status, "/decision/reason"));
  const std::string phase = text_at(status, "/transaction/phase");
  const std::string reason = text_at(status, "/transaction_reason");
  text += row("transaction",
              phase.empty() ? (reason.empty() ? "none" : "none; the last one: " + reason)
                            : phase + ": " + reason);
  text += row("record",
              fmt::format("{} restarts of the kubelet in the last 24 h, {} failures in a row{}",
                          number_at(status, "/record/restarts_last_day"),
                          number_at(status, "/record/failures"),
                          text_at(status, "/record/refused").empty()
                              ? ""
                              : "; " + text_at(status, "/record/refused")));
  text += row("value",
              fmt::format("instrument {}, hard {}, soft {}, reclaim {}, need {}",
                          text_at(status, "/plan/sizing/instrument"),
                          bytes_at(status, "/plan/sizing/hard_bytes"),
                          bytes_at(status, "/plan/sizing/soft_bytes"),
                          bytes_at(status, "/plan/sizing/reclaim_bytes"),
                          bytes_at(status, "/plan/sizing/need_bytes")));
  text += row("growth", growth_text(status));
  text += row("file", text_at(status, "/plan/kubelet/file"));
  if (const std::string state = text_at(status, "/in_force/state"); !state.empty()) {
    text += row("in force",
                fmt::format("{} by {}: {}",
                            state,
                            text_at(status, "/in_force/source"),
                            text_at(status, "/in_force/reason")));
  }
  text += row("memory",
              fmt::format("the kubelet calls {} available, the kernel can give {}",
                          bytes_at(status, "/plan/memory/kubelet_available_bytes"),
                          bytes_at(status, "/plan/memory/mem_available_bytes")));
  text += row("forecast", "the threshold is reached within " + forecast_text(status));
  text += row(status.contains("early_warning") && status["early_warning"]["on"] == true ? "WARNING"
                                                                                        : "warning",
              text_at(status, "/early_warning/reason"));
  text += guards_rows(status);
  if (status.contains("problems") && status["problems"].is_array()) {
    for (const ordered_json& problem : status["problems"]) {
      text += row("problem", problem.is_string() ? problem.get<std::string>() : problem.dump());
    }
  }
  return text;
}

}  // namespace eviction::agent
