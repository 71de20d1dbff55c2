// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/fall_record.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace eviction::agent {

namespace {

constexpr double kFirstBucket = 1 << 20;
constexpr double kBucketsPerDoubling = 8;
constexpr std::chrono::minutes kLongestGap{1};
/// Far below what a double holds; then all weights are brought down to 1 again.
constexpr double kLargestUnit = 1e30;
constexpr double kKib = 1024;
constexpr double kPermyriad = 10'000;
constexpr int kParts = 64;

std::size_t bucket_of(Bytes amount) {
  const double ratio = static_cast<double>(amount.value()) / kFirstBucket;
  if (ratio <= 1) {
    return 0;
  }
  const auto bucket = static_cast<std::size_t>(std::ceil(kBucketsPerDoubling * std::log2(ratio)));
  return std::min(bucket, FallRecord::kBuckets - 1);
}

Bytes end_of(std::size_t bucket) {
  return Bytes{
      std::llround(kFirstBucket * std::exp2(static_cast<double>(bucket) / kBucketsPerDoubling))};
}

}  // namespace

FallRecord::FallRecord(std::chrono::milliseconds window, std::chrono::hours half_life)
    : window_{window}, half_life_{half_life} {}

void FallRecord::begin(const Look& look) {
  highest_.assign(1, look);
  window_begin_ = look.at;
  largest_in_window_ = Bytes{};
}

void FallRecord::remember(const Look& look) {
  const std::chrono::milliseconds part = std::max(window_ / kParts, std::chrono::milliseconds{1});
  if (!highest_.empty() && highest_.back().at / part == look.at / part) {
    highest_.back().at = look.at;
  } else {
    highest_.push_back(look);
  }
}

void FallRecord::see(std::chrono::milliseconds now, Bytes level) {
  const Look look{now, level};
  if (!last_ || now < last_->at || now - last_->at > kLongestGap) {
    last_ = look;
    begin(look);
    return;
  }
  // What fell between two looks may have fallen at any moment between them.
  const std::chrono::milliseconds since = last_->at - window_;
  while (!highest_.empty() && highest_.front().at < since) {
    highest_.pop_front();
  }
  while (!highest_.empty() && highest_.back().level <= level) {
    highest_.pop_back();
  }
  if (!highest_.empty()) {
    largest_in_window_ = std::max(largest_in_window_, highest_.front().level - level);
  }
  remember(look);
  watched_ += now - last_->at;
  last_ = look;
  if (now - window_begin_ >= window_) {
    close_window(now);
  }
}

void FallRecord::close_window(std::chrono::milliseconds now) {
  unit_ *= std::exp2(static_cast<double>((now - window_begin_).count()) /
                     static_cast<double>(half_life_.count()));
  if (largest_in_window_ > Bytes{}) {
    lost_.at(bucket_of(largest_in_window_)) +=
        static_cast<double>(largest_in_window_.value()) * unit_;
  }
  if (unit_ > kLargestUnit) {
    std::ranges::transform(lost_, lost_.begin(), [this](double lost) { return lost / unit_; });
    unit_ = 1;
  }
  window_begin_ = now;
  largest_in_window_ = Bytes{};
}

Bytes FallRecord::largest(int risk_permyriad) const {
  const double risk = risk_permyriad / kPermyriad;
  double above = risk * std::accumulate(lost_.begin(), lost_.end(), 0.0);
  for (std::size_t bucket = kBuckets; bucket-- > 0;) {
    above -= lost_.at(bucket);
    const double one_fall = static_cast<double>(end_of(bucket).value()) * unit_;
    if (above < 0 && lost_.at(bucket) >= risk * one_fall) {
      return end_of(bucket);
    }
  }
  return Bytes{};
}

Bytes FallRecord::lost() const {
  constexpr double kMost = 0x1p60;  // of whatever a checkpoint says
  return Bytes{
      std::llround(std::min(std::accumulate(lost_.begin(), lost_.end(), 0.0) / unit_, kMost))};
}

FallCheckpoint FallRecord::checkpoint() const {
  FallCheckpoint checkpoint{.watched = std::chrono::duration_cast<std::chrono::seconds>(watched_),
                            .lost_kib = {}};
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const std::int64_t kib = std::llround(lost_.at(bucket) / unit_ / kKib);
    if (kib > 0) {
      checkpoint.lost_kib[bucket] = kib;
    }
  }
  return checkpoint;
}

void FallRecord::restore(const FallCheckpoint& checkpoint) {
  last_.reset();
  highest_.clear();
  watched_ = checkpoint.watched;
  lost_.fill(0);
  unit_ = 1;
  for (const auto& [bucket, kib] : checkpoint.lost_kib) {
    lost_.at(std::min(bucket, kBuckets - 1)) += static_cast<double>(kib) * kKib;
  }
}

}  // namespace eviction::agent
