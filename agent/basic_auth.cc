// SPDX-License-Identifier: Apache-2.0
#include "agent/basic_auth.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <crypt.h>
#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "cgroup/key_value.h"

namespace eviction::agent {

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{1000};
constexpr std::chrono::milliseconds kLongestWait{60'000};
constexpr std::size_t kMostRefused = 64;

/// "$2y$10$" and 53 characters of salt and hash.
bool is_bcrypt(std::string_view hash) {
  constexpr std::size_t kLength = 60;
  constexpr std::size_t kHead = 7;
  constexpr std::string_view kDigits =
      "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  if (hash.size() != kLength || hash.find_first_not_of(kDigits, kHead) != std::string_view::npos) {
    return false;
  }
  const std::string_view kind = hash.substr(0, 4);
  const std::string_view cost = hash.substr(4, 2);
  const bool cheap = cost == "10" || (cost[0] == '0' && cost[1] >= '4' && cost[1] <= '9');
  return (kind == "$2a$" || kind == "$2b$" || kind == "$2y$") && cheap && hash[kHead - 1] == '$';
}

tl::unexpected<Error> malformed_line(const std::string& path, std::size_t line, std::string what) {
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = path,
                              .line = line,
                              .what = std::move(what),
                              .remedy = "write it with htpasswd -B -C 10"}};
}

}  // namespace

Result<std::vector<PasswordEntry>> parse_password_file(std::string_view text,
                                                       const std::string& path) {
  std::vector<PasswordEntry> entries;
  for (cgroup::Lines lines{text}; lines.next();) {
    std::string_view line = lines.line();
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      return malformed_line(path, lines.number(), "is not USER:HASH");
    }
    PasswordEntry entry{std::string{line.substr(0, colon)}, std::string{line.substr(colon + 1)}};
    if (!is_bcrypt(entry.hash)) {
      return malformed_line(
          path, lines.number(), "the hash is not one of bcrypt with a cost of 4 to 10");
    }
    if (std::ranges::find(entries, entry.user, &PasswordEntry::user) != entries.end()) {
      return malformed_line(path, lines.number(), "a user is given twice");
    }
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    return malformed_line(path, 0, "no user is in it");
  }
  return entries;
}

Result<BasicAuth> BasicAuth::create(std::vector<PasswordEntry> entries) {
  // Looked up when it is needed: its name differs between distributions, and few need it.
  for (const char* name : {"libcrypt.so.2", "libcrypt.so.1"}) {
    void* const library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    void* const symbol = library == nullptr ? nullptr : ::dlsym(library, "crypt_r");
    if (symbol != nullptr) {
      return BasicAuth{std::move(entries), reinterpret_cast<Crypt>(symbol)};
    }
  }
  return tl::unexpected{Error{.kind = ErrorKind::kAbsent,
                              .path = {},
                              .what = "no libcrypt is there to check passwords with",
                              .remedy = "install libcrypt1 or libxcrypt, or take basic-auth-file "
                                        "out of the configuration"}};
}

BasicAuth::BasicAuth(std::vector<PasswordEntry> entries, Crypt crypt)
    : entries_{std::move(entries)}, crypt_{crypt} {
  // Ignored because without it a digest is as good as the password was, in memory of our own.
  static_cast<void>(RAND_bytes(salt_.data(), static_cast<int>(salt_.size())));
}

BasicAuth::Answer BasicAuth::ask(std::string_view peer,
                                 std::string_view user,
                                 std::string_view password,
                                 std::chrono::milliseconds now) {
  const Digest asked = digest(user, password);
  const bool known = std::ranges::any_of(accepted_, [&asked](const Digest& digest) {
    return CRYPTO_memcmp(digest.data(), asked.data(), asked.size()) == 0;
  });
  if (known) {
    return Answer::kYes;
  }
  const auto refused = std::ranges::find(refused_, peer, &Refused::peer);
  const bool waits = refused != refused_.end() && now < refused->until;
  if (waits || (last_look_ && now - *last_look_ < kBetweenLooks)) {
    return Answer::kLater;
  }
  last_look_ = now;
  if (!matches(user, std::string{password})) {
    refuse(peer, now);
    return Answer::kNo;
  }
  if (refused != refused_.end()) {
    refused_.erase(refused);
  }
  if (accepted_.size() == entries_.size()) {
    accepted_.erase(accepted_.begin());
  }
  accepted_.push_back(asked);
  return Answer::kYes;
}

void BasicAuth::refuse(std::string_view peer, std::chrono::milliseconds now) {
  std::chrono::milliseconds wait = kBetweenLooks;
  const auto earlier = std::ranges::find(refused_, peer, &Refused::peer);
  if (earlier != refused_.end()) {
    wait = std::min(2 * earlier->wait, kLongestWait);
    refused_.erase(earlier);
  } else if (refused_.size() == kMostRefused) {
    refused_.pop_front();
  }
  refused_.push_back({.peer = std::string{peer}, .until = now + wait, .wait = wait});
}

BasicAuth::Digest BasicAuth::digest(std::string_view user, std::string_view password) const {
  std::string text{reinterpret_cast<const char*>(salt_.data()), salt_.size()};
  text.append(user).append(1, '\0').append(password);
  Digest digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    // Nothing is remembered then, and nothing recognised.
    static_cast<void>(RAND_bytes(digest.data(), static_cast<int>(digest.size())));
  }
  OPENSSL_cleanse(text.data(), text.size());
  return digest;
}

bool BasicAuth::matches(std::string_view user, const std::string& password) const {
  const auto named = std::ranges::find(entries_, user, &PasswordEntry::user);
  // A user who is not there costs as much time as one who is.
  const PasswordEntry& entry = named == entries_.end() ? entries_.front() : *named;
  const auto data = std::make_unique<crypt_data>();
  const char* const hash = crypt_(password.c_str(), entry.hash.c_str(), data.get());
  const bool same = hash != nullptr && entry.hash.size() == std::string_view{hash}.size() &&
                    CRYPTO_memcmp(hash, entry.hash.data(), entry.hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof *data);
  return same && named != entries_.end();
}

}  // namespace eviction::agent
