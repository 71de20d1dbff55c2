# SPDX-License-Identifier: Apache-2.0
"""Runs to which the model of agent/simulate is held: tests/simulate/machine_test.cc has the same ones.

The kubelet has the allocatable copy of a threshold only: kubepods' limit less what pods use.
"""

import json
import re

from node import Node, Pod, expect, say

from . import Kind, scenario

BY_HAND = "/etc/rancher/rke2/config.yaml.d/50-by-hand.yaml"
VM = Pod("vm", 300, request=400, vm=True)
QUIET_SECONDS = 120  # nobody else is lost in that time


def set_threshold(node: Node, hard: int, reclaim: int) -> None:
    """MiB. The disk signals stay as they were."""
    disks = "imagefs.available<5%,nodefs.available<5%"
    arguments = [f"eviction-hard=memory.available<{hard}Mi,{disks}"]
    arguments += [f"eviction-minimum-reclaim=memory.available={reclaim}Mi"]
    node.machine.write(BY_HAND, json.dumps({"kubelet-arg+": arguments}))
    node.machine.check("systemctl restart rke2-server.service", timeout=300)
    node.await_healthy(300)


def losses(node: Node, pods: tuple[Pod, ...]) -> dict[str, str]:
    """Who is lost, and by what: Evicted or OOMKilled."""
    told = {pod.name: node.pod(pod.name) for pod in pods}
    return {name: one["reason"] for name, one in told.items() if one["phase"] == "Failed"}


def run(node: Node, hard: int, reclaim: int, pods: tuple[Pod, ...], ends: dict[str, str]) -> None:
    """The pods begin one after the other, the last one grows; ends: who is lost, in that order."""
    set_threshold(node, hard, reclaim)
    for pod in (VM, *pods):
        node.create_pod(pod)
        node.await_running(pod.name)
        node.await_used(pod.name, pod.memory)
    begun = now = node.machine.sleep()
    seen: dict[str, str] = {}
    until = begun + 600
    while now < until:
        now = node.machine.sleep(2)
        for name, reason in losses(node, pods).items():
            if name not in seen:
                until = now + QUIET_SECONDS
                seen[name] = reason
                used = re.search(r"using (\d+)Ki", node.pod(name)["message"])
                mib = int(used[1]) // 1024 if used else "unknown"
                say(f"{name}: {reason} {now - begun:.0f} s after the last began, at {mib} MiB")
    say(f"oom_kill: {node.vmstat('oom_kill')}")
    expect(list(seen.items()) == list(ends.items()), f"{seen}, not {ends}")
    expect(node.is_running(VM.name), "the VM was lost")


@scenario(Kind.ARGS)
def model_too_small(node: Node) -> None:
    """A threshold of 100Mi, a container of 30 MiB/s."""
    hog = Pod("hog", 1000, growth=(4000, 30))
    run(node, 100, 0, (hog,), {"hog": "OOMKilled"})


@scenario(Kind.ARGS)
def model_fast(node: Node) -> None:
    """1800Mi, a container of 100 MiB/s."""
    hog = Pod("hog", 300, growth=(4000, 100))
    run(node, 1800, 0, (hog,), {"hog": "Evicted"})


@scenario(Kind.ARGS)
def model_requests(node: Node) -> None:
    """592Mi; one holds more than its request, another grows within it, and then beyond."""
    over = Pod("over", 700, request=100)
    grows = Pod("grows", 900, growth=(2000, 10), request=1700)
    run(node, 592, 0, (over, grows), {"over": "Evicted", "grows": "Evicted"})


@scenario(Kind.ARGS)
def model_reclaim(node: Node) -> None:
    """592Mi, of which 1500Mi more are to be reclaimed: the second goes for that alone."""
    first = Pod("first", 1300)
    second = Pod("second", 500, growth=(2000, 10))
    run(node, 592, 1500, (first, second), {"first": "Evicted", "second": "Evicted"})
