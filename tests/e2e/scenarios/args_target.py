# SPDX-License-Identifier: Apache-2.0
"""A real kubelet 1.20.2 that takes its values as flags. On cgroup v2 it has only the allocatable
copy of a hard threshold: kubepods' limit less what pods use."""

from node import Node, expect, say

from . import Kind, scenario
from .plain_node import add_hog, failed

ARGS_FILE = "/etc/rancher/rke2/config.yaml.d/99-z90-by-hand.yaml"
EVICTION = "eviction-hard=memory.available<1100Mi,imagefs.available<5%,nodefs.available<5%"


@scenario(Kind.ARGS)
def args_plan(node: Node) -> None:
    """plan sees the args target, the version, and the pods' requests from the API server."""
    node.add_pod("vm", 200, request=300, vm=True)
    node.await_running("vm")
    code, plan = node.agent("plan")
    kubelet = plan["kubelet"]
    say(f"plan: exit code {code}, {kubelet['target']}, {plan['node']['kubelet_version']}")
    expect(kubelet["target"] == "rke2-args", f"target {kubelet['target']}")
    expect(plan["node"]["kubelet_version"] == "v1.20.2", "another version")
    (vm,) = (pod for pod in plan["pods"] if pod["name"] == "vm")
    expect((vm["class"], vm["request_source"]) == ("vm", "api"), f"{vm}")
    expect(vm["request_bytes"] == 300 << 20, f"{vm}")


@scenario(Kind.ARGS)
def args_evicts(node: Node) -> None:
    """A hard value among RKE2's kubelet arguments: the real kubelet evicts the hog in time."""
    node.machine.write(ARGS_FILE, f'kubelet-arg+: ["{EVICTION}"]\n')
    node.machine.check("systemctl restart rke2-server.service", timeout=300)
    node.await_healthy(300)
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    before = node.vmstat("oom_kill")
    add_hog(node)
    hog = node.machine.wait_for("the hog has failed", lambda: failed(node, "hog"), 900, every=5)
    say(f"hog: {hog['reason']}: {hog['message']}")
    expect(hog["reason"] == "Evicted", "the hog was not evicted")
    expect(node.vmstat("oom_kill") == before, "the kernel killed")
    expect(node.is_running("vm"), "the VM was lost")
