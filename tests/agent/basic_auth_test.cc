// SPDX-License-Identifier: Apache-2.0
#include "agent/basic_auth.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eviction::agent {
namespace {

using Answer = BasicAuth::Answer;
using std::chrono::milliseconds;

/// Of "secret", by crypt(3).
const std::string kHash = "$2b$04$.k3VH8ER4jMTsyQF3bYaWOCvJ0/rjwbdhNh9DLIkFHegRUIxMvcyS";

std::string error_of(const std::string& text) {
  const auto entries = parse_password_file(text, "users");
  return entries ? "no error" : to_text(entries.error());
}

TEST(PasswordFile, HasUsersAndHashes) {
  const auto entries = parse_password_file("# who\n\na:" + kHash + "\r\nb:" + kHash, "users");
  ASSERT_TRUE(entries) << to_text(entries.error());
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].user, "a");
  EXPECT_EQ((*entries)[1].hash, kHash);
}

TEST(PasswordFile, NamesTheLineThatIsWrong) {
  EXPECT_THAT(error_of(""), testing::StartsWith("users: no user is in it"));
  EXPECT_THAT(error_of("#\na\n"), testing::StartsWith("users:2: is not USER:HASH"));
  EXPECT_THAT(error_of(":" + kHash), testing::StartsWith("users:1: is not USER:HASH"));
  EXPECT_THAT(error_of("a:" + kHash + "\na:" + kHash), testing::StartsWith("users:2: a user"));
  for (const std::string& hash : {std::string{"secret"},
                                  std::string{"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="},
                                  std::string{"$6$salt$hash"},
                                  kHash + "x",
                                  kHash.substr(1),
                                  "$2b$11$" + kHash.substr(7),
                                  "$2b$31$" + kHash.substr(7),
                                  "$2b$03$" + kHash.substr(7),
                                  "$2b$0:$" + kHash.substr(7),
                                  "$2x$04$" + kHash.substr(7),
                                  "$2b$04$:" + kHash.substr(8)}) {
    EXPECT_THAT(error_of("a:" + hash), testing::StartsWith("users:1: the hash is not one")) << hash;
  }
}

RC_GTEST_PROP(PasswordFile, TakesAnyTextWithoutHarm, (const std::string& text)) {
  const auto entries = parse_password_file(text, "users");
  const bool sound = entries ? !entries->empty() : entries.error().kind == ErrorKind::kMalformed;
  RC_ASSERT(sound);
}

BasicAuth make_users() {
  return *BasicAuth::create({{"a", kHash}, {"b", kHash}});
}

TEST(BasicAuth, KnowsItsUsers) {
  BasicAuth users = make_users();
  EXPECT_EQ(users.ask("x", "a", "secret", milliseconds{0}), Answer::kYes);
  EXPECT_EQ(users.ask("y", "b", "secret", milliseconds{2000}), Answer::kYes);
  EXPECT_EQ(users.ask("x", "a", "Secret", milliseconds{4000}), Answer::kNo);
  EXPECT_EQ(users.ask("z", "c", "secret", milliseconds{6000}), Answer::kNo);
  EXPECT_EQ(users.ask("w", "", "", milliseconds{8000}), Answer::kNo);
}

TEST(BasicAuth, LooksAtOnePasswordASecondUnlessItKnowsIt) {
  BasicAuth users = make_users();
  EXPECT_EQ(users.ask("x", "a", "secret", milliseconds{0}), Answer::kYes);
  EXPECT_EQ(users.ask("x", "a", "guess", milliseconds{999}), Answer::kLater);
  EXPECT_EQ(users.ask("x", "a", "guess", milliseconds{1000}), Answer::kNo);
  EXPECT_EQ(users.ask("y", "b", "secret", milliseconds{1001}), Answer::kLater);
  EXPECT_EQ(users.ask("x", "a", "secret", milliseconds{1002}), Answer::kYes);
  EXPECT_EQ(users.ask("y", "b", "secret", milliseconds{2000}), Answer::kYes);
}

TEST(BasicAuth, DoesNotLetOneAddressTakeAllTurns) {
  BasicAuth users = make_users();
  const auto guess = [&users](const char* peer, int now) {
    return users.ask(peer, "a", "guess", milliseconds{now});
  };
  EXPECT_EQ(guess("x", 0), Answer::kNo);
  EXPECT_EQ(guess("x", 1000), Answer::kNo);
  EXPECT_EQ(guess("x", 2999), Answer::kLater);
  EXPECT_EQ(guess("x", 3000), Answer::kNo);
  EXPECT_EQ(guess("x", 6999), Answer::kLater);
  EXPECT_EQ(users.ask("y", "a", "secret", milliseconds{6999}), Answer::kYes);
  int looks = 0;
  for (int now = 7000; now < 607'000; now += 20) {
    looks += guess("x", now) == Answer::kNo ? 1 : 0;
  }
  EXPECT_EQ(looks, 13);  // 8, 16 and 32 s, then once a minute
  EXPECT_EQ(users.ask("x", "b", "secret", milliseconds{700'000}), Answer::kYes);
  EXPECT_EQ(guess("x", 701'000), Answer::kNo);
  EXPECT_EQ(guess("x", 702'000), Answer::kNo);
}

TEST(BasicAuth, KeepsTheLastAddressesOnly) {
  BasicAuth users = make_users();
  int now = 0;
  for (int i = 0; i < 200; ++i, now += 1000) {
    EXPECT_EQ(users.ask(std::to_string(i), "a", "guess", milliseconds{now}), Answer::kNo);
  }
  EXPECT_EQ(users.ask("0", "a", "guess", milliseconds{now}), Answer::kNo);
  EXPECT_EQ(users.ask("0", "a", "guess", milliseconds{now + 1000}), Answer::kNo);
  EXPECT_EQ(users.ask("0", "a", "guess", milliseconds{now + 2000}), Answer::kLater);
}

}  // namespace
}  // namespace eviction::agent
