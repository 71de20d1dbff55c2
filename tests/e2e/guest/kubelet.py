# SPDX-License-Identifier: Apache-2.0
"""Stands for a kubelet 1.34: starts, admits, evicts and refuses as that does, memory only.

What became of its pods is in /var/lib/e2e/status.json, which stands for the API server's answer.
Not stood for: CPU and disk, device plugins, the preemption by which a critical pod that does not
fit makes room (it is admitted), the age of the statistics.
"""

import json
import os
import socket
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import kubelet_config
import kubelet_eviction
import kubelet_http
import kubelet_pods
from kubelet_config import Refused
from kubelet_pods import Pod

STATUS = Path("/var/lib/e2e/status.json")
CHECKPOINT = Path("/var/lib/kubelet/allocated_pods_state")
POLL_SECONDS = 1  # for new and deleted pods, and containers that ended
EVICTION_SECONDS = 10
RESTART_SECONDS = 10  # the first back-off of a container


def klog(level: str, text: str) -> None:
    now = datetime.now(timezone.utc).strftime("%m%d %H:%M:%S.%f")
    print(f"{level}{now} {os.getpid():7d} kubelet.go:1] {text}", file=sys.stderr, flush=True)


def write_durably(file: Path, content: Any) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    with temporary.open("w", encoding="utf-8") as output:
        json.dump(content, output)
        output.flush()
        os.fsync(output.fileno())
    temporary.rename(file)


def check_runtime(argv: list[str]) -> None:
    """A kubelet does not start without its container runtime."""
    (endpoint,) = kubelet_config.flag_values(argv)["container-runtime-endpoint"]
    with socket.socket(socket.AF_UNIX) as runtime:
        try:
            runtime.connect(endpoint.removeprefix("unix://"))
        except OSError as error:
            raise Refused(f"failed to run Kubelet: validate service connection: {error}") from error


class Kubelet:
    """The node's state, as one thread keeps it."""

    def __init__(self, settings: kubelet_config.Settings, capacity: int) -> None:
        self.settings = settings
        self.capacity = capacity
        self.manager = kubelet_eviction.Manager(settings)
        hard = settings.hard.amount.of(capacity) if settings.hard else 0
        self.allocatable = capacity - settings.reserved - hard
        self.started = time.time()
        self.admitted: dict[str, Pod] = {}
        self.restart_at: dict[str, float] = {}
        self.status: dict[str, Any] = self.read_status()

    @staticmethod
    def read_status() -> dict[str, Any]:
        try:
            pods: dict[str, Any] = json.loads(STATUS.read_text(encoding="utf-8"))["pods"]
        except FileNotFoundError:
            return {}
        return pods

    def write_status(self) -> None:
        node = {
            "capacity": self.capacity,
            "allocatable": self.allocatable,
            "memory_pressure": self.manager.memory_pressure(time.time()),
            "started": self.started,
        }
        write_durably(STATUS, {"node": node, "pods": self.status})

    def set_phase(self, pod: Pod, phase: str, reason: str = "", message: str = "") -> None:
        record = {"name": pod.name, "phase": phase, "reason": reason, "message": message}
        self.status[pod.uid] = record | {"since": time.time()}
        klog("I", f"pod {pod.namespace}/{pod.name} {phase} {reason} {message}")
        self.write_status()

    def ended(self, pod: Pod) -> bool:
        return self.status.get(pod.uid, {}).get("phase") in ("Failed", "Succeeded")

    def refusal(self, pod: Pod) -> tuple[str, str] | None:
        """Why a pod may not be here: reason and message. Running pods are asked again at a start.

        Source: kubernetes v1.34 pkg/kubelet/lifecycle/predicate.go, eviction_manager.go Admit().
        """
        if pod.critical:
            return None
        if self.manager.memory_pressure(time.time()) and pod.qos == "besteffort":
            return "Evicted", "The node had condition: [MemoryPressure]. "
        if len(self.admitted) >= self.settings.max_pods:
            return "OutOfpods", "Node didn't have enough resource: pods"
        used = sum(other.request for other in self.admitted.values())
        if pod.request and used + pod.request > self.allocatable:
            return "OutOfmemory", (
                "Pod was rejected: Node didn't have enough resource: memory, "
                f"requested: {pod.request}, used: {used}, capacity: {self.allocatable}"
            )
        return None

    def admit(self, pod: Pod) -> None:
        if refused := self.refusal(pod):
            self.set_phase(pod, "Failed", *refused)
            kubelet_pods.kill(pod, kubelet_eviction.HARD_GRACE)
            return
        self.admitted[pod.uid] = pod
        self.write_checkpoint()
        if not kubelet_pods.runs(pod):
            self.start_container(pod)

    def start_container(self, pod: Pod) -> None:
        if self.status.get(pod.uid, {}).get("phase") == "Running" and not pod.restart:
            return self.fail(pod, "Error", "its container ended")
        kubelet_pods.start(pod, self.capacity)
        self.set_phase(pod, "Running")
        return None

    def fail(self, pod: Pod, reason: str, message: str) -> None:
        del self.admitted[pod.uid]
        self.set_phase(pod, "Failed", reason, message)
        kubelet_pods.kill(pod, 0)

    def write_checkpoint(self) -> None:
        """Entries of pods that failed stay until those are deleted."""
        described = [pod for pod in kubelet_pods.described() if pod.uid in self.known()]
        entries = {
            pod.uid: {
                "ContainerResources": {
                    pod.container: {"requests": {"memory": f"{pod.request // 1024}Ki"}}
                }
            }
            for pod in described
        }
        write_durably(CHECKPOINT, {"data": json.dumps({"entries": entries}), "checksum": 0})

    def known(self) -> set[str]:
        return set(self.admitted) | set(self.status)

    def look_at_pods(self) -> None:
        """New pods, deleted ones, and containers that ended."""
        described = kubelet_pods.described()
        present = {pod.uid for pod in described}
        for uid, pod in list(self.admitted.items()):
            if uid not in present:
                del self.admitted[uid]
                kubelet_pods.kill(pod, kubelet_eviction.HARD_GRACE)
        for uid in [uid for uid in self.status if uid not in present]:
            del self.status[uid]
        for pod in described:
            if pod.uid not in self.admitted and not self.ended(pod):
                self.admit(pod)
        for pod in list(self.admitted.values()):
            self.look_at_container(pod)

    def look_at_container(self, pod: Pod) -> None:
        if kubelet_pods.runs(pod):
            self.restart_at.pop(pod.uid, None)
        elif not pod.restart:
            self.fail(pod, "Error", "its container ended")
        elif time.time() >= self.restart_at.setdefault(pod.uid, time.time() + RESTART_SECONDS):
            del self.restart_at[pod.uid]
            self.start_container(pod)

    def observe(self) -> kubelet_eviction.Observation:
        return kubelet_eviction.Observation(
            self.capacity, kubelet_pods.node_available(self.capacity), kubelet_pods.pods_available()
        )

    def look_at_memory(self) -> bool:
        """One turn of the eviction loop. True: a pod was evicted."""
        observation = self.observe()
        verdict = self.manager.look(time.time(), observation)
        self.write_status()
        if verdict is None:
            return False
        pods = list(self.admitted.values())
        usage = {pod.uid: kubelet_pods.working_set(pod.cgroup) for pod in pods}
        for pod in kubelet_eviction.rank(pods, usage):
            self.evict(pod, verdict, observation)
            return True
        klog("E", "eviction manager: unable to evict any pods from the node")
        return False

    def evict(
        self,
        pod: Pod,
        verdict: kubelet_eviction.Verdict,
        observation: kubelet_eviction.Observation,
    ) -> None:
        threshold = verdict.signal.threshold.amount.of(self.capacity)
        del self.admitted[pod.uid]
        self.set_phase(
            pod,
            "Failed",
            "Evicted",
            "The node was low on resource: memory. "
            f"Threshold quantity: {threshold}, available: {observation.of(verdict.signal)}.",
        )
        kubelet_pods.kill(pod, verdict.grace)

    def run(self) -> None:
        next_eviction = time.monotonic()
        while True:
            self.look_at_pods()
            if time.monotonic() >= next_eviction and not self.look_at_memory():
                next_eviction = time.monotonic() + EVICTION_SECONDS
            time.sleep(POLL_SECONDS)

    def pages(self) -> kubelet_http.Pages:
        return {
            "/configz": lambda: {"kubeletconfig": self.settings.config},
            "/pods": self.pods_page,
            "/stats/summary": self.summary_page,
        }

    def pods_page(self) -> dict[str, Any]:
        """Requests and phases only."""
        items = [
            {
                "metadata": {"uid": pod.uid, "namespace": pod.namespace, "name": pod.name},
                "spec": {
                    "priority": pod.priority,
                    "containers": [
                        {
                            "name": pod.container,
                            "resources": {"requests": {"memory": str(pod.request)}},
                        }
                    ],
                },
                "status": {"phase": "Running"},
            }
            for pod in list(self.admitted.values())
        ]
        return {"kind": "PodList", "apiVersion": "v1", "items": items}

    def summary_page(self) -> dict[str, Any]:
        available = kubelet_pods.node_available(self.capacity)
        memory = {
            "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "availableBytes": available,
            "workingSetBytes": self.capacity - available,
        }
        return {"node": {"nodeName": socket.gethostname(), "memory": memory}}


def start(argv: list[str]) -> Kubelet:
    capacity = kubelet_pods.capacity()
    settings = kubelet_config.load(argv, capacity)
    check_runtime(argv)
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    kubelet_pods.set_limit("kubepods.slice", capacity - settings.reserved)
    return Kubelet(settings, capacity)


def main() -> None:
    klog("I", '"Kubelet version" kubeletVersion="v1.34.2"')
    try:
        kubelet = start(sys.argv[1:])
    except Refused as error:
        klog("E", f'"command failed" err="{error}"')
        sys.exit(1)
    kubelet_pods.stay_resident()
    kubelet.look_at_pods()
    kubelet_http.start(kubelet.pages())
    kubelet.run()


if __name__ == "__main__":
    main()
