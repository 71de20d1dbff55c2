// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "tests/support/node_files.h"

namespace eviction::tests {
namespace {

// Source: linux v6.1 include/linux/sched.h TASK_COMM_LEN, less the terminating zero.
constexpr std::size_t kCommLength = 15;

std::string comm_of(const ConstructedProcess& process) {
  std::string comm = process.comm;
  if (comm.empty()) {
    comm = std::filesystem::path{process.argv.front()}.filename().string();
  }
  return comm.substr(0, kCommLength);
}

std::string cmdline_of(const ConstructedProcess& process) {
  std::string text;
  for (const std::string& argument : process.argv) {
    text += argument;
    text += '\0';
  }
  return text;
}

// Source: linux v6.1 fs/proc/array.c do_task_stat(): the start time, in hundredths of a second
// since boot, is field 22.
std::string stat_of(const ConstructedProcess& process) {
  const std::string pid = std::to_string(process.pid);
  return pid + " (" + comm_of(process) + ") S " + std::to_string(process.parent) + " " + pid + " " +
         pid + " 0 -1 4194560 600 0 0 0 13 16 0 0 20 0 1 0 " +
         std::to_string(process.started.count() / 10) +
         " 1003520 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
}

std::string cgroup_of(const ConstructedNode& node, const ConstructedProcess& process) {
  const std::string path = "/" + process.cgroup + "\n";
  switch (node.layout) {
    case CgroupLayout::kV2:
      return "0::" + path;
    case CgroupLayout::kV1:
      return "11:pids:" + path + "9:memory:" + path + "4:cpu,cpuacct:" + path +
             "1:name=systemd:" + path;
    case CgroupLayout::kHybrid:
      return "9:memory:" + path + "1:name=systemd:" + path + "0::" + path;
    case CgroupLayout::kNone:
      break;
  }
  return "1:name=systemd:" + path;
}

}  // namespace

void write_processes(const ConstructedNode& node, const NodeLayout& layout, TreeWriter& tree) {
  for (const ConstructedProcess& process : layout.processes) {
    const std::string directory = "proc/" + std::to_string(process.pid) + "/";
    tree.file(directory + "cmdline", cmdline_of(process));
    tree.file(directory + "comm", comm_of(process) + "\n");
    tree.file(directory + "stat", stat_of(process));
    tree.file(directory + "cgroup", cgroup_of(node, process));
    tree.file(directory + "oom_score_adj", std::to_string(process.oom_score_adj) + "\n");
    std::string environment;
    for (const auto& [name, value] : process.environment) {
      environment.append(name).append("=").append(value).append(1, '\0');
    }
    tree.file(directory + "environ", environment);
    if (!process.argv.empty()) {
      tree.link(directory + "exe",
                process.executable.empty() ? process.argv.front() : process.executable);
    }
  }
}

}  // namespace eviction::tests
