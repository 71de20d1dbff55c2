// SPDX-License-Identifier: Apache-2.0
#include "agent/incident_json.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/json_fields.h"
#include "agent/page.h"
#include "config/utc_time.h"

namespace eviction::agent {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kNotSeen = "the agent had not seen the pod";
constexpr std::string_view kNotTold = "the source does not tell";

ordered_json victim_json(const Victim& victim) {
  ordered_json json;
  put_text(json, "uid", victim.uid, "it was in no pod");
  put_text(json, "namespace", victim.name_space, kNotSeen);
  put_text(json, "name", victim.name, kNotSeen);
  put_text(json, "class", victim.workload ? to_text(*victim.workload) : "", kNotSeen);
  put_text(json, "container", victim.container, kNotTold);
  put_text(json, "process", printable(victim.process), kNotTold);
  if (victim.pid) {
    json["pid"] = *victim.pid;
  } else {
    put_absent(json, "pid", kNotTold);
  }
  put_text(json, "cgroup", victim.cgroup, kNotTold);
  put(json, "usage_bytes", victim.usage, kNotSeen);
  put(json, "working_set_bytes", victim.working_set, kNotSeen);
  put(json,
      "request_bytes",
      victim.request ? std::optional{victim.request->high} : std::nullopt,
      kNotSeen);
  if (victim.request) {
    json["request_source"] = to_text(victim.request->source);
  }
  put(json, "limit_bytes", victim.limit, "it had none, or the agent had not seen the pod");
  return json;
}

ordered_json limit_json(const ReachedLimit& limit) {
  ordered_json json;
  put_text(json, "cgroup", limit.cgroup, kNotTold);
  put(json, "bytes", limit.bytes, kNotTold);
  put(json, "usage_bytes", limit.usage, kNotTold);
  return json;
}

ordered_json sample_json(const MemorySample& sample) {
  ordered_json json{{"time", config::to_utc(sample.at)}};
  put(json, "kubelet_available_bytes", sample.kubelet_available, "no full look before it");
  put(json, "mem_available_bytes", sample.mem_available, "/proc/meminfo does not tell");
  return json;
}

}  // namespace

ordered_json to_json(const Incident& incident) {
  ordered_json json{{"time", config::to_utc(incident.at)},
                    {"kind", to_text(incident.kind)},
                    {"cause", to_text(incident.cause)},
                    {"source", incident.source},
                    {"what", printable(incident.what)}};
  put_text(json, "prevention", incident.prevention, "it is no loss to be prevented");
  if (incident.victim) {
    json["victim"] = victim_json(*incident.victim);
  } else {
    put_absent(json, "victim", "nobody was killed");
  }
  if (incident.limit) {
    json["limit"] = limit_json(*incident.limit);
  } else {
    put_absent(json, "limit", "no limit was reached");
  }
  json["before"] = ordered_json::array();
  for (const MemorySample& sample : incident.before) {
    json["before"].push_back(sample_json(sample));
  }
  if (!incident.guard.empty()) {
    json["guard"] = incident.guard;
  }
  if (incident.sequence) {
    json["boot_id"] = incident.boot_id;
    json["sequence"] = *incident.sequence;
  }
  return json;
}

std::string render_incident(const Incident& incident) {
  return to_json(incident).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Result<ordered_json> parse_incident(std::string_view line) {
  ordered_json json = ordered_json::parse(line, nullptr, false);
  if (!json.is_object() || !config::parse_utc(text_at(json, "/time")) ||
      text_at(json, "/kind").empty() || text_at(json, "/cause").empty()) {
    return tl::unexpected{
        Error{.kind = ErrorKind::kMalformed, .path = {}, .what = "it is no record of an incident"}};
  }
  return json;
}

std::vector<systemd::JournalField> journal_fields(const Incident& incident) {
  std::vector<systemd::JournalField> fields{
      {"EVICTION_AGENT_KIND", std::string{to_text(incident.kind)}},
      {"EVICTION_AGENT_CAUSE", std::string{to_text(incident.cause)}},
      {"EVICTION_AGENT_SOURCE", incident.source},
      {"EVICTION_AGENT_TIME", config::to_utc(incident.at)}};
  const auto add = [&fields](const char* name, std::string value) {
    if (!value.empty()) {
      fields.push_back({name, std::move(value)});
    }
  };
  add("EVICTION_AGENT_PREVENTION", incident.prevention);
  add("EVICTION_AGENT_GUARD", incident.guard);
  if (incident.victim) {
    const Victim& victim = *incident.victim;
    add("POD_UID", victim.uid);
    add("POD_NAMESPACE", victim.name_space);
    add("POD_NAME", victim.name);
    add("POD_CLASS", victim.workload ? std::string{to_text(*victim.workload)} : std::string{});
    add("CONTAINER_ID", victim.container);
    add("VICTIM_PID", victim.pid ? std::to_string(*victim.pid) : std::string{});
    add("VICTIM_CGROUP", victim.cgroup);
  }
  if (incident.limit) {
    add("LIMIT_CGROUP", incident.limit->cgroup);
    add("LIMIT_BYTES",
        incident.limit->bytes ? std::to_string(incident.limit->bytes->value()) : std::string{});
  }
  return fields;
}

std::string incidents_table(const std::vector<ordered_json>& incidents) {
  if (incidents.empty()) {
    return "no incidents\n";
  }
  constexpr std::size_t kCauseColumns = 17;  // "kubelet-eviction"
  std::string page;
  for (const ordered_json& incident : incidents) {
    std::string cause = cut(text_at(incident, "/cause"), kCauseColumns - 1);
    cause.resize(kCauseColumns, ' ');
    const std::string head = printable(text_at(incident, "/time")) + "  " + cause;
    page += paragraph(head, text_at(incident, "/what"));
    if (const std::string advice = text_at(incident, "/prevention"); !advice.empty()) {
      page += paragraph(std::string(head.size() - 3, ' ') + "-> ", advice);
    }
  }
  return page;
}

}  // namespace eviction::agent
