# SPDX-License-Identifier: Apache-2.0
"""The agent changes the kubelet's settings, and things go wrong on the way."""

import json
from typing import Any

from node import CONFIG_DIR, Node, expect, say

from . import Kind, scenario

FILE = f"{CONFIG_DIR}/60-eviction-agent.conf"
JOURNAL = f"{FILE}.journal"
STAGED = f"{FILE}.staged"
ENFORCE = "[agent]\nmode = enforce\nrestarts-per-day = 24\n"
APPLY = "eviction-agent apply -o json >/tmp/apply.out 2>/tmp/apply.err"


def add_pods(node: Node) -> dict[str, set[int]]:
    """A VM and a container, and their processes."""
    node.add_pod("vm", 300, request=400, vm=True)
    node.add_pod("container", 50, request=100, limit=100)
    node.await_running("vm", "container")
    node.await_used("vm", 300)
    return processes(node)


def processes(node: Node) -> dict[str, set[int]]:
    return {name: node.container_pids(name) for name in ("vm", "container")}


def hard_in_force(node: Node) -> str | None:
    value: str | None = (node.configz().get("evictionHard") or {}).get("memory.available")
    return value


def exists(node: Node, path: str) -> bool:
    return node.machine.run(f"test -e {path}").code == 0


def phase(node: Node) -> str | None:
    out = node.machine.run(f"cat {JOURNAL} 2>/dev/null").out
    return str(json.loads(out)["phase"]) if out else None


def status(node: Node) -> dict[str, Any]:
    out = node.machine.run("eviction-agent status -o json 2>/dev/null").out
    answer: dict[str, Any] = json.loads(out) if out else {}
    return answer


def expect_untouched(node: Node, before: dict[str, set[int]]) -> None:
    """No pod was restarted, nothing of ours is left, and the kubelet is healthy."""
    expect(processes(node) == before, f"pods were hurt: {before} became {processes(node)}")
    expect(not exists(node, FILE), "the file is still there")
    expect(node.healthy(), "the kubelet is not healthy")
    expect(hard_in_force(node) is None, f"the kubelet has {hard_in_force(node)}")


def expect_in_force(node: Node, before: dict[str, set[int]]) -> None:
    expect(processes(node) == before, f"pods were hurt: {before} became {processes(node)}")
    expect(hard_in_force(node) is not None, "the kubelet has no hard threshold")
    expect(node.machine.read(FILE).find(str(hard_in_force(node))) > 0, "not the file's value")
    expect(phase(node) == "committed", f"the journal says {phase(node)}")


@scenario(Kind.DROP_IN)
def apply_by_hand(node: Node) -> None:
    """apply puts the value in force, no pod is hurt, and rollback leaves nothing."""
    before = add_pods(node)
    old = node.kubelet_pid()
    code, outcome = node.agent("apply", timeout=600)
    say(f"apply: exit code {code}: {outcome['text']}")
    expect(code == 0, "apply failed")
    expect(node.kubelet_pid() != old, "the kubelet was not restarted")
    expect_in_force(node, before)
    others = node.machine.check(f"ls {CONFIG_DIR}").split()
    expect("00-rke2-defaults.conf" in others, f"files of others: {others}")
    code, outcome = node.agent("apply", timeout=600)
    say(f"a second apply: exit code {code}: {outcome['text']}")
    expect(code == 3 or "already" in outcome["text"], "it was done again, at once")
    code, _ = node.agent("rollback")
    expect(code == 0, "rollback failed")
    left = node.machine.check(f"ls -A {CONFIG_DIR}").split()
    expect(left == ["00-rke2-defaults.conf"], f"left behind: {left}")
    node.restart_kubelet()
    expect_untouched(node, before)


@scenario(Kind.DROP_IN)
def enforce_evicts(node: Node) -> None:
    """The daemon puts a value in force that evicts a hog before the kernel kills; the VM lives."""
    before = add_pods(node)
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.wait_for("the value is committed", lambda: phase(node) == "committed", 900, every=5)
    expect_in_force(node, before)
    node.add_pod("hog", 1000, growth=(4000, 30))
    hog = node.machine.wait_for(
        "the hog has failed", lambda: node.pod("hog").get("phase") == "Failed", 900, every=5
    )
    say(f"hog: {node.pod('hog')}, {hog}")
    expect(node.pod("hog")["reason"] == "Evicted", "the hog was not evicted")
    expect(node.vmstat("oom_kill") == 0, "the kernel killed")
    expect(processes(node) == before, "other pods were hurt")


@scenario(Kind.DROP_IN)
def full_node(node: Node) -> None:
    """On a node that requests fill, no hard value is set and nothing is lost."""
    names = ("vm-old", "vm-middle", "vm-new")
    for name in names:
        node.add_pod(name, 200, request=1200, vm=True)
    node.await_running(*names)
    before = {name: node.container_pids(name) for name in names}
    code, plan = node.agent("plan")
    sizing = plan["sizing"]
    say(f"plan: {code}, {sizing['instrument']}: {sizing['reason']}")
    expect(sizing["instrument"] in ("soft", "none"), "a hard value on a full node")
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    if sizing["instrument"] == "soft":
        node.machine.wait_for("committed", lambda: phase(node) == "committed", 900, every=5)
        soft = node.configz().get("evictionSoft")
        say(f"evictionSoft: {soft}")
        expect(soft, "no soft threshold is in force")
    expect(hard_in_force(node) is None, "a hard value is in force")
    node.restart_kubelet()
    node.await_running(*names)
    expect(before == {name: node.container_pids(name) for name in names}, "pods were hurt")


@scenario(Kind.DROP_IN)
def kubelet_not_back(node: Node) -> None:
    """The kubelet does not come back with the value: put back and healthy within two minutes."""
    before = add_pods(node)
    node.set_kubelet_fault("refuse-memory-signal")
    code, outcome = node.agent("apply", timeout=600)
    say(f"apply: exit code {code}: {outcome['text']}")
    expect(code == 1, "apply did not fail")
    expect_untouched(node, before)
    expect(not exists(node, JOURNAL), "the journal is still there")
    record = json.loads(node.machine.read("/var/lib/eviction-agent/state.json"))
    expect(record["failures"] == 1, f"record: {record}")


def interrupt(node: Node, at: str, power_cut: bool) -> None:
    """Begins to apply, and kills the agent, or cuts the power, in that phase."""
    node.machine.check(f"systemd-run --unit=apply sh -c '{APPLY}'")
    node.machine.wait_for(f"phase {at}", lambda: phase(node) == at, 300, every=0.2)
    if power_cut:
        node.cut_power()
    else:
        node.machine.check("systemctl kill --signal=KILL apply")
    say(f"{'power cut' if power_cut else 'killed'} in phase {at}, file: {exists(node, FILE)}")


def settle(node: Node, before: dict[str, set[int]] | None) -> None:
    """The next agent finishes or undoes what was interrupted."""
    node.write_agent_ini("[agent]\nmode = stage\n")
    node.start_agent()
    node.await_healthy(300)
    node.machine.wait_for(
        "finished or undone", lambda: phase(node) in (None, "committed"), 900, every=5
    )
    in_force = hard_in_force(node)
    say(f"phase {phase(node)}, in force {in_force}")
    expect(node.healthy(), "the kubelet is not healthy")
    expect(exists(node, FILE) == (phase(node) == "committed"), "file and journal disagree")
    if before is not None:
        expect(processes(node) == before, f"pods were hurt: {before}, {processes(node)}")
    node.stop_agent()


@scenario(Kind.DROP_IN)
def killed_in_restart(node: Node) -> None:
    """The agent is killed right after it told the kubelet; the next one finishes or undoes."""
    before = add_pods(node)
    interrupt(node, "restart", power_cut=False)
    settle(node, before)


@scenario(Kind.DROP_IN)
def killed_in_watch(node: Node) -> None:
    """The agent is killed while it watches the pods; the next one finishes or undoes."""
    before = add_pods(node)
    interrupt(node, "watch", power_cut=False)
    settle(node, before)


@scenario(Kind.DROP_IN)
def power_cut_while_applying(node: Node) -> None:
    """The power goes while the pods are watched; after the boot it is finished or undone."""
    add_pods(node)
    interrupt(node, "watch", power_cut=True)
    settle(node, None)


@scenario(Kind.DROP_IN)
def read_only_target(node: Node) -> None:
    """Neither a read-only nor a full file system of the target loses or changes anything."""
    before = add_pods(node)
    old = node.kubelet_pid()
    node.machine.check(
        f"cp -a {CONFIG_DIR} /tmp/saved && mount -t tmpfs -o size=16k,mode=700 none {CONFIG_DIR} && "
        f"cp -a /tmp/saved/. {CONFIG_DIR}/"
    )
    node.machine.check(f"mount -o remount,ro {CONFIG_DIR}")
    code, outcome = node.agent("apply", timeout=600)
    say(f"read-only: exit code {code}: {outcome['text']}")
    expect(code == 1, "apply on a read-only file system did not fail")
    expect("Read-only file system" in outcome["text"], "it does not say why")
    node.machine.check(f"mount -o remount,rw {CONFIG_DIR}")
    node.machine.run(f"dd if=/dev/zero of={CONFIG_DIR}/fill bs=1k count=100")
    code, outcome = node.agent("apply", timeout=600)
    say(f"full: exit code {code}: {outcome['text']}")
    expect(code == 1, "apply on a full file system did not fail")
    expect("No space left" in outcome["text"], "it does not say why")
    expect(node.kubelet_pid() == old, "the kubelet was restarted")
    node.machine.check(f"rm {CONFIG_DIR}/fill")
    expect_untouched(node, before)


@scenario(Kind.DROP_IN)
def later_pods(node: Node) -> None:
    """With a hard value in force pods fill the node; no start of the kubelet rejects a running one."""
    add_pods(node)
    code, outcome = node.agent("apply", timeout=600)
    expect(code == 0, f"apply: {outcome}")
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    _, allocatable = node.memory()
    room = (allocatable >> 20) - 500
    node.add_pod("late", 100, request=room - 10, vm=True)
    node.await_running("late")
    late = node.container_pids("late")
    node.signal_agent("STOP")
    node.restart_kubelet()
    node.await_running("vm", "container", "late")
    expect(node.container_pids("late") == late, "the late pod was hurt without the agent")
    node.signal_agent("CONT")
    node.restart_kubelet()
    node.await_running("vm", "container", "late")
    expect(node.container_pids("late") == late, "the late pod was hurt")


@scenario(Kind.DROP_IN)
def boot_alone(node: Node) -> None:
    """The daemon is ready though neither kubelet nor container runtime is there, and waits."""
    node.machine.check("systemctl stop rke2-server; pkill -KILL -x kubelet; pkill -x containerd; true")
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.check("sleep 30")
    told = status(node)
    say(f"decision: {told.get('decision')}")
    expect(told.get("decision", {}).get("act") == "nothing", f"status: {told}")
    node.machine.check("systemctl start --no-block rke2-server")
    node.await_healthy(300)
    expect(node.machine.run("systemctl is-active eviction-agent").out.strip() == "active", "dead")
