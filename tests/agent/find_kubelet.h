// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/kubelet_process.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {

inline constexpr const char* kRke2DropIns = "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d";
inline constexpr const char* kPod =
    "/kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-podf158345b_e16c_4a46_bdeb_38435e86e110.slice/cri-containerd-7.scope";

struct Fake {
  int pid = 0;
  std::string comm = {};
  std::vector<std::string> argv = {};
  int parent = 1;
  int start = 100;
  std::string cgroup = "/system.slice/x.service";
  std::string exe = {};
};

class FindKubelet : public testing::Test {
 protected:
  void add(const Fake& process) {
    const std::string folder = "proc/" + std::to_string(process.pid) + '/';
    std::string stat =
        std::to_string(process.pid) + " (" + process.comm + ") S " + std::to_string(process.parent);
    for (int field = 5; field < 22; ++field) {
      stat += " 0";
    }
    std::string cmdline;
    for (const std::string& word : process.argv) {
      cmdline += word + '\0';
    }
    tree_.file(folder + "stat", stat + ' ' + std::to_string(process.start) + " 0 0\n")
        .file(folder + "cmdline", cmdline)
        .file(folder + "cgroup", "0::" + process.cgroup + "\n");
    if (!process.exe.empty()) {
      std::filesystem::create_symlink(process.exe, tree_.path(folder + "exe"));
    }
  }

  Result<Kubelet> find() {
    cgroup::Buffer buffer;
    return find_kubelet(*cgroup::Directory::open(tree_.path("proc")),
                        *cgroup::Directory::open(tree_.path()),
                        config_,
                        buffer);
  }

  /// The kubelet of RKE2 1.32 or later, below its supervisor.
  void add_rke2() {
    add({.pid = 900, .comm = "rke2", .argv = {"/usr/local/bin/rke2 server"}});
    add({.pid = 1000,
         .comm = "kubelet",
         .argv = {"kubelet", std::string{"--config-dir="} + kRke2DropIns, "--v=2"},
         .parent = 900,
         .start = 4711,
         .exe = "/var/lib/rancher/rke2/data/v1.32.3-rke2r1-0123abcd/bin/kubelet"});
    tree_.directory(std::string{kRke2DropIns}.substr(1));
  }

  tests::TemporaryTree tree_ = {};
  config::AgentConfig config_ = {};
};

}  // namespace eviction::agent
