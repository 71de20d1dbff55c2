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
  EXPECT_EQ(users.ask("a", "secret", milliseconds{0}), Answer::kYes);
  EXPECT_EQ(users.ask("b", "secret", milliseconds{2000}), Answer::kYes);
  EXPECT_EQ(users.ask("a", "Secret", milliseconds{4000}), Answer::kNo);
  EXPECT_EQ(users.ask("c", "secret", milliseconds{6000}), Answer::kNo);
  EXPECT_EQ(users.ask("", "", milliseconds{8000}), Answer::kNo);
}

TEST(BasicAuth, LooksAtOnePasswordASecondUnlessItKnowsIt) {
  BasicAuth users = make_users();
  EXPECT_EQ(users.ask("a", "secret", milliseconds{0}), Answer::kYes);
  EXPECT_EQ(users.ask("a", "guess", milliseconds{999}), Answer::kLater);
  EXPECT_EQ(users.ask("a", "guess", milliseconds{1000}), Answer::kNo);
  EXPECT_EQ(users.ask("b", "secret", milliseconds{1001}), Answer::kLater);
  EXPECT_EQ(users.ask("a", "secret", milliseconds{1002}), Answer::kYes);
  EXPECT_EQ(users.ask("b", "secret", milliseconds{2000}), Answer::kYes);
}

}  // namespace
}  // namespace eviction::agent
