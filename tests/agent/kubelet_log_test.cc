// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::system_clock;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using Days = std::chrono::year_month_day;

constexpr Days kDay{std::chrono::year{2026}, std::chrono::month{11}, std::chrono::day{22}};

system_clock::time_point at(hours hour, Days day = kDay) {
  return sys_days{day} + hour;
}

const std::string kRefused =
    "E1122 12:00:01.000000    4711 run.go:72] \"command failed\" err=\"failed to merge kubelet "
    "configs: /var/lib/rancher/rke2/agent/etc/kubelet.conf.d/60-eviction-agent.conf\"";
const std::string kDropIn =
    "W1122 12:00:02.000000    4711 server.go:300] \"The drop-in directory has no files\"";

/// Of a log whose last line is as old as the first instant after it.
std::vector<std::string> warnings(const std::string& text,
                                  system_clock::time_point since = at(hours{12}),
                                  system_clock::time_point written = at(hours{12}) + seconds{3}) {
  return kubelet_warnings(text, since, written);
}

TEST(KubeletLog, TellsWhatIsAboutTheValue) {
  EXPECT_THAT(
      warnings("I1122 12:00:00.500000    4711 server.go:1] \"Eviction manager: ok\"\n" + kRefused +
               "\n" + kDropIn +
               "\nW1122 12:00:02.100000    4711 eviction_manager.go:9] \"Volume is slow\"\n"),
      ElementsAre(kRefused, kDropIn));
}

TEST(KubeletLog, KnowsItsSubjectsInAnyCase) {
  for (const char* message : {"\"Eviction manager: failed to synchronize\"",
                              "grace period specified for EVICTION",
                              "unknown flag --config-dir",
                              "failed to load Kubelet config file",
                              "invalid Node Allocatable configuration",
                              "Failed to run kubelet",
                              "Failed to start ContainerManager",
                              "skipping drop-in file"}) {
    for (const char* level : {"W", "E", "F"}) {
      EXPECT_THAT(warnings(std::string{level} + "1122 12:00:01.000000 1 a.go:1] " + message),
                  SizeIs(1))
          << level << message;
    }
    EXPECT_THAT(warnings(std::string{"I1122 12:00:01.000000 1 a.go:1] "} + message), IsEmpty());
  }
}

TEST(KubeletLog, LeavesOutWhatIsOlder) {
  const std::string log = kRefused + "\n" + kDropIn + "\n";
  const system_clock::time_point second = at(hours{12}) + seconds{2};
  EXPECT_THAT(warnings(log, second), ElementsAre(kDropIn));
  EXPECT_THAT(warnings(log, second + microseconds{1}), IsEmpty());
}

// A node in Berlin, Kathmandu or Honolulu: the file's time is the same instant.
TEST(KubeletLog, IsReadInTheZoneItWasWrittenIn) {
  const std::string log = kRefused + "\n" + kDropIn + "\n";
  for (const minutes zone : {minutes{0}, minutes{60}, minutes{345}, minutes{-600}, minutes{840}}) {
    SCOPED_TRACE(zone.count());
    const system_clock::time_point last = at(hours{12}) + seconds{2} - zone;
    EXPECT_THAT(warnings(log, last - microseconds{500'000}, last), ElementsAre(kDropIn));
    EXPECT_THAT(warnings(log, last - seconds{1}, last + minutes{5}), SizeIs(2));
    EXPECT_THAT(warnings(log, last + seconds{1}, last + minutes{5}), IsEmpty());
  }
}

TEST(KubeletLog, IsReadAcrossTheEndOfTheYear) {
  const Days new_year{std::chrono::year{2027}, std::chrono::month{1}, std::chrono::day{1}};
  const std::string old_year = "W1231 23:59:59.000000 1 a.go:1] eviction one";
  const std::string next_year = "W0101 00:00:01.000000 1 a.go:1] eviction two";
  const std::string log = old_year + "\n" + next_year + "\n";
  const system_clock::time_point written = at(hours{0}, new_year) + seconds{1};
  EXPECT_THAT(warnings(log, written - seconds{5}, written), ElementsAre(old_year, next_year));
  EXPECT_THAT(warnings(log, written - seconds{1}, written), ElementsAre(next_year));
}

TEST(KubeletLog, KnowsLeapDays) {
  const Days leap{std::chrono::year{2028}, std::chrono::month{2}, std::chrono::day{29}};
  const std::string line = "W0229 06:00:00.000000 1 a.go:1] eviction";
  EXPECT_THAT(warnings(line, at(hours{6}, leap), at(hours{6}, leap)), ElementsAre(line));
  const Days none{std::chrono::year{2026}, std::chrono::month{3}, std::chrono::day{1}};
  EXPECT_THAT(warnings(line, at(hours{6}, none), at(hours{6}, none)), IsEmpty());
}

TEST(KubeletLog, PassesOverWhatIsNoMessage) {
  for (const std::string& line :
       std::vector<std::string>{"",
                                "eviction",
                                "E1122 12:00:01.000000",
                                "E1122 12:00:01.000000    4711 run.go:72]eviction",
                                "E1122 12:00:01.000000    4711 run.go:72 eviction",
                                "E1122 12:00:01.00000 4711 run.go:72] eviction",
                                "E1122T12:00:01.000000 4711 run.go:72] eviction",
                                "E1122 24:00:01.000000 4711 run.go:72] eviction",
                                "E1122 12:60:01.000000 4711 run.go:72] eviction",
                                "E1122 12:00:61.000000 4711 run.go:72] eviction",
                                "E1322 12:00:01.000000 4711 run.go:72] eviction",
                                "E0022 12:00:01.000000 4711 run.go:72] eviction",
                                "E1131 12:00:01.000000 4711 run.go:72] eviction",
                                "E1100 12:00:01.000000 4711 run.go:72] eviction",
                                "E+122 12:00:01.000000 4711 run.go:72] eviction",
                                "D1122 12:00:01.000000 4711 run.go:72] eviction",
                                " E1122 12:00:01.000000 4711 run.go:72] eviction",
                                R"({"ts":1.0,"level":"error","msg":"eviction"})"}) {
    EXPECT_THAT(warnings(line), IsEmpty()) << line;
    std::string log = line;
    log += '\n' + kDropIn;
    EXPECT_THAT(warnings(log), ElementsAre(kDropIn)) << line;
  }
}

TEST(KubeletLog, IsMadePrintable) {
  const std::string head = "E1122 12:00:01.000000 1 a.go:1] eviction ";
  EXPECT_THAT(warnings(head + "\x1b[2J\xc3\xa4\r\n"), ElementsAre(head + "?[2J???"));
  EXPECT_THAT(warnings(head + std::string("a\0b", 3)), ElementsAre(head + "a?b"));
  const std::vector<std::string> lines = warnings(head + std::string(100'000, 'x'));
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines.front().size(), 512U);
}

class KubeletLogFile : public testing::Test {
 protected:
  KubeletLogFile() {
    kubelet_.supervisor = "rke2";
    kubelet_.arguments = {"--config-dir=/data/agent/etc/kubelet.conf.d"};
  }

  [[nodiscard]] Result<std::vector<std::string>> read() const {
    return read_kubelet_warnings(kubelet_, root_, at(hours{12}));
  }

  void write(const std::string& text) {
    tree_.file(kLog, text);
    timespec time{};
    time.tv_sec = std::chrono::duration_cast<seconds>(at(hours{12}).time_since_epoch()).count() + 2;
    ASSERT_EQ(
        ::utimensat(AT_FDCWD, tree_.path(kLog).c_str(), std::vector<timespec>(2, time).data(), 0),
        0);
  }

  static constexpr const char* kLog = "data/agent/logs/kubelet.log";
  tests::TemporaryTree tree_;
  cgroup::Directory root_ = *cgroup::Directory::open(tree_.path());
  Kubelet kubelet_;
};

TEST_F(KubeletLogFile, IsFoundBesideTheDropIns) {
  write(kRefused + "\n" + kDropIn + "\n");
  const auto lines = read();
  ASSERT_TRUE(lines) << to_text(lines.error());
  EXPECT_THAT(*lines, ElementsAre(kRefused, kDropIn));
}

// Lines of 100 bytes: the 256 KiB at the end hold 2621 of them, and a part of one.
TEST_F(KubeletLogFile, IsReadAtItsEnd) {
  std::string line = "W1122 12:00:02.000000 1 a.go:1] eviction ";
  line.resize(99, '.');
  line += '\n';
  std::string text;
  for (int count = 0; count < 4000; ++count) {
    text += line;
  }
  write(text);
  const auto lines = read();
  ASSERT_TRUE(lines) << to_text(lines.error());
  EXPECT_THAT(*lines, SizeIs(2621));
}

TEST_F(KubeletLogFile, IsAbsentOrNoFile) {
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
  tree_.directory("data/agent/logs");
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
  ASSERT_EQ(::mkfifo(tree_.path(kLog).c_str(), 0600), 0);
  EXPECT_EQ(read().error().kind, ErrorKind::kIo);
  std::filesystem::remove(tree_.path(kLog));
  std::filesystem::create_symlink("/etc/passwd", tree_.path(kLog));
  EXPECT_EQ(read().error().kind, ErrorKind::kIo);
  kubelet_.arguments = {"--config-dir=/etc/kubernetes/kubelet.conf.d"};
  EXPECT_EQ(read().error().kind, ErrorKind::kAbsent);
}

}  // namespace
}  // namespace eviction::agent
