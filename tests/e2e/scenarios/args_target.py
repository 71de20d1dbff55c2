# SPDX-License-Identifier: Apache-2.0
"""A real kubelet 1.20.2 that takes its values as flags. On cgroup v2 it has only the allocatable
copy of a hard threshold: kubepods' limit less what pods use."""

from node import Node, expect, say

from . import Kind, scenario
from .incidents import expect_loss, losses
from .plain_node import failed

OURS = "/etc/rancher/rke2/config.yaml.d/99-z50-eviction-agent.yaml"
# This kubelet is older than those whose rules the agent knows, and its RKE2 has to be restarted.
ENFORCE = """\
[agent]
mode = enforce
restart-spread = 0
[kubelet]
restart-unit = yes
allow-version = yes
"""


@scenario(Kind.ARGS)
def args_enforce(node: Node) -> None:
    """The daemon restarts RKE2 with its value; the real kubelet evicts the hog, the VM lives."""
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    expect_plan(node)
    node.await_used("vm", 300)
    before = node.container_pids("vm")
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.wait_for("the value is committed", lambda: committed(node), 900, every=5)
    flags = node.machine.check("pgrep --exact --list-full kubelet")
    say(f"in force: {flags}")
    expect("memory.available<" in flags, f"not among the kubelet's arguments: {flags}")
    expect("imagefs.available<5%,nodefs.available<5%" in flags, f"disk signals are lost: {flags}")
    expect("system-reserved=memory=800Mi" in flags, f"an argument of others is lost: {flags}")
    expect(node.container_pids("vm") == before, "the VM did not live through the restart")
    node.add_pod("hog", 1000, growth=(4000, 30))
    hog = node.machine.wait_for("the hog has failed", lambda: failed(node, "hog"), 900, every=5)
    say(f"hog: {hog['reason']}: {hog['message']}")
    expect(hog["reason"] == "Evicted", "the hog was not evicted")
    expect(node.vmstat("oom_kill") == 0, "the kernel killed")
    expect(node.container_pids("vm") == before, "the VM was lost")
    node.machine.wait_for("its incident", lambda: losses(node), 180, every=5)
    (loss,) = losses(node)
    expect_loss(loss, node.pod("hog")["uid"], "kubelet-eviction")


def expect_plan(node: Node) -> None:
    """plan sees the args target, the version, and the pods' requests from the API server."""
    code, plan = node.agent("plan")
    kubelet = plan["kubelet"]
    say(f"plan: exit code {code}, {kubelet['target']}, {plan['node']['kubelet_version']}")
    expect(kubelet["target"] == "rke2-args", f"target {kubelet['target']}")
    expect(plan["node"]["kubelet_version"] == "v1.20.2", "another version")
    (vm,) = (pod for pod in plan["pods"] if pod["name"] == "vm")
    expect((vm["class"], vm["request_source"]) == ("vm", "api"), f"{vm}")
    expect(vm["request_bytes"] == 400 << 20, f"{vm}")


def committed(node: Node) -> bool:
    return '"phase": "committed"' in (node.machine.find(f"{OURS}.journal") or "")
