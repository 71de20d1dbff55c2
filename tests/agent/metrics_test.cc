// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics.h"

#include <algorithm>
#include <array>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/agent/sample_plan.h"
#include "tests/support/golden.h"
#include "tests/support/named_nodes.h"
#include "tests/support/source_tree.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using testing::Not;

constexpr int kTop = 10;

Status sample_status() {
  Status status;
  status.at = sys_seconds{seconds{1'800'000'010}};
  status.staged = true;
  status.counters.started = sys_seconds{seconds{1'800'000'000}};
  status.counters.walked_at = sys_seconds{seconds{1'800'000'009}};
  status.counters.cpu = std::chrono::milliseconds{1250};
  status.counters.looks = {.count = 7, .total = std::chrono::microseconds{420}};
  status.counters.walks = {.count = 2, .total = std::chrono::milliseconds{500}};
  status.deeds.acts[Act::kStage] = 1;
  return status;
}

std::string metrics_of_tree(const std::string& root) {
  cgroup::Buffer buffer;
  const Plan plan =
      make_plan(observe(open_host(root + "/proc", root + "/sys", root), {}, buffer), {});
  Status status = sample_status();
  count_walk(status.counters, plan.observation.problems);
  status.counters.cpu = std::chrono::milliseconds{1250};
  const std::regex compiler{"compiler=\"[^\"]*\""};
  return std::regex_replace(render_metrics(plan, status, kTop), compiler, "compiler=\"any\"");
}

class MetricsOfRecorded : public testing::TestWithParam<const char*> {};

TEST_P(MetricsOfRecorded, Golden) {
  tests::expect_golden(std::string{GetParam()} + ".metrics.txt",
                       metrics_of_tree(std::string{tests::kFixtures} + "/" + GetParam()));
}

INSTANTIATE_TEST_SUITE_P(,
                         MetricsOfRecorded,
                         testing::Values("kubelet-1.36-dropin-pods",
                                         "kubelet-1.36-dropin-hugepages",
                                         "kubelet-1.20-flags"),
                         [](const auto& test) { return tests::test_name(test.param); });

class MetricsOfConstructed : public testing::TestWithParam<const char*> {};

TEST_P(MetricsOfConstructed, Golden) {
  const tests::TemporaryTree tree;
  tests::write(tests::named_node(GetParam()), tree.path());
  tests::expect_golden(std::string{GetParam()} + ".metrics.txt", metrics_of_tree(tree.path()));
}

INSTANTIATE_TEST_SUITE_P(,
                         MetricsOfConstructed,
                         testing::Values("mixed-128g", "nopsi-128g", "nokubelet-8g", "v1-32g"),
                         [](const auto& test) { return tests::test_name(test.param); });

std::string metrics_of(const Plan& plan, const Status& status = sample_status()) {
  return render_metrics(plan, status, kTop);
}

TEST(Metrics, HaveTheNumbersOfThePlan) {
  const std::string text = metrics_of(tests::sample_plan());
  EXPECT_THAT(text, HasSubstr("\neviction_agent_memory_capacity_bytes 4294967296\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_memory_available_bytes 738197504\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_workload_pods{class=\"vm\"} 2\n"));
}

TEST(Metrics, SayNothingOfWhatIsNotKnown) {
  const std::string text = metrics_of(Plan{}, Status{});
  EXPECT_THAT(text, Not(HasSubstr("_bytes")));
  EXPECT_THAT(text, Not(HasSubstr("Nan")));
  EXPECT_THAT(text, Not(HasSubstr("pods")));
  EXPECT_THAT(text, Not(HasSubstr("observation_timestamp")));
  EXPECT_THAT(text, Not(HasSubstr("value_staged")));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_build_info{version=\""));
}

TEST(Metrics, TellADistanceToEachThresholdInForce) {
  Plan plan = tests::sample_plan();
  EXPECT_THAT(metrics_of(plan), HasSubstr("\neviction_agent_memory_signals_applied 0\n"));
  (*plan.observation.kubelet->loaded.settings.eviction_hard)["memory.available"] = {
      .value = "512Mi", .source = "--eviction-hard"};
  const std::string text = metrics_of(plan);
  EXPECT_THAT(text, HasSubstr("\neviction_agent_memory_signals_applied 1\n"));
  EXPECT_THAT(text,
              HasSubstr("\neviction_agent_threshold_applied_bytes{signal=\"memory.available\","
                        "kind=\"hard\",source=\"flag\"} 536870912\n"));
  // 1024 - 512 MiB
  EXPECT_THAT(text,
              HasSubstr("\neviction_agent_threshold_distance_bytes{signal=\"memory.available\","
                        "kind=\"hard\"} 536870912\n"));
}

TEST(Metrics, CountWhatTheDaemonDid) {
  Status status = sample_status();
  status.deeds.restarts = 3;
  status.deeds.committed = 2;
  status.deeds.put_back = 1;
  status.record.failures = kQuarantineAfter;
  status.transaction = Journal{};
  status.problems = {"one", "two"};
  const std::string text = metrics_of(tests::sample_plan(), status);
  EXPECT_THAT(text, HasSubstr("\neviction_agent_kubelet_restarts_total 3\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_transactions_total{outcome=\"committed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_transactions_total{outcome=\"put-back\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_quarantined 1\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_transaction_running 1\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_problems 2\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_tick_duration_seconds_sum{tick=\"walk\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_tick_duration_seconds_count{tick=\"walk\"} 2\n"));
}

TEST(Metrics, CountResizesThatTheApiServerTellsOf) {
  const Status status = sample_status();
  Plan plan = tests::sample_plan();
  auto& pods = plan.observation.pods;
  pods[0].resize = Resize{.since = status.at - std::chrono::minutes{10}};
  pods[1].resize = Resize{.since = status.at - std::chrono::minutes{10} - seconds{1}};
  pods[2].resize = Resize{};
  for (Pod& pod : pods) {
    pod.request = MemoryRequest{.low = {}, .high = {}, .source = RequestSource::kCheckpoint};
  }
  EXPECT_THAT(metrics_of(plan, status), Not(HasSubstr("eviction_agent_request_resizes")));
  pods[0].request->source = RequestSource::kApi;
  const std::string text = metrics_of(plan, status);
  EXPECT_THAT(text, HasSubstr("\neviction_agent_request_resizes{state=\"under-way\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_request_resizes{state=\"overdue\"} 1\n"));
}

TEST(Metrics, CountKillsByCauseAndEvictionsByClass) {
  Status status = sample_status();
  status.incidents.oom_kills[IncidentCause::kCpuset] = 3;
  status.incidents.evictions[WorkloadClass::kVm] = 2;
  status.incidents.evictions_unclassed = 1;
  status.incident_sources.kernel_log = true;
  const std::string text = metrics_of(tests::sample_plan(), status);
  EXPECT_THAT(text, HasSubstr("\neviction_agent_incident_source{source=\"kernel log\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_incident_source{source=\"API server\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_oom_kills_total{cause=\"cpuset\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_oom_kills_total{cause=\"node\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_kubelet_evictions_total{class=\"vm\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_kubelet_evictions_total{class=\"unknown\"} 1\n"));
}

TEST(Metrics, CountErrorsByTheKindOfTheFile) {
  Counters counters;
  const auto fail = [&counters](const std::string& path) {
    count_walk(counters, {Error{.kind = ErrorKind::kIo, .path = path, .what = "x"}});
  };
  fail("/host/proc/zoneinfo");
  fail("/sys/fs/cgroup/kubepods.slice/kubepods-podx.slice/memory.stat");
  fail("/sys/fs/cgroup/kubepods.slice/kubepods-pody.slice/memory.stat");
  fail("/var/lib/kubelet/allocated_pods_state");
  fail("https://10.0.0.1:6443/api/v1/pods?fieldSelector=spec.nodeName%3Dn");
  fail("/etc/passwd");
  EXPECT_EQ(counters.read_errors["zoneinfo"], 1U);
  EXPECT_EQ(counters.read_errors["memory.stat"], 2U);
  EXPECT_EQ(counters.read_errors["checkpoint"], 1U);
  EXPECT_EQ(counters.read_errors["api-server"], 1U);
  EXPECT_EQ(counters.read_errors["other"], 1U);
  EXPECT_EQ(counters.read_errors["meminfo"], 0U);
}

TEST(Metrics, CleanWhatWouldSpoilTheWholeScrape) {
  Plan plan = tests::sample_plan();
  plan.observation.kubelet->supervisor = "s\xff\n\"\\";
  EXPECT_THAT(metrics_of(plan), HasSubstr("supervisor=\"s??\\\"\\\\\""));
}

TEST(Metrics, ShowEveryVmAndTheLargestOthers) {
  Plan plan;
  plan.observation.pods_known = true;
  for (int i = 0; i < 40; ++i) {
    Pod pod = tests::sample_pod("uid-" + std::to_string(i), "pod-" + std::to_string(i));
    pod.workload = i < 5 ? WorkloadClass::kVm : WorkloadClass::kContainer;
    pod.working_set = Bytes{i};
    plan.observation.pods.push_back(pod);
  }
  const std::string text = render_metrics(plan, {}, 2);
  const std::string head = "eviction_agent_pod_working_set_bytes{uid=\"uid-";
  std::set<std::string> shown;
  for (std::size_t at = text.find(head); at != std::string::npos; at = text.find(head, at + 1)) {
    const std::size_t begin = at + head.size();
    shown.insert(text.substr(begin, text.find('"', begin) - begin));
  }
  EXPECT_THAT(shown, testing::ElementsAre("0", "1", "2", "3", "38", "39", "4"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_pods_without_samples 33\n"));
}

std::vector<std::string> series_of(const std::string& text) {
  std::vector<std::string> series;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) {
      series.push_back(line.substr(0, line.rfind(' ')));
    }
  }
  return series;
}

Plan plan_with_pods() {
  Plan plan = tests::sample_plan();
  plan.observation.pods.clear();
  const int count = *rc::gen::inRange(0, 251);
  for (int i = 0; i < count; ++i) {
    Pod pod = tests::sample_pod("uid-" + std::to_string(i), "");
    pod.name = *rc::gen::container<std::string>(*rc::gen::element(3UL, 60UL, 300UL),
                                                rc::gen::element('a', '"', '\\', '\n', '\xc3'));
    pod.name_space = *rc::gen::element(std::string{}, std::string(63, 'n'));
    pod.workload = *rc::gen::elementOf(kWorkloadClasses);
    pod.working_set = *rc::gen::element(std::optional<Bytes>{}, std::optional{1_GiB});
    pod.pressure = cgroup::Pressure{};
    plan.observation.pods.push_back(pod);
  }
  plan.next_victims = plan.observation.pods;
  return plan;
}

RC_GTEST_PROP(Metrics, AreSmallAndStableWithoutASeriesTwice, ()) {
  constexpr std::size_t kLargest = std::size_t{64} << 10;
  Plan plan = plan_with_pods();
  const std::string text = render_metrics(plan, sample_status(), 100);
  RC_ASSERT(text.size() < kLargest);
  const std::vector<std::string> series = series_of(text);
  RC_ASSERT((std::set<std::string>{series.begin(), series.end()}).size() == series.size());
  plan.next_victims = plan.observation.pods;
  std::reverse(plan.observation.pods.begin(), plan.observation.pods.end());
  RC_ASSERT(render_metrics(plan, sample_status(), 100) == text);
}

TEST(Metrics, OfAForecastOnlyWhatIsKnown) {
  Status status = sample_status();
  EXPECT_THAT(metrics_of(tests::sample_plan(), status),
              Not(HasSubstr("eviction_agent_threshold_reached")));
  status.forecast.horizons[2].probability = 0.25;
  status.forecast.horizons[2].brier = 0.0625;
  status.forecast.worst_decile = seconds{90};
  status.warning = true;
  const std::string text = metrics_of(tests::sample_plan(), status);
  EXPECT_THAT(
      text,
      HasSubstr("\neviction_agent_threshold_reached_probability_ratio{horizon=\"5min\"} 0.25\n"));
  EXPECT_THAT(
      text, HasSubstr("\neviction_agent_threshold_reached_brier_score{horizon=\"5min\"} 0.0625\n"));
  EXPECT_THAT(text,
              HasSubstr("\neviction_agent_threshold_reached_seconds{probability=\"0.1\"} 90\n"));
  EXPECT_THAT(text, HasSubstr("\neviction_agent_early_warning 1\n"));
}

}  // namespace
}  // namespace eviction::agent
