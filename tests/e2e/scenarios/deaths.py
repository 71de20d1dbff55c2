# SPDX-License-Identifier: Apache-2.0
"""The agent dies, or the power goes, at each of its deeds; the next agent finishes or undoes it.

A deed is a deletion, a rename, a new folder, a sync, or the kubelet's signal (guest/dies.cc). The
deeds of one change are found by letting it happen once. What another process sees, and what is on
the disk, differs from sync to sync and before and after the signal: those are the points to die at.
A power cut costs a boot each. So after the first it comes before the syncs of folders only: what is on
the disk before that of a file is there once more before that of its folder, when the rename is lost.
"""

from collections.abc import Callable
from typing import NamedTuple

from node import CONFIG_DIR, Node, expect, say

from . import Function, Kind, scenario
from .transaction import FILE, JOURNAL, exists, hard_in_force, phase, processes

DEEDS = "/run/e2e-deeds"
KILL, POWER_CUT = "kill", "power cut"
WITH_PODS = "with-pods"
LIBRARY = "/usr/local/lib/e2e/dies.so"
FOREIGN = (
    f"find {CONFIG_DIR} /etc/rancher -type f ! -name '60-eviction-agent.conf*' | "
    "sort | xargs md5sum"
)
# Beside the files of others; a half-written record of the agent's own is overwritten by the next.
LEFT = f"find {CONFIG_DIR} /etc/rancher -name '*.tmp'"


class Deed(NamedTuple):
    number: int
    what: str
    path: str

    def __str__(self) -> str:
        return f"{self.number} ({self.what} {self.path.rsplit('/', 1)[-1]})"


REHEARSED: dict[str, list[Deed]] = {}  # by the kubelet's fault


def apply(last: int, death: str) -> str:
    """A command: applies, and dies at that deed; 0 for none. A power cut leaves time to answer."""
    variables = {"LD_PRELOAD": LIBRARY, "E2E_DEEDS": DEEDS, "E2E_LAST": last, "E2E_DEATH": death}
    settings = " ".join(f"--setenv='{name}={value}'" for name, value in variables.items())
    when = "--on-active=5" if death == POWER_CUT else "--wait"
    return f"systemd-run --quiet --unit=apply {when} {settings} /usr/local/bin/eviction-agent apply"


def deeds(node: Node) -> list[Deed]:
    """So far."""
    lines = (node.machine.find(DEEDS) or "").splitlines()
    return [Deed(int(number), what, path) for number, what, path in map(str.split, lines)]


def rehearse(node: Node, fault: str) -> list[Deed]:
    """What a change does when nobody dies; the same in each scenario."""
    if fault not in REHEARSED:
        node.machine.run(apply(0, ""), timeout=900)
        found = deeds(node)
        expect(len(found) > 20, f"few deeds: {found}")
        REHEARSED[fault] = found
    return REHEARSED[fault]


def stop_at(node: Node, deed: Deed, power_cut: bool) -> None:
    if power_cut:
        node.machine.check(apply(deed.number, POWER_CUT))
        node.machine.await_boot()
        node.await_pods_known()
    else:
        node.machine.run(apply(deed.number, KILL), timeout=900)
        expect(len(deeds(node)) == deed.number, f"not killed at deed {deed}")


def expect_settled(
    node: Node, deed: Deed, before: dict[str, set[int]] | None, foreign: str
) -> None:
    """The next agent finishes or undoes it, nothing else is changed, and nothing is left over.

    before: the pods' processes, where they are to live on.
    """
    machine = node.machine
    node.write_agent_ini("[agent]\nmode = stage\n")
    node.start_agent()
    machine.sleep(5)  # its first walk takes up what was interrupted
    machine.wait_for("an end", lambda: phase(node) in (None, "committed"), 900, every=5)
    node.await_healthy()
    kept = exists(node, FILE)
    if not kept and hard_in_force(node):
        node.restart_kubelet()  # a healthy kubelet is not restarted to forget a value
    in_force = hard_in_force(node)
    say(f"{deed}: {'in force' if kept else 'as before'}")
    expect(kept == (phase(node) == "committed"), f"{deed}: file and journal disagree")
    expect((in_force is not None) == kept, f"{deed}: file {kept}, the kubelet has {in_force}")
    expect(machine.check(FOREIGN) == foreign, f"{deed}: files of others changed")
    # Swept in the first walk that finds the kubelet.
    machine.wait_for(f"{deed}: nothing is left behind", lambda: not machine.check(LEFT), 60, 5)
    if before is None:
        machine.wait_for(f"{deed}: the pods run", lambda: all(processes(node).values()), 180)
    else:
        expect(processes(node) == before, f"{deed}: pods were hurt: {before}, {processes(node)}")
    node.stop_agent()


Chosen = Callable[[list[Deed]], list[Deed]]


def dies(power_cut: bool, fault: str, chosen: Chosen) -> Function:
    """A scenario. chosen: at which deeds."""

    def run(node: Node) -> None:
        node.add_pod("vm", 100, request=400, vm=True, restart=power_cut)
        node.add_pod("container", 50, request=100, limit=100, restart=power_cut)
        node.await_running("vm", "container")
        node.await_used("vm", 100)
        before = None if power_cut else processes(node)
        foreign = node.machine.check(FOREIGN)
        node.set_kubelet_fault(fault)
        node.machine.check("sync")
        node.machine.save(WITH_PODS)
        found = chosen(rehearse(node, fault))
        points = cuts(found) if power_cut else kills(found)
        expect(points, "no deeds")
        for deed in points:
            node.machine.load(WITH_PODS)
            stop_at(node, deed, power_cut)
            expect_settled(node, deed, before, foreign)

    return run


def kills(found: list[Deed]) -> list[Deed]:
    return [deed for deed in found if deed.what == "fsync" or deed.what.startswith("signal")]


def cuts(found: list[Deed]) -> list[Deed]:
    """Nothing of a signal is on the disk."""
    syncs = [deed for deed in found if deed.what == "fsync"]
    return syncs[:1] + [deed for deed in syncs[1:] if not deed.path.endswith(".tmp")]


def told(found: list[Deed]) -> int:
    """The index of the deed that tells the kubelet."""
    return [deed.what for deed in found].index("signal")


def until_told(found: list[Deed]) -> list[Deed]:
    return found[: told(found)]


def from_told(found: list[Deed]) -> list[Deed]:
    return found[told(found) :]


def putting_back(found: list[Deed]) -> list[Deed]:
    """From the journal that says so on: the first after the kubelet was told."""
    return found[told(found) + 2 :]


def register(name: str, about: str, function: Function, long: bool) -> None:
    function.__name__, function.__doc__ = name, about
    scenario(Kind.DROP_IN, long)(function)


POWER_GOES = "The power goes before the first sync, and before each one of a folder,"

for chosen, which in (
    (until_told, "before the kubelet is told"),
    (from_told, "from then on"),
    (putting_back, "while it puts back what the kubelet refuses"),
):
    fault = "refuse-memory-signal" if chosen is putting_back else ""
    for power_cut, start in ((False, "killed"), (True, "power_cut")):
        register(
            f"{start}_{chosen.__name__}",
            f"{POWER_GOES if power_cut else 'The agent is killed at every step'} {which}.",
            dies(power_cut, fault, chosen),
            long=power_cut,
        )
