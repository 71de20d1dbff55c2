// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "agent/recording/archive.h"
#include "agent/recording/recording.h"

namespace eviction::tests {

/// What a recording tells, to be compared.
struct Told {
  std::vector<agent::Moment> moments;
  std::vector<std::string> archives;  ///< empty: a cheap look
  std::vector<std::optional<agent::GrowthCheckpoint>> learned;
};

inline Told told_by(std::string_view text) {
  Told told;
  const auto read = agent::read_recording(text, [&told](const agent::Moment& moment) {
    told.moments.push_back(moment);
    told.archives.push_back(moment.seen == nullptr ? "" : agent::to_archive(*moment.seen));
    told.learned.push_back(moment.learned == nullptr ? std::nullopt
                                                     : std::optional{*moment.learned});
  });
  EXPECT_TRUE(read);
  return told;
}

inline bool same(const agent::Moment& one, const agent::Moment& other) {
  return one.at == other.at && one.since_boot == other.since_boot &&
         one.mem_total == other.mem_total && one.mem_available == other.mem_available;
}

inline agent::Moment moment_at(int second,
                               std::optional<Bytes> available,
                               const agent::Observation* seen = nullptr) {
  return {.at = std::chrono::sys_seconds{std::chrono::seconds{1'800'000'000 + second}},
          .since_boot = std::chrono::seconds{5000 + second},
          .mem_total = 4_GiB,
          .mem_available = available,
          .seen = seen};
}

inline agent::GrowthCheckpoint checkpoint_of(Bytes capacity) {
  agent::GrowthCheckpoint checkpoint{.capacity = capacity, .vm_share_permyriad = 2500};
  checkpoint.falls[0] = {.watched = std::chrono::seconds{86'400}, .lost_kib = {{7, 4096}}};
  return checkpoint;
}

/// A record of that content, understood or not.
inline std::string record_of(const std::string& body) {
  std::string record = static_cast<char>(body.size()) + body;
  std::uint32_t sum = agent::checksum(body);
  for (int i = 0; i < 4; ++i, sum >>= 8) {
    record += static_cast<char>(sum & 0xff);
  }
  return record;
}

}  // namespace eviction::tests
