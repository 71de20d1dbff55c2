# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios side by side: each lane has a machine of its own, and takes what is left to do."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import scenarios
from machine.machine import Failed, Machine
from node import Node
from scenarios import Kind, Scenario

READY = "ready"  # the snapshot of a healthy node without pods
ERRORS = (Failed, ConnectionError, OSError, RuntimeError, LookupError, ValueError)


@dataclass(frozen=True)
class Parts:
    """What machines are made of."""

    image: Path
    disks: "dict[Kind, Future[Path]]"  # the second disk
    node: Callable[[Kind, Machine], Node]
    scratch: Path
    logs: Path


class Nodes:
    """Makes one healthy node of each kind; the machines of the lanes begin as copies of it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._locks = {kind: threading.Lock() for kind in Kind}

    def start(self, kind: Kind, scratch: Path, logs: Path) -> Machine:
        """A machine of a lane's own, in the state READY."""
        disk = self.parts.disks[kind].result()
        folder = self.parts.scratch / kind.value
        with self._locks[kind]:
            if not folder.exists():
                self._make(kind, disk, folder)
        return Machine(self.parts.image, disk, scratch, logs, folder / "overlay.qcow2", READY)

    def _make(self, kind: Kind, disk: Path, folder: Path) -> None:
        begun = time.monotonic()
        work = folder.with_suffix(".work")
        work.mkdir()
        logs = self.parts.logs / f"node-{kind.value}"
        logs.mkdir()
        with Machine(self.parts.image, disk, work, logs) as machine:
            node = self.parts.node(kind, machine)
            try:
                node.set_up()
                node.await_settled()
            finally:
                node.collect(logs)
            machine.check("sync")
            machine.save(READY)
        work.rename(folder)
        print(f"--> node for {kind.value}: {time.monotonic() - begun:.0f} s", flush=True)


class Work:
    """The scenarios that no lane has taken yet."""

    def __init__(self, names: list[str], is_ready: Callable[[Kind], bool]) -> None:
        self._left = list(names)
        self._is_ready = is_ready
        self._lock = threading.Lock()
        self._taken: list[Kind] = []  # of which lanes have machines now

    def take(self, own: Kind | None) -> str | None:
        """The next one for a lane whose machine is of this kind: what can begin at once before what
        still has to be built, a kind that no other lane has, so that none waits for another's node,
        its own kind, and the long ones first."""
        with self._lock:
            if own:
                self._taken.remove(own)
            if not self._left:
                return None
            name = min(self._left, key=lambda name: self._cost(scenarios.ALL[name], own))
            self._left.remove(name)
            self._taken.append(scenarios.ALL[name].kind)
            return name

    def _cost(self, one: Scenario, own: Kind | None) -> tuple[bool, bool, bool, bool]:
        kind = one.kind
        return (not self._is_ready(kind), kind in self._taken, kind is not own, not one.long)


class Lane:
    """One machine at a time."""

    def __init__(self, number: int, nodes: Nodes) -> None:
        self._nodes = nodes
        self._scratch = nodes.parts.scratch / f"lane-{number}"
        self._logs = nodes.parts.logs / f"lane-{number}"
        self._kind: Kind | None = None
        self._machine: Machine | None = None
        self._has: Kind | None = None  # what the machine is
        self.failed: list[str] = []
        self.ended = False

    def run(self, work: Work) -> None:
        """ended is set when it did all it took."""
        self._scratch.mkdir()
        self._logs.mkdir()
        while name := work.take(self._kind):
            self._kind = scenarios.ALL[name].kind
            threading.current_thread().name = name  # say() tells it
            if not self._run_one(name):
                self.failed.append(name)
        self._end()
        self.ended = True

    def _end(self) -> None:
        if self._machine:
            self._machine.end()
        self._machine = None

    def _prepare(self, kind: Kind, transcript: Path) -> Machine:
        if self._machine and self._has is kind:
            self._machine.load(READY)
        else:
            self._end()
            self._machine = self._nodes.start(kind, self._scratch, self._logs)
            self._has = kind
        self._machine.transcript = transcript
        return self._machine

    def _run_one(self, name: str) -> bool:
        scenario = scenarios.ALL[name]
        folder = self._nodes.parts.logs / name
        folder.mkdir()
        begun = time.monotonic()
        print(f"==> {name}: {scenario.about}", flush=True)
        verdict, node = "passed", None
        try:
            machine = self._prepare(scenario.kind, folder / "commands.log")
            node = self._nodes.parts.node(scenario.kind, machine)
            scenario.function(node)
        except ERRORS as error:
            verdict = "FAILED"
            print(f"    {name}: {error!r}\n    logs: {folder}", flush=True)
        print(f"<== {name}: {verdict} in {time.monotonic() - begun:.0f} s", flush=True)
        self._collect(node, folder)
        return verdict == "passed"

    def _collect(self, node: Node | None, folder: Path) -> None:
        """A machine that does not even tell its logs is not used again."""
        try:
            if node:
                node.collect(folder)
        except ERRORS as error:
            print(f"    {folder.name}: no logs from the machine: {error!r}", flush=True)
            self._end()


def run(names: list[str], parts: Parts, lanes: int) -> list[str]:
    """The names of the scenarios that failed."""
    nodes = Nodes(parts)
    work = Work(names, lambda kind: parts.disks[kind].done())
    all_lanes = [Lane(number, nodes) for number in range(lanes)]
    threads = [threading.Thread(target=lane.run, args=(work,), daemon=True) for lane in all_lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    crashed = [f"lane {number}" for number, lane in enumerate(all_lanes) if not lane.ended]
    return sorted(name for lane in all_lanes for name in lane.failed) + crashed
