# SPDX-License-Identifier: Apache-2.0
"""What the agent says about the node, before it may change anything."""

from node import CONFIG_DIR, Node, expect, say

from . import Kind, scenario


@scenario(Kind.DROP_IN)
def plan_on_node(node: Node) -> None:
    """plan and check see the target, the kubelet's version, the pods, and what they request."""
    node.add_pod("vm", 200, request=300, vm=True)
    node.add_pod("container", 50, request=100, limit=100)
    node.await_running("vm", "container")
    node.await_used("vm", 200)
    code, plan = node.agent("plan")
    sizing = plan["sizing"]
    say(f"plan: exit code {code}, {sizing['instrument']}, {sizing['need_bytes'] >> 20} MiB needed")
    expect(code in (0, 3), f"plan ended with {code}")
    expect(plan["kubelet"]["target"] == "rke2-dropin", f"target {plan['kubelet']['target']}")
    file = plan["kubelet"]["file"]
    expect(file == f"{CONFIG_DIR}/60-eviction-agent.conf", f"file {file}")
    version = plan["node"]["kubelet_version"]
    expect(version == node.kubelet_version, f"version {version}")
    pods = {pod["name"]: pod for pod in plan["pods"]}
    expect(pods["vm"]["class"] == "vm", f"class of the VM: {pods['vm']}")
    expect(pods["container"]["class"] == "container", f"class of it: {pods['container']}")
    requests = {name: pods[name]["request_bytes"] >> 20 for name in ("vm", "container")}
    expect(requests == {"vm": 300, "container": 100}, f"requests in MiB: {requests}")
    code, check = node.agent("check")
    errors = [finding for finding in check["findings"] if finding["severity"] == "error"]
    say(f"check: exit code {code}, {len(check['findings'])} findings")
    expect(code == (1 if errors else 0), f"check ended with {code}, errors: {errors}")
