# SPDX-License-Identifier: Apache-2.0
"""The agent changes the kubelet's settings, and things go wrong on the way."""

import json
from typing import Any

from node import CONFIG_DIR, Node, expect, say

from . import Kind, scenario

FILE = f"{CONFIG_DIR}/60-eviction-agent.conf"
JOURNAL = f"{FILE}.journal"
STAGED = f"{FILE}.staged"
STATE = "/var/lib/eviction-agent"
ENFORCE = "[agent]\nmode = enforce\nrestarts-per-day = 24\nrestart-spread = 0\n"
# The node; of the stand-in's only the first is there.
SERVICES = ("rke2-server", "kube-apiserver", "etcd")
# Files that the agent might touch, and their content, but for what a daemon learns and records of
# the node by looking.
FILES = (
    f"find {CONFIG_DIR} /etc/rancher {STATE} -type f ! -name 'growth.json*'"
    " ! -name 'recording.bin*' | sort | xargs -r md5sum"
)


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
    return node.machine.find(path) is not None


def phase(node: Node, file: str = FILE) -> str | None:
    """Of the transaction on this file."""
    content = node.machine.find(f"{file}.journal")
    return str(json.loads(content)["phase"]) if content else None


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
    expect(node.machine.run(f"ls {STATE}").code != 0, "its own state is left behind")
    node.restart_kubelet()
    expect_untouched(node, before)


@scenario(Kind.DROP_IN)
def enforce_evicts(node: Node) -> None:
    """The daemon puts a value in force that evicts a hog before the kernel kills; the VM lives."""
    before = add_pods(node)
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.wait_for(
        "the value is committed", lambda: phase(node) == "committed", 900, every=5
    )
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
def agent_restarts(node: Node) -> None:
    """A value that the agent takes away as it stops is back when it starts, without a restart."""
    node.add_pod("vm", 300, request=1700, vm=True)
    node.add_pod("container", 50, request=100, limit=100)
    node.await_running("vm", "container")
    before = processes(node)
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    node.machine.wait_for("committed", lambda: phase(node) == "committed", 900, every=5)
    value = node.machine.read(FILE)
    stop_and_start(node, value)
    node.restart_kubelet()
    node.machine.wait_for(
        "the agent has seen what this run uses", lambda: is_proven(node), 600, every=10
    )
    stop_and_start(node, value)
    node.machine.wait_for("it is in force", lambda: shows_in_force(node), 120)
    expect_in_force(node, before)
    node.restart_kubelet()
    node.await_running("vm", "container")
    expect_in_force(node, before)

    # A kubelet that starts meanwhile has it no more.
    node.stop_agent()
    expect(not exists(node, FILE), "the file is still there")
    node.restart_kubelet()
    expect(hard_in_force(node) is None, f"the kubelet has {hard_in_force(node)}")
    without = node.kubelet_pid()
    node.start_agent()
    node.machine.wait_for(
        "a transaction is committed",
        lambda: node.kubelet_pid() not in (without, None) and phase(node) == "committed",
        900,
        every=5,
    )
    expect_in_force(node, before)


def shows_in_force(node: Node) -> bool:
    """By status, which has nothing there until the kubelet was asked."""
    proof = status(node).get("in_force")
    return proof is not None and proof["state"] == "in-force"


def is_proven(node: Node) -> bool:
    """Whether the journal says that the kubelet which runs now uses the value."""
    proven = json.loads(node.machine.read(JOURNAL))["proven"]
    start = node.machine.check(f"awk '{{ print $22 }}' /proc/{node.kubelet_pid()}/stat")
    return bool(proven["start_ticks"] == int(start))


def stop_and_start(node: Node, value: str) -> None:
    """Of the agent; the kubelet runs on, and the file is as it was."""
    pid = node.kubelet_pid()
    node.stop_agent()
    expect(not exists(node, FILE), "the file is still there")
    node.start_agent()
    node.machine.wait_for("the file is back", lambda: exists(node, FILE), 120)
    expect(node.machine.read(FILE) == value, "another value")
    expect(status(node)["decision"]["act"] in ("restore", "nothing", "unstage"), "another act")
    expect(node.kubelet_pid() == pid, "the kubelet was restarted")


@scenario(Kind.DROP_IN)
def boot_alone(node: Node) -> None:
    """Enabled at boot, with kubelet, runtime and API server absent: ready at once, and it waits."""
    machine = node.machine
    node.write_agent_ini(ENFORCE)
    machine.check("systemctl enable eviction-agent")
    for service in SERVICES:
        machine.run(f"systemctl disable {service}")
    machine.check("sync")
    machine.cut_power()
    unit = "systemctl show --value --property=ActiveState,ActiveEnterTimestampMonotonic"
    state, ready = machine.wait_for(
        "the agent is ready", lambda: active(machine.run(f"{unit} eviction-agent").out), 60
    )
    say(f"{state} {ready / 1e6:.1f} s after the boot")
    expect(node.kubelet_pid() is None, "a kubelet runs")
    before = machine.check(FILES)
    machine.sleep(120)
    told = status(node)
    say(f"decision: {told.get('decision')}")
    expect(told.get("decision", {}).get("act") == "nothing", f"status: {told}")
    expect(machine.check(FILES) == before, "something was written")
    for service in SERVICES:
        machine.run(f"systemctl start --no-block {service}")
    node.await_healthy(300)
    machine.wait_for("the value is committed", lambda: phase(node) == "committed", 900, every=10)
    expect(hard_in_force(node), "the kubelet has no hard threshold")


def active(shown: str) -> tuple[str, int] | None:
    """The state and its time in microseconds since boot, once that is "active"."""
    state, _, ready = shown.strip().partition("\n")
    return (state, int(ready)) if state == "active" else None
