// SPDX-License-Identifier: Apache-2.0
#include "systemd/unit_manager.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/environment_variable.h"
#include "tests/support/fake_systemd1.h"

namespace eviction::systemd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::FakeSystemd1;

/// More than a loaded machine needs; nothing waits for it unless a test fails.
constexpr std::chrono::seconds kLong{60};
/// What an answer that never comes costs a test.
constexpr std::chrono::milliseconds kShort{100};
/// How long a test looks for what must not come.
constexpr std::chrono::milliseconds kWhile{50};

constexpr const char* kUnit = "kubelet.service";
constexpr const char* kJob = "/org/freedesktop/systemd1/job/4711";
constexpr const char* kOtherJob = "/org/freedesktop/systemd1/job/4712";
constexpr const char* kRemedy =
    "see systemctl status kubelet.service and journalctl -u kubelet.service";

class SdBus : public testing::Test {
 protected:
  void connect(std::chrono::microseconds deadline = kLong) {
    manager_ = *SdBusUnitManager::over(loop_, systemd1_.take_client(), deadline);
  }

  /// Notes how a restart ended, and ends the loop a little later, so that a second call is seen.
  UnitManager::Done note() {
    return [this](Result<void> result) {
      ends_.push_back(std::move(result));
      end_ = *loop_.after(kWhile, [this] { loop_.exit(0); });
    };
  }

  void run() {
    const EventSource in_vain = *loop_.after(kLong, [this] { loop_.exit(1); });
    EXPECT_EQ(loop_.run().value(), 0) << "waited in vain";
  }

  /// How a restart of the unit ends that is done once.
  Result<void> restart(const std::string& unit = kUnit) {
    EXPECT_TRUE(manager_->restart(unit, note()));
    EXPECT_THAT(ends_, IsEmpty()) << "not later, and not from the loop";
    run();
    EXPECT_EQ(ends_.size(), 1U);
    return ends_.empty() ? Result<void>{} : ends_.front();
  }

  Error error_of_restart(const std::string& unit = kUnit) {
    const Result<void> result = restart(unit);
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }

  EventLoop loop_ = *EventLoop::create();
  FakeSystemd1 systemd1_{loop_};
  std::unique_ptr<UnitManager> manager_;
  std::vector<Result<void>> ends_;
  EventSource end_;
};

TEST_F(SdBus, SucceedsWhenTheJobIsDone) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kJob, kUnit, "done"});
  };
  connect();
  EXPECT_TRUE(restart());
  EXPECT_THAT(systemd1_.calls(), ElementsAre("Subscribe", "RestartUnit kubelet.service replace"));
}

TEST_F(SdBus, EndsWhenTheJobDoesAndNotBefore) {
  EventSource later;
  systemd1_.on_restart = [&](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    later = *loop_.after(kWhile, [this] {
      EXPECT_THAT(ends_, IsEmpty());
      systemd1_.send_job_removed({kJob, kUnit, "done"});
    });
  };
  connect();
  EXPECT_TRUE(restart());
}

/// How a restart ends that systemd answers like this, all else as usual.
Result<void> outcome(const std::function<void(FakeSystemd1&, sd_bus_message*)>& answer) {
  EventLoop loop = *EventLoop::create();
  FakeSystemd1 systemd1{loop};
  systemd1.on_restart = [&](sd_bus_message* call) { answer(systemd1, call); };
  const auto manager = *SdBusUnitManager::over(loop, systemd1.take_client(), kLong);
  Result<void> outcome;
  EXPECT_TRUE(manager->restart(kUnit, [&](Result<void> result) {
    outcome = std::move(result);
    loop.exit(0);
  }));
  EXPECT_TRUE(loop.run());
  return outcome;
}

// Source: systemd v252 src/core/job.c job_result_table.
TEST(SdBusOutcome, FailsWhenTheJobHasAnotherResult) {
  for (const std::string word : {"canceled",
                                 "timeout",
                                 "failed",
                                 "dependency",
                                 "skipped",
                                 "invalid",
                                 "assert",
                                 "unsupported",
                                 "collected",
                                 "once",
                                 "",
                                 "DONE"}) {
    SCOPED_TRACE(word);
    const Result<void> result = outcome([&](FakeSystemd1& systemd1, sd_bus_message* call) {
      FakeSystemd1::reply_job(call, kJob);
      systemd1.send_job_removed({kJob, kUnit, word});
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(
        to_text(result.error()),
        "kubelet.service was not restarted: systemd's job ended as \"" + word + "\"; " + kRemedy);
  }
}

TEST(SdBusOutcome, JobMayBeRemovedBeforeTheReply) {
  for (const bool success : {true, false}) {
    SCOPED_TRACE(success);
    const Result<void> result = outcome([&](FakeSystemd1& systemd1, sd_bus_message* call) {
      systemd1.send_job_removed({kJob, kUnit, success ? "done" : "timeout"});
      systemd1.send_job_removed({kOtherJob, kUnit, success ? "timeout" : "done"});
      FakeSystemd1::reply_job(call, kJob);
    });
    EXPECT_EQ(result.has_value(), success);
  }
}

TEST(SdBusOutcome, RefusalIsDenied) {
  for (const std::string name : {"org.freedesktop.DBus.Error.AccessDenied",
                                 "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"}) {
    SCOPED_TRACE(name);
    const Result<void> result = outcome([&](FakeSystemd1& /*systemd1*/, sd_bus_message* call) {
      FakeSystemd1::reply_error(call, name, "no.");
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kDenied);
    EXPECT_EQ(result.error().what, "kubelet.service was not restarted: " + name + ": no.");
    EXPECT_THAT(result.error().remedy, testing::HasSubstr("polkit"));
  }
}

TEST_F(SdBus, JobsOfOtherUnitsDoNotCount) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    systemd1_.send_job_removed({kOtherJob, "cron.service", "failed"});
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kOtherJob, "cron.service", "failed"});
    systemd1_.send_job_removed({kJob, kUnit, "done"});
  };
  connect();
  EXPECT_TRUE(restart());
}

TEST_F(SdBus, AnotherJobOfTheUnitDoesNotCount) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    systemd1_.send_job_removed({kOtherJob, kUnit, "done"});
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kOtherJob, kUnit, "done"});
    systemd1_.send_job_removed({kJob, kUnit, "failed"});
  };
  connect();
  EXPECT_FALSE(restart());
}

TEST_F(SdBus, UnitOfTheJobMayHaveAnotherNameThanTheOneAskedFor) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kJob, "real-name.service", "done"});
  };
  connect();
  EXPECT_TRUE(restart("alias.service"));
}

TEST_F(SdBus, SignalsOfOtherSendersDoNotCount) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    systemd1_.send_job_removed({kJob, kUnit, "done", ":1.66"});
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kJob, kUnit, "done", ":1.66"});
    systemd1_.send_job_removed({kJob, kUnit, "failed"});
  };
  connect();
  EXPECT_FALSE(restart());
}

TEST_F(SdBus, SignalThatIsNotUnderstoodDoesNotCount) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    systemd1_.send_nonsense();
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_nonsense();
    systemd1_.send_job_removed({kJob, kUnit, "done"});
  };
  connect();
  EXPECT_TRUE(restart());
}

TEST_F(SdBus, UnknownUnitIsAbsent) {
  systemd1_.on_restart = [](sd_bus_message* call) {
    FakeSystemd1::reply_error(
        call, "org.freedesktop.systemd1.NoSuchUnit", "Unit kubelet.service not found.");
  };
  connect();
  const Error error = error_of_restart();
  EXPECT_EQ(error.kind, ErrorKind::kAbsent);
  EXPECT_EQ(to_text(error),
            std::string{"kubelet.service was not restarted: org.freedesktop.systemd1.NoSuchUnit: "
                        "Unit kubelet.service not found.; "} +
                kRemedy);
}

TEST_F(SdBus, ReplyWithoutAJobIsAnError) {
  systemd1_.on_restart = [](sd_bus_message* call) {
    EXPECT_GE(sd_bus_reply_method_return(call, "s", "no object path"), 0);
  };
  connect();
  EXPECT_THAT(error_of_restart().what,
              testing::StartsWith("systemd named no job for the restart of kubelet.service: "));
}

TEST_F(SdBus, DoesNotTouchTheUnitWhenItCannotLearnHowItEnds) {
  systemd1_.subscribe_error = "org.freedesktop.DBus.Error.AccessDenied";
  connect();
  EXPECT_EQ(error_of_restart().kind, ErrorKind::kDenied);
  EXPECT_THAT(systemd1_.calls(), ElementsAre("Subscribe"));
}

TEST_F(SdBus, MayHaveSubscribedBefore) {
  systemd1_.subscribe_error = "org.freedesktop.systemd1.AlreadySubscribed";
  systemd1_.on_restart = [this](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kJob, kUnit, "done"});
  };
  connect();
  EXPECT_TRUE(restart());
}

TEST_F(SdBus, NameThatDbusCannotCarryIsAnError) {
  connect();
  EXPECT_THAT(error_of_restart("\xff.service").what,
              testing::StartsWith("cannot ask systemd to restart \xff.service: "));
  EXPECT_THAT(systemd1_.calls(), ElementsAre("Subscribe"));
}

TEST_F(SdBus, FailsAtTheDeadlineWithoutAReply) {
  connect(kShort);
  EXPECT_EQ(to_text(error_of_restart()),
            std::string{"cannot tell whether kubelet.service was restarted: systemd did not say so "
                        "in time; "} +
                kRemedy);
}

TEST_F(SdBus, FailsAtTheDeadlineWithoutTheEndOfTheJob) {
  EventSource late;
  systemd1_.on_restart = [&](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    // Nobody waits for it any more.
    late = *loop_.after(kShort + kWhile / 2, [this] {
      systemd1_.send_job_removed({kJob, kUnit, "done"});
    });
  };
  connect(kShort);
  EXPECT_EQ(error_of_restart().kind, ErrorKind::kVanished) << "it may still be running";
}

TEST_F(SdBus, FailsWhenTheConnectionBreaksBeforeTheReply) {
  systemd1_.on_restart = [this](sd_bus_message* /*call*/) { systemd1_.close(); };
  connect();
  EXPECT_EQ(to_text(error_of_restart()),
            std::string{"cannot tell whether kubelet.service was restarted: "
                        "org.freedesktop.DBus.Error.NoReply: Connection terminated; "} +
                kRemedy);
}

TEST_F(SdBus, FailsWhenTheConnectionBreaksAfterTheReply) {
  EventSource later;
  systemd1_.on_restart = [&](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    later = *loop_.after(kWhile, [this] { systemd1_.close(); });
  };
  connect();
  EXPECT_EQ(to_text(error_of_restart()),
            std::string{"cannot tell whether kubelet.service was restarted: the connection to "
                        "systemd broke; "} +
                kRemedy);
}

TEST_F(SdBus, BrokenConnectionStaysBroken) {
  systemd1_.on_restart = [this](sd_bus_message* /*call*/) { systemd1_.close(); };
  connect();
  ASSERT_TRUE(manager_->restart(kUnit, [this](Result<void> first) {
    EXPECT_FALSE(first);
    const Result<void> second = manager_->restart(kUnit, note());
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().what,
                testing::StartsWith("cannot ask systemd to restart kubelet.service: "));
    EXPECT_EQ(second.error().remedy, "connect to D-Bus again");
    note()(std::move(first));
  }));
  run();
  EXPECT_EQ(ends_.size(), 1U);
}

TEST_F(SdBus, RestartsOneUnitAtATime) {
  connect();
  ASSERT_TRUE(manager_->restart(kUnit, note()));
  const Result<void> second = manager_->restart("k3s.service", note());
  ASSERT_FALSE(second);
  EXPECT_EQ(to_text(second.error()),
            std::string{"cannot restart k3s.service: the restart of kubelet.service has not "
                        "ended; "} +
                kRemedy);
}

TEST_F(SdBus, NextRestartMayBeginWhenOneEnds) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    const bool first = systemd1_.calls().size() == 2;
    FakeSystemd1::reply_job(call, first ? kJob : kOtherJob);
    systemd1_.send_job_removed({first ? kJob : kOtherJob, kUnit, first ? "failed" : "done"});
  };
  connect();
  ASSERT_TRUE(manager_->restart(kUnit, [this](const Result<void>& result) {
    EXPECT_FALSE(result);
    EXPECT_TRUE(manager_->restart(kUnit, note()));
  }));
  run();
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_TRUE(ends_.front());
}

TEST_F(SdBus, ManagerMayBeDestroyedWhenARestartEnds) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    systemd1_.send_job_removed({kJob, kUnit, "done"});
  };
  connect();
  ASSERT_TRUE(manager_->restart(kUnit, [this](Result<void> result) {
    manager_.reset();
    note()(std::move(result));
  }));
  run();
  EXPECT_EQ(ends_.size(), 1U);
}

TEST_F(SdBus, ManagerMayBeDestroyedAtTheDeadline) {
  connect(kShort);
  ASSERT_TRUE(manager_->restart(kUnit, [this](Result<void> result) {
    manager_.reset();
    note()(std::move(result));
  }));
  run();
  EXPECT_EQ(ends_.size(), 1U);
}

TEST_F(SdBus, DestroyedManagerCallsNobody) {
  systemd1_.on_restart = [this](sd_bus_message* call) {
    FakeSystemd1::reply_job(call, kJob);
    manager_.reset();
    end_ = *loop_.after(kShort + kWhile, [this] { loop_.exit(0); });
  };
  connect(kShort);
  ASSERT_TRUE(manager_->restart(kUnit, note()));
  run();
  EXPECT_THAT(ends_, IsEmpty());
}

TEST_F(SdBus, ConnectingFailsWithoutABus) {
  const tests::EnvironmentVariable address{"DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus"};
  const auto manager = SdBusUnitManager::connect_system(loop_);
  ASSERT_FALSE(manager);
  EXPECT_EQ(manager.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(
      to_text(manager.error()),
      "cannot connect to the system's D-Bus: No such file or directory; check dbus.socket; in "
      "a container mount the host's /run/dbus");
}

}  // namespace
}  // namespace eviction::systemd
