# SPDX-License-Identifier: Apache-2.0
"""The stand-in kubelet's pods: their descriptions, their cgroups, their processes.

One JSON file a pod in /var/lib/e2e/pods stands for the API server: {"uid", "namespace", "name",
"created" (seconds), "command" (argv)} and, where needed, "request" and "limit" (MiB), "priority",
"container" (name), "restart" (true: its container is started again when it ends).
Cgroups are made through systemd, as containerd does with the systemd driver.
"""

import ctypes
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/var/lib/e2e/pods")
CGROUPS = Path("/sys/fs/cgroup")
KUBEPODS = CGROUPS / "kubepods.slice"
POD_LOGS = Path("/var/log/pods")
PAUSE = ["/usr/local/bin/workload"]
MIB = 1 << 20
CRITICAL_PRIORITY = 2_000_000_000
NODE_CRITICAL_PRIORITY = 2_000_001_000
# Source: kubernetes v1.34 pkg/kubelet/qos/policy.go; containerd's score of a sandbox.
GUARANTEED_SCORE = -997
SANDBOX_SCORE = -998


@dataclass(frozen=True)
class Pod:
    """Memory in bytes."""

    uid: str
    namespace: str
    name: str
    created: float
    command: tuple[str, ...]
    request: int
    limit: int | None
    priority: int
    container: str
    restart: bool

    @property
    def qos(self) -> str:
        """By memory alone: its CPU is taken to be as its memory."""
        if self.limit is not None and self.limit == self.request:
            return "guaranteed"
        return "burstable" if self.request or self.limit is not None else "besteffort"

    @property
    def static(self) -> bool:
        return "-" not in self.uid

    @property
    def critical(self) -> bool:
        return self.static or self.priority >= CRITICAL_PRIORITY

    @property
    def slice(self) -> str:
        qos = "" if self.qos == "guaranteed" else f"-{self.qos}"
        return f"kubepods{qos}-pod{self.uid.replace('-', '_')}.slice"

    @property
    def cgroup(self) -> Path:
        qos = "" if self.qos == "guaranteed" else f"kubepods-{self.qos}.slice"
        return KUBEPODS / qos / self.slice

    def container_id(self, part: str) -> str:
        return hashlib.sha256(f"{self.uid}/{part}".encode()).hexdigest()


def parse(text: str) -> Pod:
    found = json.loads(text)
    limit = found.get("limit")
    return Pod(
        uid=found["uid"],
        namespace=found["namespace"],
        name=found["name"],
        created=found["created"],
        command=tuple(found["command"]),
        request=found.get("request", 0) * MIB,
        limit=None if limit is None else limit * MIB,
        priority=found.get("priority", 0),
        container=found.get("container", "main"),
        restart=found.get("restart", False),
    )


def described() -> list[Pod]:
    """The pods of this node, the oldest first."""
    pods = []
    for file in FOLDER.glob("*.json"):
        try:
            pods.append(parse(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue  # deleted meanwhile
    return sorted(pods, key=lambda pod: (pod.created, pod.uid))


def score(pod: Pod, capacity: int) -> int:
    """oom_score_adj of its containers."""
    if pod.qos == "guaranteed" or pod.priority >= NODE_CRITICAL_PRIORITY:
        return GUARANTEED_SCORE
    if pod.qos == "besteffort":
        return 1000
    burstable = 1000 - 1000 * pod.request // capacity
    return min(max(burstable, 1000 + GUARANTEED_SCORE), 999)


def set_score(value: int) -> Callable[[], None]:
    def apply() -> None:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(value))

    return apply


def start_scope(pod: Pod, part: str, argv: list[str], oom_score: int, limit: int | None) -> None:
    """One container. It outlives the kubelet."""
    folder = POD_LOGS / f"{pod.namespace}_{pod.name}_{pod.uid}" / part
    folder.mkdir(parents=True, exist_ok=True)
    unit = f"cri-containerd-{pod.container_id(part)}.scope"
    command = ["systemd-run", "--quiet", "--scope", "--collect"]
    command += [f"--unit={unit}", f"--slice={pod.slice}"]
    if limit is not None:
        command.append(f"--property=MemoryMax={limit}")
    with (folder / "0.log").open("ab") as log:
        subprocess.Popen(
            [*command, "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=set_score(oom_score),
        )


def set_limit(slice_name: str, limit: int) -> None:
    subprocess.run(
        ["systemctl", "set-property", "--runtime", slice_name, f"MemoryMax={limit}"], check=True
    )
    subprocess.run(["systemctl", "start", slice_name], check=True)


def start(pod: Pod, capacity: int) -> None:
    """The sandbox and the container. Waits until the container's cgroup has its process."""
    Path(f"/var/lib/kubelet/pods/{pod.uid}/containers/{pod.container}").mkdir(
        parents=True, exist_ok=True
    )
    if pod.limit is not None:
        set_limit(pod.slice, pod.limit)
    if not processes(pod, "pause"):
        start_scope(pod, "pause", PAUSE, SANDBOX_SCORE, None)
    start_scope(pod, pod.container, list(pod.command), score(pod, capacity), pod.limit)
    deadline = time.monotonic() + 60
    while not processes(pod, pod.container) and time.monotonic() < deadline:
        time.sleep(0.05)


def processes(pod: Pod, part: str) -> list[int]:
    """Of one container; none when it does not run."""
    file = pod.cgroup / f"cri-containerd-{pod.container_id(part)}.scope/cgroup.procs"
    try:
        return [int(pid) for pid in file.read_text(encoding="ascii").split()]
    except OSError:
        return []


def runs(pod: Pod) -> bool:
    return bool(processes(pod, pod.container))


def kill(pod: Pod, grace: float) -> None:
    """SIGTERM to the container, after the grace SIGKILL to all of the pod; waits for its end."""
    for pid in processes(pod, pod.container):
        send(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while runs(pod) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        (pod.cgroup / "cgroup.kill").write_text("1", encoding="ascii")
    except OSError:
        return  # gone already
    deadline = time.monotonic() + 30
    while populated(pod) and time.monotonic() < deadline:
        time.sleep(0.1)


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def populated(pod: Pod) -> bool:
    try:
        return "populated 1" in (pod.cgroup / "cgroup.events").read_text(encoding="ascii")
    except OSError:
        return False


def stat_of(text: str, name: str) -> int:
    match = re.search(rf"^{name} (\d+)$", text, re.MULTILINE)
    return int(match.group(1)) if match else 0


def working_set(cgroup: Path) -> int:
    """memory.current without inactive_file; 0 of a cgroup that is gone."""
    try:
        current = int((cgroup / "memory.current").read_text(encoding="ascii"))
        stat = (cgroup / "memory.stat").read_text(encoding="ascii")
    except OSError:
        return 0
    return max(0, current - stat_of(stat, "inactive_file"))


def capacity() -> int:
    """MemTotal in bytes."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024


def node_available(total: int) -> int:
    """Source: opencontainers/cgroups fs2/memory.go, the root cgroup's usage is anon + file."""
    stat = (CGROUPS / "memory.stat").read_text(encoding="ascii")
    usage = stat_of(stat, "anon") + stat_of(stat, "file") - stat_of(stat, "inactive_file")
    return total - max(0, usage)


def pods_available() -> int:
    limit = (KUBEPODS / "memory.max").read_text(encoding="ascii").strip()
    return (1 << 62 if limit == "max" else int(limit)) - working_set(KUBEPODS)


def stay_resident() -> None:
    """A kubelet that has to be paged in while the machine thrashes evicts too late."""
    ctypes.CDLL(None).mlockall(3)
