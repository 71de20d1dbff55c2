// SPDX-License-Identifier: Apache-2.0
#include "systemd/notify.h"

#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/environment_variable.h"
#include "tests/support/notify_socket.h"

namespace eviction::systemd {
namespace {

using tests::EnvironmentVariable;
using tests::NotifySocket;

TEST(Notify, SendsWhatSdNotifySpecifies) {
  const NotifySocket manager;
  EXPECT_TRUE(notify_ready());
  EXPECT_EQ(manager.receive(), "READY=1");
  EXPECT_TRUE(notify_stopping());
  EXPECT_EQ(manager.receive(), "STOPPING=1");
  EXPECT_EQ(manager.receive(), "");
}

TEST(Notify, StatusIsOneLine) {
  struct Case {
    std::string status;
    std::string sent;
  };

  const NotifySocket manager;
  for (const Case& c : {Case{"staged 1280Mi", "STATUS=staged 1280Mi"},
                        Case{"", "STATUS="},
                        Case{"a=b", "STATUS=a=b"},
                        Case{"pod \u00e4", "STATUS=pod \u00e4"},
                        Case{"one\nREADY=1", "STATUS=one READY=1"},
                        Case{"\r\n\t\x1b[0m\x7f", "STATUS=    [0m "},
                        Case{std::string{"a\0b", 3}, "STATUS=a b"}}) {
    SCOPED_TRACE(c.sent);
    EXPECT_TRUE(notify_status(c.status));
    EXPECT_EQ(manager.receive(), c.sent);
  }
}

TEST(Notify, ReloadingCarriesTheTimeItBegan) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  using std::chrono::steady_clock;  // CLOCK_MONOTONIC in libstdc++ and libc++

  const NotifySocket manager;
  const auto before = duration_cast<microseconds>(steady_clock::now().time_since_epoch());
  EXPECT_TRUE(notify_reloading());
  const auto after = duration_cast<microseconds>(steady_clock::now().time_since_epoch());
  const std::string message = manager.receive();
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_EQ(message.substr(0, head.size()), head);
  const microseconds sent{std::stoll(message.substr(head.size()))};
  EXPECT_GE(sent, before);
  EXPECT_LE(sent, after);
}

TEST(Notify, DoesNothingWithoutServiceManager) {
  EXPECT_TRUE(notify_ready());
  EXPECT_TRUE(notify_status("started"));
  EXPECT_TRUE(notify_reloading());
  EXPECT_TRUE(notify_stopping());
}

TEST(Notify, FailsWithoutListener) {
  const EnvironmentVariable socket{"NOTIFY_SOCKET", "/nonexistent/notify"};
  const Result<void> sent = notify_ready();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(to_text(sent.error()),
            "cannot notify the service manager: No such file or directory; check NOTIFY_SOCKET");
}

TEST(Notify, FailsWhenTheSocketIsNonsense) {
  for (const char* name : {"relative", "@", "/", "\n"}) {
    SCOPED_TRACE(name);
    const EnvironmentVariable socket{"NOTIFY_SOCKET", name};
    EXPECT_FALSE(notify_ready());
  }
}

}  // namespace
}  // namespace eviction::systemd
