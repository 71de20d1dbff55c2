// SPDX-License-Identifier: Apache-2.0
#include "systemd/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace eviction::systemd {
namespace {

/// Each test has a standard error of its own, and JOURNAL_STREAM is unset after it.
class Journal : public testing::Test {
 protected:
  void SetUp() override { testing::internal::CaptureStderr(); }

  void TearDown() override {
    if (!captured_) {
      testing::internal::GetCapturedStderr();
    }
    set_journal_stream(std::nullopt);
  }

  static void set_journal_stream(const std::optional<std::string>& value) {
    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread
    if (value.has_value()) {
      setenv("JOURNAL_STREAM", value->c_str(), 1);
    } else {
      unsetenv("JOURNAL_STREAM");
    }
    // NOLINTEND(concurrency-mt-unsafe)
  }

  /// What was written to standard error. Once a test.
  std::string standard_error() {
    spdlog::default_logger()->flush();
    captured_ = true;
    return testing::internal::GetCapturedStderr();
  }

  static bool logs_to_journal() {
    const auto& sinks = spdlog::default_logger()->sinks();
    return sinks.size() == 1 &&
           std::dynamic_pointer_cast<spdlog::sinks::systemd_sink_mt>(sinks.front()) != nullptr;
  }

 private:
  bool captured_ = false;
};

/// As systemd writes it, see JOURNAL_STREAM in systemd.exec(5).
std::string stream_of_standard_error(ino_t inode_offset) {
  struct stat status = {};

  EXPECT_EQ(fstat(STDERR_FILENO, &status), 0);
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino + inode_offset);
}

TEST_F(Journal, IsNotUsedWithoutJournalStream) {
  set_journal_stream(std::nullopt);
  set_up_logging(spdlog::level::info);
  EXPECT_FALSE(logs_to_journal());
  spdlog::error("no such file");
  EXPECT_EQ(standard_error(), "error: no such file\n");
}

TEST_F(Journal, IsNotUsedWhenStandardErrorWasRedirected) {
  set_journal_stream(stream_of_standard_error(1));
  set_up_logging(spdlog::level::info);
  EXPECT_FALSE(logs_to_journal());
  spdlog::info("started");
  EXPECT_EQ(standard_error(), "info: started\n");
}

TEST_F(Journal, IsNotUsedWhenJournalStreamIsNonsense) {
  for (const char* value : {"", ":", "8", "8:", "8:1:1", "a:b"}) {
    SCOPED_TRACE(value);
    set_journal_stream(value);
    set_up_logging(spdlog::level::info);
    EXPECT_FALSE(logs_to_journal());
  }
}

TEST_F(Journal, IsUsedWhenStandardErrorIsItsStream) {
  set_journal_stream(stream_of_standard_error(0));
  set_up_logging(spdlog::level::info);
  EXPECT_TRUE(logs_to_journal());
}

TEST_F(Journal, LevelsBelowTheOneAskedForAreDropped) {
  set_up_logging(spdlog::level::warn);
  spdlog::debug("one");
  spdlog::info("two");
  spdlog::warn("three");
  spdlog::error("four");
  EXPECT_EQ(standard_error(), "warning: three\nerror: four\n");
}

TEST_F(Journal, FieldsAreNotForATerminal) {
  set_up_logging(spdlog::level::info);
  log_with_fields(spdlog::level::warn, "{} killed", {{"POD_UID", "u"}});
  log_with_fields(spdlog::level::debug, "unseen", {});
  EXPECT_EQ(standard_error(), "warning: {} killed\n");
}

TEST(JournalEntry, HasTheFieldsBesideTheMessage) {
  EXPECT_EQ(journal_entry(spdlog::level::warn, "m=n\no", {{"POD_UID", "u"}, {"POD_NAME", ""}}),
            (std::vector<std::string>{"MESSAGE=m=n\no",
                                      "PRIORITY=4",
                                      "SYSLOG_IDENTIFIER=eviction-agent",
                                      "POD_UID=u",
                                      "POD_NAME="}));
}

TEST_F(Journal, LevelCanBeLoweredAgain) {
  set_up_logging(spdlog::level::err);
  set_up_logging(spdlog::level::debug);
  spdlog::debug("one");
  EXPECT_EQ(standard_error(), "debug: one\n");
}

}  // namespace
}  // namespace eviction::systemd
