// SPDX-License-Identifier: Apache-2.0
#include "tests/support/kubelets.h"

#include <algorithm>

#include <gmock/gmock.h>

namespace eviction::tests {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const ConstructedProcess& process(const ConstructedNode& node, int pid) {
  return *std::find_if(node.processes.begin(),
                       node.processes.end(),
                       [pid](const ConstructedProcess& one) { return one.pid == pid; });
}

TEST(Kubelets, Rke2UpTo131PassesThresholdsAsFlagsAndHasNoDropIn) {
  ConstructedNode node;
  add_rke2(node, {.minor = 31, .version = "v1.31.7-rke2r1", .role = "agent"});
  const ConstructedProcess& kubelet = process(node, kKubeletPid);
  EXPECT_THAT(kubelet.argv, Contains("--eviction-hard=imagefs.available<5%,nodefs.available<5%"));
  EXPECT_THAT(kubelet.argv, Not(Contains(StartsWith("--config-dir"))));
  EXPECT_THAT(kubelet.executable, HasSubstr("/data/v1.31.7-rke2r1-"));
  EXPECT_EQ(kubelet.parent, kSupervisorPid);
  EXPECT_EQ(kubelet.cgroup, "system.slice/rke2-agent.service");
  EXPECT_EQ(node.files.count(std::string{kRke2DropIns} + "00-rke2-defaults.conf"), 0U);
}

TEST(Kubelets, Rke2From132ReadsTheDropInDirectory) {
  ConstructedNode node;
  add_rke2(node, {});
  const ConstructedProcess& kubelet = process(node, kKubeletPid);
  EXPECT_THAT(kubelet.argv,
              Contains("--config-dir=/var/lib/rancher/rke2/agent/etc/kubelet.conf.d"));
  EXPECT_THAT(kubelet.argv, Not(Contains(StartsWith("--eviction-hard"))));
  EXPECT_THAT(node.files.at(std::string{kRke2DropIns} + "00-rke2-defaults.conf"),
              HasSubstr("evictionHard:\n  imagefs.available: 5%\n  nodefs.available: 5%\n"));
}

TEST(Kubelets, K3sHasNoProcessNamedKubelet) {
  ConstructedNode node;
  add_k3s(node);
  for (const ConstructedProcess& one : node.processes) {
    EXPECT_THAT(one.argv.front(), Not(HasSubstr("kubelet")));
  }
  EXPECT_EQ(process(node, kSupervisorPid).comm, "k3s-server");
}

}  // namespace
}  // namespace eviction::tests
