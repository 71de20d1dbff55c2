# SPDX-License-Identifier: Apache-2.0
"""An administrator's own value comes after the agent's file: said, and nothing is restarted."""

from node import CONFIG_DIR, Node, expect, say

from . import Kind, scenario
from .transaction import ENFORCE, FILE, exists, status

RKE2_CONFIG = "/etc/rancher/rke2/config.yaml"
LATER = "90-admin.conf"


def expect_left_alone(node: Node, holder: str) -> None:
    """plan, check, apply and the daemon name who holds the value, and none of them acts."""
    old = node.kubelet_pid()
    code, plan = node.agent("plan")
    guards = {guard["name"]: guard for guard in plan["guards"]}
    say(f"plan: exit code {code}, {guards['not-shadowed']}")
    expect(code == 3, f"plan ended with {code}")
    expect(guards["not-shadowed"]["ok"] is False, "the guard not-shadowed holds")
    expect(holder in guards["not-shadowed"]["reason"], f"it does not name {holder}")
    expect(holder in (plan["kubelet"]["shadowed_by"] or ""), "plan: not shadowed")
    _, check = node.agent("check")
    said = [finding for finding in check["findings"] if holder in str(finding)]
    expect(said, f"check does not name {holder}: {check['findings']}")
    code, outcome = node.agent("apply")
    expect(code == 3 and "not-shadowed" in outcome["text"], f"apply: {code}, {outcome}")
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.sleep(60)
    decision = status(node)["decision"]
    say(f"decision: {decision}")
    expect(decision["act"] == "nothing", f"status: {decision}")
    expect("not-shadowed" in decision["reason"], "status does not say why")
    expect(node.kubelet_pid() == old, "the kubelet was restarted")
    expect(not exists(node, FILE), "the file was written")


@scenario(Kind.DROP_IN)
def shadowed_by_flag(node: Node) -> None:
    """An administrator's kubelet-arg replaces every file's map: said, and nothing is restarted."""
    value = "eviction-hard=memory.available<100Mi,nodefs.available<5%,imagefs.available<5%"
    node.machine.write(RKE2_CONFIG, f'kubelet-arg: ["{value}"]\n')
    node.machine.check("systemctl restart rke2-server", timeout=300)
    node.await_healthy()
    node.await_settled()
    expect_left_alone(node, "--eviction-hard")


@scenario(Kind.DROP_IN)
def shadowed_by_file(node: Node) -> None:
    """An administrator's later drop-in has another value: said, and nothing is restarted."""
    node.write_drop_in(LATER, evictionHard={"memory.available": "100Mi"})
    node.restart_kubelet()
    node.await_settled()
    expect_left_alone(node, f"{CONFIG_DIR}/{LATER}")
