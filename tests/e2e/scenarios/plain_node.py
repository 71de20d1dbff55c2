# SPDX-License-Identifier: Apache-2.0
"""The node without the agent's doing: that the machine behaves as a real one would."""

from node import KUBELET_LOG, Node, expect, say

from . import Kind, scenario

DROP_IN = "90-by-hand.conf"
HARD_700 = {"evictionHard": {"memory.available": "700Mi"}}
SOFT_700 = {
    "evictionSoft": {"memory.available": "700Mi"},
    "evictionSoftGracePeriod": {"memory.available": "1s"},
    "evictionMaxPodGracePeriod": 0,
}
VMS = ("vm-old", "vm-middle", "vm-new")


def add_hog(node: Node) -> None:
    """Has 2 GiB at once, then grows by 30 MiB/s beyond all memory the machine has."""
    node.add_pod("hog", 2000, growth=(4000, 30))


def fill_with_vms(node: Node) -> None:
    """Requests of 3600 MiB on a node of some 3900."""
    for name in VMS:
        node.add_pod(name, 200, request=1200, vm=True)
    node.await_running(*VMS)


@scenario(Kind.DROP_IN)
def no_signal(node: Node) -> None:
    """Without a memory signal a hog ends in the kernel's global OOM kill, not in an eviction."""
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    before = node.vmstat("oom_kill")
    add_hog(node)
    say(f"oom_kill is {before}; waiting for it to rise")
    node.machine.wait_for("oom_kill rises", lambda: node.vmstat("oom_kill") > before, 900, every=5)
    hog = node.machine.wait_for("the hog has failed", lambda: failed(node, "hog"), 300)
    expect(hog["reason"] != "Evicted", "the hog was evicted without any signal")
    kernel = node.machine.run("journalctl -k --no-pager | grep -a 'oom-kill:'").out
    expect("constraint=CONSTRAINT_NONE" in kernel, f"not a global OOM kill:\n{kernel}")


@scenario(Kind.DROP_IN)
def stand_in_evicts(node: Node) -> None:
    """With a threshold that is large enough the kubelet evicts the hog before the kernel kills."""
    node.write_drop_in(DROP_IN, evictionHard={"memory.available": "1100Mi"})
    node.restart_kubelet()
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    add_hog(node)
    hog = node.machine.wait_for("the hog has failed", lambda: failed(node, "hog"), 900, every=5)
    say(f"hog: {hog['reason']}: {hog['message']}")
    expect(hog["reason"] == "Evicted", "the hog was not evicted")
    expect(node.vmstat("oom_kill") == 0, "the kernel killed")
    expect(node.is_running("vm"), "the VM was lost")


def failed(node: Node, name: str) -> dict[str, str] | None:
    pod = node.pod(name)
    return pod if pod.get("phase") == "Failed" else None


@scenario(Kind.DROP_IN)
def stand_in_restart(node: Node) -> None:
    """SIGTERM to the kubelet: RKE2 starts it again, and its pods run on."""
    names = ("vm", "container")
    node.add_pod("vm", 200, request=300, vm=True)
    node.add_pod("container", 50, request=100, limit=100)
    node.await_running(*names)
    before = {name: node.container_pids(name) for name in names}
    took = node.restart_kubelet()
    say(f"healthy again after {took:.1f} s")
    expect(all(before.values()), f"pods without processes: {before}")
    after = {name: node.container_pids(name) for name in names}
    expect(after == before, f"processes before {before}, after {after}")
    expect(all(node.is_running(name) for name in names), "a pod no longer counts as running")


@scenario(Kind.DROP_IN)
def stand_in_rejects(node: Node) -> None:
    """A hard value on a full node rejects the newest running pod at the next start; soft none."""
    fill_with_vms(node)
    node.write_drop_in(DROP_IN, **SOFT_700)
    node.restart_kubelet()
    node.restart_kubelet()
    expect(all(node.is_running(name) for name in VMS), "soft rejected a pod")
    capacity, allocatable = node.memory()
    expect(allocatable == capacity, f"soft lowered Allocatable by {capacity - allocatable}")
    node.write_drop_in(DROP_IN, **HARD_700)
    node.restart_kubelet()
    expect(node.configz()["evictionHard"]["memory.available"] == "700Mi", "configz lacks the value")
    newest = node.machine.wait_for("a pod was rejected", lambda: failed(node, VMS[-1]), 120)
    say(f"{VMS[-1]}: {newest['reason']}: {newest['message']}")
    expect(newest["reason"] == "OutOfmemory", "it failed for another reason")
    node.machine.wait_for("its processes end", lambda: not node.container_pids(VMS[-1]), 60)
    expect(all(node.is_running(name) for name in VMS[:-1]), "others were lost too")


@scenario(Kind.DROP_IN)
def stand_in_bad_file(node: Node) -> None:
    """A drop-in that the kubelet refuses keeps it from starting; its removal heals that."""
    node.add_pod("vm", 100, request=200, vm=True)
    node.await_running("vm")
    before = node.container_pids("vm")
    node.write_drop_in(DROP_IN, evictionHard={"memory.available": "0Mi"})
    node.machine.check(f"kill -TERM {node.kubelet_pid()}")
    starts = f"grep -ac 'must be positive' {KUBELET_LOG}"
    node.machine.wait_for("a crash loop", lambda: int(node.machine.run(starts).out) >= 3, 180)
    expect(not node.healthy(), "the kubelet is healthy with a threshold of 0Mi")
    node.remove_drop_in(DROP_IN)
    node.await_healthy()
    expect(node.container_pids("vm") == before, "the pod did not live through it")


@scenario(Kind.DROP_IN)
def power_cut(node: Node) -> None:
    """A reset without a sync loses what was not synced, a rename included; the node comes back."""
    node.add_pod("vm", 100, request=200, vm=True, restart=True)
    node.await_running("vm")
    machine = node.machine
    machine.check("echo old >/root/renamed; echo old >/root/synced; sync")
    machine.check(
        "echo new >/root/tmp && sync /root/tmp && mv /root/tmp /root/synced && sync /root &&"
        "echo new >/root/tmp && mv /root/tmp /root/renamed"
    )
    node.cut_power()
    expect(machine.read("/root/synced") == "new\n", "a synced file was lost")
    expect(machine.read("/root/renamed") != "new\n", "an unsynced file survived: no test of fsync")
    node.await_healthy()
    machine.wait_for("the pod runs again", lambda: node.container_pids("vm"), 180)
