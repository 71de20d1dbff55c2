// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/result.h"

namespace eviction::agent {

struct PasswordEntry {
  std::string user;
  std::string hash;  ///< of crypt(3), bcrypt: "$2y$10$..."
};

/// Lines of USER:HASH; empty lines and those that begin with # are passed over. Errors: kMalformed
/// with the line: no such pair, a user twice, a hash that is not bcrypt of cost 4 to 10 (a dearer
/// one would hold up the daemon); no line at all.
[[nodiscard]] Result<std::vector<PasswordEntry>> parse_password_file(std::string_view text,
                                                                     const std::string& path);

/// Says who may read. A password costs up to 0.1 s to check, in the daemon's only thread: so what
/// was right once is remembered, and of the others only one is looked at in a second. An address
/// with a wrong one waits for 1 s, then 2 s, up to a minute, so that it does not take all the
/// turns.
class BasicAuth {
 public:
  /// Errors: kAbsent when the system has no libcrypt.
  [[nodiscard]] static Result<BasicAuth> create(std::vector<PasswordEntry> entries);

  enum class Answer {
    kYes,
    kNo,
    kLater,  ///< not looked at: ask again later
  };

  /// peer: the client's address in any form. now: of any steady clock.
  [[nodiscard]] Answer ask(std::string_view peer,
                           std::string_view user,
                           std::string_view password,
                           std::chrono::milliseconds now);

 private:
  using Digest = std::array<unsigned char, 32>;
  using Crypt = char* (*)(const char* phrase, const char* setting, void* data);

  /// An address whose last password was wrong.
  struct Refused {
    std::string peer;
    std::chrono::milliseconds until;
    std::chrono::milliseconds wait;
  };

  BasicAuth(std::vector<PasswordEntry> entries, Crypt crypt);

  void refuse(std::string_view peer, std::chrono::milliseconds now);

  [[nodiscard]] Digest digest(std::string_view user, std::string_view password) const;
  [[nodiscard]] bool matches(std::string_view user, const std::string& password) const;

  std::vector<PasswordEntry> entries_;
  Crypt crypt_;
  Digest salt_{};                 ///< so that no digest is worth anything elsewhere
  std::vector<Digest> accepted_;  ///< at most as many as entries
  std::optional<std::chrono::milliseconds> last_look_;
  std::deque<Refused> refused_;  ///< the last of them, the latest at the end
};

}  // namespace eviction::agent
