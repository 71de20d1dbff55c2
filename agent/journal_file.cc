// SPDX-License-Identifier: Apache-2.0
#include "agent/journal_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include <nlohmann/json.hpp>

#include "agent/own_json.h"

namespace eviction::agent {

namespace {

using nlohmann::json;

constexpr std::array kPhases{Phase::kWrite,
                             Phase::kRestart,
                             Phase::kProof,
                             Phase::kWatch,
                             Phase::kPutBack,
                             Phase::kCommitted};

json optional_text(const std::optional<std::string>& text) {
  return text ? json(*text) : json(nullptr);
}

std::optional<std::string> text_or_null(const json& value) {
  return value.is_null() ? std::nullopt : std::optional{value.get<std::string>()};
}

json render_run(const KubeletRun& run) {
  return {{"boot_id", run.boot_id}, {"start_ticks", run.start}};
}

KubeletRun run_of(const json& value) {
  KubeletRun run;
  run.boot_id = value.at("boot_id").get<std::string>();
  run.start = static_cast<std::uint64_t>(
      number_within(value.at("start_ticks"), 0, std::numeric_limits<std::int64_t>::max()));
  return run;
}

Journal from_json(const json& document) {
  Journal journal;
  const std::string phase = document.at("phase").get<std::string>();
  const auto* const known =
      std::ranges::find_if(kPhases, [&phase](Phase one) { return to_text(one) == phase; });
  if (known == kPhases.end()) {
    throw json::other_error::create(501, "no phase is called " + phase, nullptr);
  }
  journal.phase = *known;
  journal.since = std::chrono::seconds{whole_seconds(document.at("since_seconds"))};
  journal.boot_id = document.at("boot_id").get<std::string>();
  journal.file = document.at("file").get<std::string>();
  journal.before = text_or_null(document.at("before"));
  journal.after = text_or_null(document.at("after"));
  journal.kubelet = run_of(document.at("kubelet"));
  // Optional: a journal of an agent that knew one kind of restart is to be understood, too.
  journal.whole_service = document.value("whole_service", false);
  journal.pods = document.at("pods").get<std::vector<std::string>>();
  journal.restarted_again = document.at("restarted_again").get<bool>();
  journal.failure = document.at("failure").get<std::string>();
  if (const json& proven = document.at("proven"); !proven.is_null()) {
    journal.proven = run_of(proven);
  }
  journal.withdrawn = document.at("withdrawn").get<bool>();
  return journal;
}

}  // namespace

std::string journal_path(const std::string& file) {
  return file + ".journal";
}

std::string render_journal(const Journal& journal) {
  const json document{{"version", kOwnVersion},
                      {"phase", std::string{to_text(journal.phase)}},
                      {"since_seconds", journal.since.count()},
                      {"boot_id", journal.boot_id},
                      {"file", journal.file},
                      {"before", optional_text(journal.before)},
                      {"after", optional_text(journal.after)},
                      {"kubelet", render_run(journal.kubelet)},
                      {"whole_service", journal.whole_service},
                      {"pods", journal.pods},
                      {"restarted_again", journal.restarted_again},
                      {"failure", journal.failure},
                      {"proven", journal.proven ? render_run(*journal.proven) : json(nullptr)},
                      {"withdrawn", journal.withdrawn}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

Result<Journal> parse_journal(std::string_view text, const std::string& path) {
  return parse_own_json(
      text,
      from_json,
      Error{.kind = ErrorKind::kMalformed,
            .path = path,
            .what = "it is no journal of a transaction",
            .remedy = "check the file it stands beside, then remove the journal"});
}

Result<std::optional<Journal>> read_journal(const cgroup::Directory& root,
                                            const std::string& file) {
  const std::string path = journal_path(file);
  cgroup::Buffer buffer;
  const Result<std::string_view> text = root.read(path, buffer);
  if (!text) {
    if (text.error().kind == ErrorKind::kAbsent) {
      return std::optional<Journal>{};
    }
    return tl::unexpected{text.error()};
  }
  Result<Journal> journal = parse_journal(*text, root.path_of(path));
  if (!journal) {
    return tl::unexpected{std::move(journal.error())};
  }
  return std::optional{std::move(*journal)};
}

}  // namespace eviction::agent
