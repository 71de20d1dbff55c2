// SPDX-License-Identifier: Apache-2.0
#include "agent/growth_file.h"

#include <charconv>
#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/own_json.h"

namespace eviction::agent {

namespace {

using nlohmann::json;

constexpr std::chrono::minutes kSaveInterval{10};
/// More than a node of 8 PiB could lose within a year; far from what a double or KiB overflow at.
constexpr std::int64_t kMostKib = std::int64_t{1} << 50;
constexpr std::int64_t kMostCapacity = std::int64_t{1} << 53;
constexpr std::int64_t kPermyriad = 10'000;

std::size_t bucket_of(const std::string& key) {
  std::size_t bucket = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), bucket);
  if (error != std::errc{} || end != key.data() + key.size() || bucket >= FallRecord::kBuckets ||
      std::to_string(bucket) != key) {
    throw json::other_error::create(501, "no bucket: " + key, nullptr);
  }
  return bucket;
}

FallCheckpoint fall_from(const json& document) {
  FallCheckpoint fall;
  fall.watched = std::chrono::seconds{whole_seconds(document.at("watched_seconds"))};
  const json& lost = document.at("lost_kib");
  if (!lost.is_object()) {
    throw json::other_error::create(501, "lost_kib is no object", nullptr);
  }
  for (const auto& [key, kib] : lost.items()) {
    fall.lost_kib[bucket_of(key)] = number_within(kib, 0, kMostKib);
  }
  return fall;
}

GrowthCheckpoint from_json(const json& document) {
  GrowthCheckpoint checkpoint;
  checkpoint.capacity = Bytes{number_within(document.at("capacity_bytes"), 0, kMostCapacity)};
  checkpoint.vm_share_permyriad =
      static_cast<int>(number_within(document.at("vm_share_permyriad"), 0, kPermyriad));
  for (const FallKind kind : kFallKinds) {
    checkpoint.falls.at(static_cast<std::size_t>(kind)) =
        fall_from(document.at("falls").at(std::string{to_text(kind)}));
  }
  return checkpoint;
}

}  // namespace

std::string render_growth(const GrowthCheckpoint& checkpoint) {
  json falls = json::object();
  for (const FallKind kind : kFallKinds) {
    const FallCheckpoint& fall = checkpoint.falls.at(static_cast<std::size_t>(kind));
    json lost = json::object();
    for (const auto& [bucket, kib] : fall.lost_kib) {
      lost[std::to_string(bucket)] = kib;
    }
    falls[std::string{to_text(kind)}] = {{"watched_seconds", fall.watched.count()},
                                         {"lost_kib", std::move(lost)}};
  }
  const json document{{"version", kOwnVersion},
                      {"capacity_bytes", checkpoint.capacity.value()},
                      {"vm_share_permyriad", checkpoint.vm_share_permyriad},
                      {"falls", std::move(falls)}};
  return document.dump(2) + '\n';
}

Result<GrowthCheckpoint> parse_growth(std::string_view text, const std::string& path) {
  return parse_own_json(text,
                        from_json,
                        Error{.kind = ErrorKind::kMalformed,
                              .path = path,
                              .what = "it is no record of growth of eviction-agent"});
}

Result<GrowthCheckpoint> learned_growth(const cgroup::Directory& root) {
  return peek_own(root, std::string{kGrowthFile}, parse_growth);
}

Loaded<GrowthCheckpoint> load_growth(const cgroup::Directory& root) {
  return load_own(root, std::string{kGrowthFile}, parse_growth);
}

Result<void> save_growth(const cgroup::Directory& root, const GrowthCheckpoint& checkpoint) {
  return save_own(root, std::string{kGrowthFile}, render_growth(checkpoint));
}

Result<void> KeptGrowth::open(const cgroup::Directory& root) {
  root_ = &root;
  Loaded<GrowthCheckpoint> loaded = load_growth(root);
  history_.restore(loaded.value);
  return loaded.problem ? tl::unexpected{std::move(*loaded.problem)} : Result<void>{};
}

Result<void> KeptGrowth::keep(std::chrono::milliseconds since_boot) {
  if (since_boot >= saved_ && since_boot - saved_ < kSaveInterval) {
    return {};
  }
  saved_ = since_boot;
  return save();
}

Result<void> KeptGrowth::save() {
  return root_ == nullptr ? Result<void>{} : save_growth(*root_, history_.checkpoint());
}

}  // namespace eviction::agent
