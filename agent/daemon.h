// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/api_watch.h"
#include "agent/executor.h"
#include "agent/exporter.h"
#include "agent/growth_file.h"
#include "agent/history.h"
#include "agent/incident_recorder.h"
#include "agent/plan.h"
#include "agent/recording/kept_recording.h"
#include "agent/status_file.h"

namespace eviction::agent {

/// "eviction-agent run": watches the node, decides at each full walk, and does what was decided.
/// One thread, one event loop; neither a kubelet nor anything else has to be there when it starts.
class Daemon {
 public:
  /// load: reads the configuration again. textfile: also gets the metrics, absent for none. host
  /// has to outlive it.
  Daemon(const Host& host,
         config::AgentConfig config,
         std::function<config::LoadedConfig()> load,
         systemd::EventLoop& loop,
         std::optional<std::string> textfile = std::nullopt);

  /// Until SIGTERM or SIGINT. Errors: another daemon runs on this host; the event loop failed.
  [[nodiscard]] Result<void> run();

 private:
  [[nodiscard]] Result<void> listen();
  void arm_pressure_trigger();
  void look();
  void walk();
  void on_pressure();
  void observe_and_plan(const Record& record);
  void tell();
  void reload();
  void stop();
  void warn(Bytes available, Bytes threshold);
  /// Before a walk, for its status; and after it, as it writes the text file when all else is told.
  void take_exporter_problems();
  void take_incidents();
  void tell_warning() const;
  void keep_moment(const cgroup::Meminfo& meminfo, const Observation* seen);
  void on_api_answer();
  void problem(const Error& error);
  /// As an error when it is new, else for debugging.
  void log_problem(const std::string& text) const;

  const Host& host_;
  config::AgentConfig config_;
  std::function<config::LoadedConfig()> load_;
  systemd::EventLoop& loop_;
  cgroup::Buffer buffer_;

  systemd::EventSource look_timer_;
  systemd::EventSource walk_timer_;
  Descriptor pressure_file_;  ///< before its source: it has to be open while that is watched
  systemd::EventSource pressure_;
  std::vector<systemd::EventSource> signals_;

  Plan plan_;
  Status status_;
  Exporter exporter_;
  NodeHistory history_;
  KeptGrowth growth_{history_.growth()};
  KeptRecording recording_{&history_.growth()};
  ApiWatch api_;
  Executor executor_;
  IncidentRecorder incidents_;
  LookPace pace_;
  std::chrono::milliseconds last_walk_{};
  std::chrono::milliseconds configured_{};  ///< when the configuration was read
  bool warned_ = false;
  bool api_answered_ = false;
  bool status_unsaved_ = false;
  std::string last_told_;
  std::vector<std::string> configuration_problems_;  ///< of the last reload, until the next
  std::vector<std::string> earlier_problems_;  ///< of the walk before: what lasts is logged once
};

}  // namespace eviction::agent
